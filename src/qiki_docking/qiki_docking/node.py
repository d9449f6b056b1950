"""Docking on the graph: orders, sensors and other bodies in; hardware commands, steering and states out."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import InertiaStamped
from nav_msgs.msg import Odometry
from prometheus_client import Counter
from visualization_msgs.msg import MarkerArray

from qiki_docking.bridge.values import Role
from qiki_docking.core import DockingCore, Output
from qiki_docking.exchange import BridgeStatus, DockState
from qiki_docking.ros import diagnosis, exchange_messages, sensors
from qiki_docking.ros.admission import Admission
from qiki_docking.ros.dock_server import DockServer
from qiki_docking.ros.flight import Flight
from qiki_docking.ros.host import NotReadyError
from qiki_docking.ros.markers import DockingMarkers
from qiki_docking.ros.memory import Memory, Remembered
from qiki_docking.ros.parameters import DockingParameters, ports_of
from qiki_docking.ros.partners import Partners
from qiki_docking.ros.services import Services
from qiki_docking.values import PHASE_CHANGED, Occurrence, Profile
from qiki_events import REGISTRY
from qiki_msgs.msg import (
    Allocation,
    BridgeState,
    DockCommand,
    DockingState,
    DockSensor,
    Energy,
    ThrusterState,
)
from qiki_node import stamps
from qiki_node.health import Health
from qiki_node.node import QikiNode
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.run import run
from qiki_node.shared_files import shared_file
from qiki_vehicle import ConfigurationError, Vehicle

_LOOK = 1.0  # s between two looks for other bodies on the graph
_SET_BACK = 1.0  # s, by which the clock falls when a world begins again
_WARNED = {"docking.refused", "docking.clock_set_back", "bridge.shed"}


class DockingNode(QikiNode[DockingParameters]):
    """The node `docking`; launch puts it into the namespace of its bot or station."""

    def __init__(self) -> None:
        super().__init__("docking", DockingParameters)
        self.body = self.get_namespace().strip("/")
        self._core: DockingCore | None = None
        self._output: Output | None = None
        self._remembered = Remembered(source="not asked yet")
        self._lost = ""
        self._command_id = ""
        self._foreign = Counter("qiki_docking_flight_refused", "Flight commands refused", registry=self.registry)
        self._admission = Admission(self, self.registry)
        self._docks = DockServer(self)

    @property
    def core(self) -> DockingCore:
        """The core.

        Raises:
            NotReadyError: there is none yet, or the node is not active.
        """
        if not self.is_active:
            raise NotReadyError("the node is not active")
        if self._core is None:
            raise NotReadyError(self._lost or "the state before the start is not known yet")
        return self._core

    # Life -----------------------------------------------------------------------------------------------------------

    def on_configure_node(self) -> None:
        params = self.params
        self.configured.callback(self._forget)
        if not self.body:
            raise ConfigurationError("namespace: '/'; allowed: the name of the body that docks")
        vehicle = Vehicle.from_file(shared_file("vehicle_file", params.vehicle_file, "vehicles"))
        ports = ports_of(params.ports)
        self._vehicle = vehicle if ports is None else vehicle.model_copy(update={"ports": ports})
        self._clusters = [one.cluster for one in vehicle.thrusters] if params.active else []
        self._working_mass = math.nan
        frame = f"{self.body}/base_link"
        self._messages = DockCommand(), DockingState(), BridgeState()
        for message in self._messages:
            message.header.frame_id = frame
        self._commands = self.create_lifecycle_publisher(DockCommand, "dock_command", COMMAND)
        self._states = self.create_lifecycle_publisher(DockingState, "docking", STATE)
        self._bridges = self.create_lifecycle_publisher(BridgeState, "bridge", STATE)
        self._marker_publisher = self.create_lifecycle_publisher(MarkerArray, "docking/markers", TELEMETRY)
        rules = vehicle.docking
        self._markers = DockingMarkers(frame, rules.approach.half_angle, rules.hold_points[0])
        self._others: dict[str, DockState] = {}
        self._partners = Partners(self, self.body, self._take_partner, self._take_bridge, self._admission.refuse)
        self.create_subscription(DockSensor, "dock/sensor", self._take_sensor, TELEMETRY)
        self._flight: Flight | None = None
        if params.active:
            self._flight = Flight(self, frame, len(self._clusters), self._take_flight)
            self.create_subscription(Odometry, "odom", self._take_odometry, TELEMETRY)
            self.create_subscription(Energy, "energy", self._take_energy, TELEMETRY)
            self.create_subscription(ThrusterState, "thruster_state", self._take_valves, TELEMETRY)
            self.create_subscription(Allocation, "allocation", self._take_allocation, TELEMETRY)
            self.create_subscription(InertiaStamped, "body/mass_properties", self._take_mass, STATE)
        Services(self, rules.undock.arm_time)
        stream = f"{self.body}/docking"
        folder = Path(params.settings_folder) / f"{self.body}.json" if params.settings_folder else None
        self._memory = Memory(self, stream, folder, params.store_patience, time.monotonic)
        self.add_diagnostic("docking", self._docking_health)
        self.add_diagnostic("bridge", lambda: diagnosis.of_bridge(self._output.bridge if self._output else None))
        self.add_timer(1.0 / params.control_rate, self._cycle)
        self.add_timer(_LOOK, self._partners.look, steady=True)

    def on_activate_node(self) -> None:
        self._partners.look()

    def on_deactivate_node(self) -> None:
        """Thrust ends; latches stay locked and power as it is: nothing is commanded any more."""
        self._docks.drop("the node was deactivated")
        if self._flight is not None:
            self._flight.stop(self.seconds())

    def make_safe(self, callback: str) -> None:
        """No thrust; latches and power stay as they are."""
        if self._flight is not None and self.is_active:
            self.log.warning("no thrust", throttle=1.0, reason=f"exception in {callback}")
            self._flight.stop(self.seconds())

    def _forget(self) -> None:
        self._core = self._output = None

    def seconds(self) -> float:
        """s of control time, now."""
        return self.time.now()

    # The cycle ------------------------------------------------------------------------------------------------------

    def _cycle(self) -> None:
        if not self.clock_runs:
            return
        now = self.seconds()
        if self._output is not None and now < self._output.state.stamp - _SET_BACK:
            self._begin(Remembered(source="nothing: the clock was set back"))
        if self._core is None and not self._recall():
            return
        output = self.core.step(now)
        self._output = output
        self.report()
        command, state, bridge = self._messages
        sensors.fill_dock_command(command, output.command, self.time.ahead)
        self._commands.publish(command)
        if self._flight is not None:
            self._flight.steer(output.steering, now)
        exchange_messages.fill_docking(state, output.state)
        exchange_messages.fill_bridge(bridge, output.bridge)
        for message, publisher in ((state, self._states), (bridge, self._bridges)):
            message.header.stamp = stamps.from_seconds(now + self.time.ahead)
            publisher.publish(message)
        self._docks.follow(output.state)
        if self._marker_publisher.get_subscription_count():
            partner = self._others.get(output.state.partner)
            self._marker_publisher.publish(self._markers.update(state.header.stamp, output.state, partner))

    def _recall(self) -> bool:
        """Make the core from the state before, as soon as that is known."""
        if self._lost:
            return False
        try:
            remembered = self._memory.look(settled=self.events.values()["queued"] == 0 if self.events.enabled else True)
        except ValueError as error:
            self._lost = f"the state before the start is lost: {error}"
            self.log.error("docking is not possible", reason=self._lost)
            return False
        if remembered is not None:
            self._begin(remembered)
        return remembered is not None

    def _begin(self, remembered: Remembered) -> None:
        params, self._remembered = self.params, remembered
        self._admission.reset()
        self._role = remembered.role or Role(params.role)
        self._docks.drop(remembered.source)
        self._others.clear()
        self._core = DockingCore(
            self._vehicle,
            self.body,
            role=self._role,
            source_power=params.source_power or None,
            active=params.active,
            profiles=[Profile(profile) for profile in params.profiles],
            flight="cancel" if params.flight == "cancel" else "refuse",
            commanders=params.commanders,
            state=remembered.state,
            docking_id=remembered.docking_id,
        )
        phase = self._core.phase.value
        self.log.info("docking begins", phase=phase, source=remembered.source, ports=len(self._vehicle.ports))

    def ordered(self, command_id: str, *, accepted: bool) -> None:
        """Publish the events of an order; those that follow from an accepted one carry its id too."""
        before = self._command_id
        self._command_id = command_id
        self.report()
        if not accepted:
            self._command_id = before

    def report(self) -> None:
        """Log and emit the occurrences since the last call."""
        if self._core is None:
            return
        for occurrence in self._core.take_occurrences():
            if occurrence.type == "bridge.role_changed":
                self._role = Role(occurrence.payload["role"])
            if occurrence.type in (PHASE_CHANGED, "bridge.role_changed"):
                self._memory.keep(self._core.state, self._core.docking_id, self._role, self._ros_time())
            try:
                self._publish(occurrence)
            except ValueError as error:  # one that no event can carry must not take the others with it
                self.callbacks.failed(f"event {occurrence.type}", error, drives=False)
            if occurrence.type == "docking.ended":
                self._docks.ended(occurrence.payload)
                self._command_id = ""

    def _publish(self, occurrence: Occurrence) -> None:
        text = occurrence.type.partition(".")[2].replace("_", " ")
        record = self.log.warning if occurrence.type in _WARNED else self.log.info
        record(text, stamp=round(occurrence.time + self.time.ahead, 6), **occurrence.payload)
        self.events.emit(
            occurrence.type,
            occurrence.payload,
            correlation=self._command_id or None,
            schema_version=REGISTRY.newest(occurrence.type),
            time=round((occurrence.time + self.time.ahead) * stamps.SECOND),
        )

    def _ros_time(self) -> float:
        return self.seconds() + self.time.ahead

    def _docking_health(self) -> Health:
        trouble = self._lost or self._memory.unwritten or (self._flight.trouble if self._flight else "")
        return diagnosis.of_docking(self._output.state if self._output else None, self._remembered.source, trouble)

    # Inputs: nothing counts before the clock runs and the core is there ---------------------------------------------

    def _listening(self) -> DockingCore | None:
        return self._core if self.clock_runs and self.is_active else None

    def _admits(self, topic: str, stamp: float, body: str = "") -> DockingCore | None:
        """The core, if it takes what is stamped so, s of control time; body: of the sender, if it is another one."""
        core = self._listening()
        return core if core is None or self._admission.admits(topic, stamp, body) else None

    def _stamp(self, message: Any) -> float:
        """s, stamp of a message on the clock of control."""
        return stamps.seconds(message.header.stamp) - self.time.ahead

    def _take_sensor(self, message: DockSensor) -> None:
        if core := self._admits("dock/sensor", self._stamp(message)):
            core.reading(sensors.dock_reading(message, self.time.ahead), self.seconds())

    def _take_partner(self, state: DockState) -> None:
        if core := self._admits("docking", state.stamp, state.body):
            self._others[state.body] = state
            core.partner(state, self.seconds())

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
        if core := self._listening():
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

    def _take_flight(self, command: str) -> None:
        """A flight command that is none of docking. It has reached the allocator already: see docs/interfaces.md."""
        core = self._listening()
        if core is None or self._output is None or self._output.steering is None:
            return
        answer = core.flight_command(self.seconds())
        if not answer.accepted:
            self._foreign.inc()
            self.log.warning(f"{command} while docking", throttle=5.0, reason=answer.text)
        self.report()


def main() -> None:
    """Entry point."""
    run(DockingNode)


if __name__ == "__main__":
    main()
