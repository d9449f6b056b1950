"""Subscriptions of the allocator node beside commands: energy, heat, valves, odometry, mass properties."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from geometry_msgs.msg import InertiaStamped
from nav_msgs.msg import Odometry

from qiki_allocator.checks import RefusalError, refusing
from qiki_allocator.health.readings import ValveReading
from qiki_allocator.ros import conversions
from qiki_allocator.ros.host import Host
from qiki_msgs.msg import Energy, Thermal, ThrusterInhibit, ThrusterState
from qiki_node import stamps
from qiki_node.health import Health, Level
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.terminal import printable

T = TypeVar("T")


class Inputs:
    """Converts telemetry and passes it to the controller of a node."""

    def __init__(self, node: Host, vehicle: str, valves: Callable[[ValveReading], None]) -> None:
        """`vehicle`: identity of the one that the controller flies; `valves` takes their reports too."""
        self._valves = valves
        self._node, self._vehicle, self._hardware = node, vehicle, ""
        own, composite = "body/mass_properties", "mass_properties"
        node.create_subscription(Energy, "energy", self._timely(self._take_energy), TELEMETRY)
        node.create_subscription(Thermal, "thermal", self._timely(self._take_thermal), TELEMETRY)
        node.create_subscription(ThrusterState, "thruster_state", self._timely(self._take_valves), TELEMETRY)
        node.create_subscription(ThrusterInhibit, "inhibit", self._timely(self._take_inhibition), COMMAND)
        node.create_subscription(Odometry, "odom", self._timely(self._take_odometry), TELEMETRY)
        node.create_subscription(InertiaStamped, own, partial(self._take_mass, own, False), STATE)
        node.create_subscription(InertiaStamped, composite, partial(self._take_mass, composite, True), STATE)

    def _timely(self, take: Callable[[T], None]) -> Callable[[T], None]:
        """Drop telemetry that comes before the clock runs: its age is unknown, and what follows from it has no time."""

        def taken(message: T) -> None:
            if self._node.clock_runs:
                take(message)

        return taken

    def vehicle_health(self) -> Health:
        """ERROR while the hardware is another vehicle than the controller's."""
        values = {"configured": self._vehicle, "hardware": printable(self._hardware) or "unknown"}
        problem = self._problem()
        return Health(Level.ERROR if problem else Level.OK, problem or self._vehicle, values, unready=problem)

    def _problem(self) -> str:
        """Reason not to fly: thrusters that are elsewhere turn any allocation into another wrench."""
        if self._hardware in ("", self._vehicle):
            return ""
        return f"vehicle of the hardware: {printable(self._hardware[:80])!r}; allowed: {self._vehicle!r}, as configured"

    def _take_energy(self, message: Energy) -> None:
        now = self._node.seconds()
        self._node.own.update_energy(now, conversions.energy(message, self._node.time.ahead))

    def _take_thermal(self, message: Thermal) -> None:
        now = self._node.seconds()
        time = stamps.seconds(message.header.stamp) - self._node.time.ahead
        self._node.own.update_thermal(now, time, conversions.temperatures(message))

    def _take_inhibition(self, message: ThrusterInhibit) -> None:
        controller, now = self._node.own, self._node.seconds()
        time = stamps.seconds(message.header.stamp) - self._node.time.ahead
        try:
            self._node.act_own(controller.inhibit(now, time, message.bound, message.reason, touching=message.touching))
        except RefusalError as error:
            self._node.log.warning("inhibit refused", throttle=1.0, reason=str(error))

    def _take_valves(self, message: ThrusterState) -> None:
        controller, now = self._node.own, self._node.seconds()
        if message.vehicle != self._hardware:
            self._hardware = message.vehicle
            if problem := self._problem():
                self._node.log.error("grounded", reason=problem)
            self._node.act_own(controller.ground(now, problem))
        if self._problem():  # its valves are not ours
            return
        n = len(controller.drive.array)
        reading = conversions.valves(message, n, self._node.time.ahead)
        controller.update_valves(now, reading)
        self._valves(reading)
        self._node.report()
        self._node.wake()

    def _take_odometry(self, message: Odometry) -> None:
        now = self._node.seconds()
        reading = conversions.motion(message, self._node.time.ahead)
        self._node.own.update_motion(now, reading)
        if self._node.controller is not self._node.own:
            self._node.controller.update_motion(now, reading)
        self._node.report()

    def _take_mass(self, topic: str, composite: bool, message: InertiaStamped) -> None:
        try:
            self._node.check_frame(message.header.frame_id)
            if composite and message.inertia.m == 0.0:
                moved = self._node.own.separate(self._node.seconds())
            else:
                with refusing():
                    body = conversions.body(message)
                moved = self._node.own.update_mass(self._node.seconds(), body, composite=composite)
        except RefusalError as error:
            self._node.log.warning(f"{topic} refused", throttle=1.0, reason=str(error))
            return
        if moved:
            self._node.log.info("centre of mass moved", com=self._node.own.drive.array.com.tolist())
