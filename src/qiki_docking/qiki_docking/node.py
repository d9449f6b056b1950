"""Docking on the graph: orders, sensors and other bodies in; hardware commands, steering and states out."""

import time
from pathlib import Path

from prometheus_client import Counter

from qiki_docking.bridge.values import Role
from qiki_docking.core import DockingCore, Output
from qiki_docking.passport import Passports
from qiki_docking.ros import diagnosis
from qiki_docking.ros.admission import Admission
from qiki_docking.ros.dock_server import DockServer
from qiki_docking.ros.flight import Flight
from qiki_docking.ros.host import NotReadyError
from qiki_docking.ros.inputs import Inputs
from qiki_docking.ros.memory import Memory, Remembered
from qiki_docking.ros.outputs import Outputs
from qiki_docking.ros.parameters import DockingParameters, docked_of, ports_of
from qiki_docking.ros.services import Services
from qiki_docking.values import PHASE_CHANGED, Occurrence, Profile
from qiki_events import REGISTRY
from qiki_node import long_lived, stamps
from qiki_node.health import Health
from qiki_node.node import QikiNode
from qiki_node.run import run
from qiki_node.shared_files import shared_file
from qiki_vehicle import ConfigurationError, Vehicle
from qiki_vehicle.key_files import KeyFiles

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
        self._operator: tuple[int, str] | None = None
        self._foreign = Counter("qiki_docking_flight_refused", "Flight commands refused", registry=self.registry)
        self._admission = Admission(self, self.registry)
        self._docks = DockServer(self)

    @property
    def core(self) -> DockingCore:
        """The core.

        Raises:
            NotReadyError: there is none yet, the node is not active, or the clock does not run.
        """
        if not self.is_active:
            raise NotReadyError("the node is not active")
        if not self.clock_runs:
            raise NotReadyError("the clock does not run: no /clock has come")
        if self._core is None:
            raise NotReadyError(self._lost or "the state before the start is not known yet")
        return self._core

    @property
    def listening(self) -> DockingCore | None:
        """The core, while its inputs count: the clock runs and the node is active."""
        return self._core if self.clock_runs and self.is_active else None

    # Life -----------------------------------------------------------------------------------------------------------

    def on_configure_node(self) -> None:
        params = self.params
        self.configured.callback(self._forget)
        if not self.body:
            raise ConfigurationError("namespace: '/'; allowed: the name of the body that docks")
        vehicle = Vehicle.from_file(shared_file("vehicle_file", params.vehicle_file, "vehicles"))
        ports = ports_of(params.ports)
        self._docked = docked_of(params.docked)
        self._vehicle = vehicle if ports is None else vehicle.model_copy(update={"ports": ports})
        frame = f"{self.body}/base_link"
        rules = vehicle.docking
        self._outputs = Outputs(self, frame, rules)
        self._inputs = Inputs(self, self.body, self._admission)
        clusters = [one.cluster for one in vehicle.thrusters]
        self._flight = Flight(self, frame, len(clusters), self._take_flight) if params.active else None
        if self._flight is not None:
            self._inputs.fly(self._flight, clusters)
        self._docks.patience = params.navigation_patience
        Services(self, rules.undock.arm_time)
        self._keys = KeyFiles(Path(params.keys_folder) if params.keys_folder else None)
        stream = f"{self.body}/docking"
        folder = Path(params.settings_folder) / f"{self.body}.json" if params.settings_folder else None
        self._memory = Memory(self, stream, folder, params.store_patience, time.monotonic)
        self.add_diagnostic("docking", self._docking_health)
        self.add_diagnostic("bridge", lambda: diagnosis.of_bridge(self._output.bridge if self._output else None))
        self.add_timer(1.0 / params.control_rate, self._cycle)
        self.add_timer(_LOOK, self._look, steady=True)

    def on_activate_node(self) -> None:
        self._inputs.look()

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
            long_lived.renew()
        if self._core is None and not self._recall():
            return
        output = self.core.step(now)
        self._output = output
        self.report()
        self._outputs.command(output)
        if self._flight is not None:
            self._flight.steer(output.steering, now, touching=output.touching)
            if self._flight.before != self._operator:
                self._keep()
        self._outputs.states(output, now)
        self._docks.follow(output.state)
        self._outputs.markers(output, self._inputs.others)

    def _look(self) -> None:
        """Follow bodies that have appeared, and key files that have changed."""
        self._inputs.look()
        trouble = self._keys.trouble
        if self._keys.changed():
            self.log.info("other keys are in force", members=len(self._keys.ring.members))
        if self._keys.trouble and self._keys.trouble != trouble:
            self.log.error("changed keys are refused; those of before stay in force", reason=self._keys.trouble)

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
        params, vehicle, self._remembered = self.params, self._vehicle, remembered
        self._admission.reset()
        self._role = remembered.role or Role(params.role)
        self._docks.drop(remembered.source)
        self._inputs.others.clear()
        self._core = DockingCore(
            vehicle,
            self.body,
            role=self._role,
            source_power=params.source_power or None,
            active=params.active,
            profiles=[Profile(profile) for profile in params.profiles],
            flight="cancel" if params.flight == "cancel" else "refuse",
            commanders=params.commanders,
            docked=self._docked,
            passports=Passports(self._keys, vehicle.iff.skew, lambda now: now + self.time.ahead),
            state=remembered.state,
            docking_id=remembered.docking_id,
            record=remembered.record,
        )
        if self._flight is not None and self._core.state.order is not None:
            self._flight.before = self._operator = remembered.operator
        phase = self._core.phase.value
        self.log.info("docking begins", phase=phase, source=remembered.source, ports=len(vehicle.ports))

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
                self._keep()
            if occurrence.type == "docking.refused" and occurrence.payload["order"] == "flight":
                self._foreign.inc()
            try:
                self._publish(occurrence)
            except ValueError as error:  # one that no event can carry must not take the others with it
                self.callbacks.failed(f"event {occurrence.type}", error, drives=False)
            if occurrence.type == "docking.ended":
                self._docks.ended(occurrence.payload)
                self._command_id = ""

    def _keep(self) -> None:
        """Keep in a file what outlives the process: of it all, the event store has the state alone."""
        assert self._core is not None
        core, operator = self._core, None if self._flight is None else self._flight.before
        self._operator = operator
        known = Remembered(core.state, core.docking_id, self._role, record=core.record, operator=operator)
        self._memory.keep(known, self._ros_time())

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

    def _take_flight(self, command: str) -> None:
        """A flight command that is none of docking. It has reached the allocator already: see docs/interfaces.md."""
        core = self.listening
        if core is None or self._output is None or self._output.steering is None:
            return
        core.flight_command(self.seconds(), command)
        self.report()

    def _ros_time(self) -> float:
        return self.seconds() + self.time.ahead

    def _docking_health(self) -> Health:
        keys = f"changed keys are refused: {self._keys.trouble}" if self._keys.trouble else ""
        trouble = self._lost or self._memory.unwritten or keys or (self._flight.trouble if self._flight else "")
        return diagnosis.of_docking(self._output.state if self._output else None, self._remembered.source, trouble)


def main() -> None:
    """Entry point."""
    run(DockingNode)


if __name__ == "__main__":
    main()
