"""What the allocator node hears beside commands: energy, heat, valves, odometry, mass properties."""

from typing import Any

import numpy as np
from geometry_msgs.msg import InertiaStamped
from nav_msgs.msg import Odometry

from qiki_allocator.errors import ConfigurationError
from qiki_allocator.flight.attitude import Body
from qiki_allocator.ros import conversions
from qiki_msgs.msg import Energy, Thermal, ThrusterState
from qiki_node.qos import STATE, TELEMETRY

_MOVED = 1e-4
"""m, and relative; mass properties that changed by less change nothing."""

_AFTER_TRIP = 0.3
"""s after a report of closed valves in which motion accuses no thruster."""


class Inputs:
    """Subscriptions of an allocator node, which has `controller`, `frames`, `log`, `seconds`, `report` and `wake`."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._log = node.log
        self._is_docked = False
        topics = [
            (Energy, "energy", self._hear_energy, TELEMETRY),
            (Thermal, "thermal", self._hear_thermal, TELEMETRY),
            (ThrusterState, "thruster_state", self._hear_valves, TELEMETRY),
            (Odometry, "odom", self._hear_odometry, TELEMETRY),
            (InertiaStamped, "body/mass_properties", self._hear_own_mass, STATE),
            (InertiaStamped, "mass_properties", self._hear_mass, STATE),
        ]
        self._subscriptions = [node.create_subscription(*topic) for topic in topics]

    def close(self) -> None:
        """Hear no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _hear_energy(self, message: Energy) -> None:
        drive = self._node.controller.drive
        reading = conversions.energy(message)
        drive.limiter.read_energy(reading)
        if message.pdu == Energy.PDU_TRIPPED:
            drive.faults.distrust(reading.time + _AFTER_TRIP)
        drive.forget_limits()

    def _hear_thermal(self, message: Thermal) -> None:
        drive = self._node.controller.drive
        drive.limiter.read_thermal(conversions.of_stamp(message.header.stamp), conversions.temperatures(message))
        drive.forget_limits()

    def _hear_valves(self, message: ThrusterState) -> None:
        controller = self._node.controller
        stamp = conversions.of_stamp(message.header.stamp)
        if message.watchdog or message.working_mass <= 0.0:
            controller.drive.faults.distrust(stamp + _AFTER_TRIP)
        told = conversions.conditions(message, len(controller.drive.array))
        controller.hear_valves(self._node.seconds(), stamp, message.on_time, told)
        self._node.report()
        self._node.wake()

    def _hear_odometry(self, message: Odometry) -> None:
        self._node.controller.hear_motion(self._node.seconds(), conversions.motion(message))
        self._node.report()

    def _hear_own_mass(self, message: InertiaStamped) -> None:
        if not self._is_docked:
            self._take_mass("body/mass_properties", message)

    def _hear_mass(self, message: InertiaStamped) -> None:
        # Of a composite: counts from now on instead of the body's own.
        self._is_docked = self._take_mass("mass_properties", message) or self._is_docked

    def _take_mass(self, topic: str, message: InertiaStamped) -> bool:
        frame = message.header.frame_id
        if frame not in self._node.frames:
            allowed = " or ".join(map(repr, self._node.frames))
            self._refuse(topic, f"header.frame_id: {frame!r}; allowed: {allowed}")
            return False
        try:
            body = conversions.body(message)
        except ConfigurationError as error:
            self._refuse(topic, str(error))
            return False
        before = self._node.controller.motion.body
        if _differs(before, body):
            self._node.controller.move(body)
            if not np.allclose(before.com, body.com, atol=_MOVED):
                self._log.info("centre of mass moved", com=body.com.tolist())
        return True

    def _refuse(self, topic: str, reason: str) -> None:
        self._log.warning(f"{topic} refused", throttle=1.0, reason=reason)


def _differs(one: Body, other: Body) -> bool:
    return not (
        np.allclose(one.com, other.com, rtol=0.0, atol=_MOVED)
        and np.allclose(one.inertia, other.inertia, rtol=_MOVED)
        and abs(one.mass - other.mass) <= _MOVED * one.mass
    )
