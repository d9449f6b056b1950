"""Telemetry of the own body and states of other bodies to the core; nothing counts before the clock runs."""

import math
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import InertiaStamped
from nav_msgs.msg import Odometry

from qiki_docking.core import DockingCore
from qiki_docking.exchange import BridgeStatus, DockState
from qiki_docking.ros import sensors
from qiki_docking.ros.admission import Admission
from qiki_docking.ros.flight import Flight
from qiki_docking.ros.partners import Host as PartnersHost
from qiki_docking.ros.partners import Partners
from qiki_msgs.msg import Allocation, DockSensor, Energy, ThrusterState
from qiki_node import stamps
from qiki_node.qos import STATE, TELEMETRY
from qiki_vehicle import ConfigurationError


class Host(PartnersHost, Protocol):
    """The node as this module sees it."""

    @property
    def listening(self) -> DockingCore | None:
        """The core, while its inputs count."""

    def seconds(self) -> float:
        """s of control time, now."""


class Inputs:
    """Subscriptions of a docking node; those of flight come with `fly`.

    Attributes:
        others: newest state of each other body.
    """

    def __init__(self, node: Host, body: str, admission: Admission) -> None:
        self._node, self._admission = node, admission
        self.others: dict[str, DockState] = {}
        self._partners = Partners(node, body, self._take_partner, self._take_bridge, admission.refuse)
        self._flight: Flight | None = None
        self._clusters: list[str] = []
        self._working_mass = math.nan
        node.create_subscription(DockSensor, "dock/sensor", self._take_sensor, TELEMETRY)

    def fly(self, flight: Flight, clusters: list[str]) -> None:
        """Subscribe to flight's telemetry too. clusters: of the thrusters, by index."""
        self._flight, self._clusters = flight, clusters
        subscribe = self._node.create_subscription
        subscribe(Odometry, "odom", self._take_odometry, TELEMETRY)
        subscribe(Energy, "energy", self._take_energy, TELEMETRY)
        subscribe(ThrusterState, "thruster_state", self._take_valves, TELEMETRY)
        subscribe(Allocation, "allocation", self._take_allocation, TELEMETRY)
        subscribe(InertiaStamped, "body/mass_properties", self._take_mass, STATE)

    def look(self) -> None:
        """Subscribe to bodies that have appeared."""
        self._partners.look()

    def _admits(self, topic: str, stamp: float, body: str = "") -> DockingCore | None:
        """The core, if it takes what is stamped so, s of control time; body: of the sender, if it is another one."""
        core = self._node.listening
        return core if core is None or self._admission.admits(topic, stamp, body) else None

    def _stamp(self, message: Any) -> float:
        """s, stamp of a message on the clock of control."""
        return stamps.seconds(message.header.stamp) - self._node.time.ahead

    def _take_sensor(self, message: DockSensor) -> None:
        if core := self._admits("dock/sensor", self._stamp(message)):
            core.reading(sensors.dock_reading(message, self._node.time.ahead), self._node.seconds())

    def _take_partner(self, state: DockState) -> None:
        if core := self._admits("docking", state.stamp, state.body):
            self.others[state.body] = state
            core.partner(state, self._node.seconds())

    def _take_bridge(self, status: BridgeStatus) -> None:
        if core := self._admits("bridge", status.stamp, status.body):
            core.bridge(status)

    def _take_odometry(self, message: Odometry) -> None:
        stamp = self._stamp(message)
        if core := self._admits("odom", stamp):
            core.odometry(stamp, sensors.pose_of(message.pose.pose), sensors.twist_of(message))

    def _take_energy(self, message: Energy) -> None:
        if core := self._admits("energy", self._stamp(message)):
            loads = dict(zip(message.loads, message.load_on, strict=False))
            core.energy(message.thrust_energy, message.battery_soc, loads)

    def _take_valves(self, message: ThrusterState) -> None:
        core = self._admits("thruster_state", self._stamp(message))
        if core is not None:
            self._working_mass = message.working_mass
        if core is not None and len(message.on_time) == len(self._clusters):
            core.fired(np.array(message.on_time))

    def _take_mass(self, message: InertiaStamped) -> None:
        if core := self._node.listening:
            try:
                core.mass(sensors.mass_of(message), self._working_mass)
            except ConfigurationError as error:
                self._admission.refuse("body/mass_properties", str(error))

    def _take_allocation(self, message: Allocation) -> None:
        core = self._admits("allocation", self._stamp(message))
        if core is None or self._flight is None:
            return
        core.combined = bool(message.flight_lead)
        self._flight.take_allocation(message)
        bounds = sensors.authority_of(message, self._clusters)
        if bounds is not None:
            core.authority(bounds)
