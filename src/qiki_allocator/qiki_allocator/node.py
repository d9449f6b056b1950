"""The allocator on the graph: `cmd_wrench` in, `thruster_command` out in the same callback."""

from collections.abc import Callable
from functools import partial

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import WrenchStamped
from prometheus_client import Counter
from visualization_msgs.msg import MarkerArray

from qiki_allocator.assembly import assemble
from qiki_allocator.checks import RefusalError
from qiki_allocator.docked.lead import FlightLead
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.occurrences import OF_ASSEMBLY, Occurrence
from qiki_allocator.health.table import Condition
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.ros import conversions, diagnosis
from qiki_allocator.ros.assembly_link import AssemblyLink
from qiki_allocator.ros.inputs import Inputs
from qiki_allocator.ros.kept_settings import KeptSettings
from qiki_allocator.ros.log import log_occurrence
from qiki_allocator.ros.markers import ForceMarkers
from qiki_allocator.ros.metrics import TelemetryMetrics
from qiki_allocator.ros.parameters import AllocatorParameters
from qiki_allocator.ros.profile_server import ProfileServer
from qiki_allocator.ros.services import Services
from qiki_events import REGISTRY
from qiki_msgs.msg import Allocation, ThrusterCommand, ThrusterLevels
from qiki_node.node import QikiNode
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.run import run
from qiki_node.shared_files import shared_file
from qiki_vehicle import Vehicle

_REPEAT = 1.0  # s of wall time after which the last status is repeated where the clock stands still
_CLOSING = 0.25
"""s, window of the command that closes all valves when the core cannot make one."""


class AllocatorNode(QikiNode[AllocatorParameters]):
    """The node `allocator`; launch puts it into the bot's namespace."""

    def __init__(self) -> None:
        super().__init__("allocator", AllocatorParameters)
        self._bot = bot = self.get_namespace().strip("/")
        self._base_link = f"{bot}/base_link" if bot else "base_link"
        self._controller: Controller | None = None
        self.add_diagnostic("commands", lambda: diagnosis.of_commands(self._metrics.latest))
        self._metrics = TelemetryMetrics(self.registry)
        self.add_diagnostic("allocation", lambda: diagnosis.of_allocation(self._metrics.latest))
        self.add_diagnostic("thrust", lambda: diagnosis.of_thrust(self._metrics.latest))
        self.add_diagnostic("limits", lambda: diagnosis.of_limits(self._metrics.latest))
        self._refused = Counter(
            "qiki_allocator_commands_refused", "Wrenches refused since start", registry=self.registry
        )
        self._sent = Counter("qiki_allocator_valve_commands", "Valve commands sent", registry=self.registry)
        self._profiles = ProfileServer(self)

    @property
    def controller(self) -> Controller:
        """The core that takes commands: that of the assembly that this body leads, else its own."""
        lead = self._assembly.lead
        return self.own if lead is None else lead.controller

    @property
    def own(self) -> Controller:
        """The core of this body alone, from configuration to clean-up."""
        assert self._controller is not None
        return self._controller

    # Life -----------------------------------------------------------------------------------------------------------

    def on_configure_node(self) -> None:
        params = self.params
        self.configured.callback(self._forget)
        vehicle = Vehicle.from_file(shared_file("vehicle_file", params.vehicle_file, "vehicles"))
        self._controller = assemble(
            vehicle,
            policy=params.policy,
            unattainable=params.unattainable,
            weights=params.weights,
            modulator=params.modulator,
            rate=params.control_rate,
            lead=params.lead,
            lost_authority=params.lost_authority,
        )
        stream = self.get_fully_qualified_name().strip("/")
        self._settings = KeptSettings(self, params.settings_folder, stream.replace("/", "."))
        self.add_diagnostic("settings", self._settings.health)
        self.hull_radius = vehicle.hull.circumradius
        self._command = ThrusterCommand()
        self._command.header.frame_id = self._base_link
        self._allocation = Allocation()
        self._allocation.header.frame_id = self._base_link
        self._markers = ForceMarkers(self._base_link, len(vehicle.thrusters))
        self._commands = self.create_lifecycle_publisher(ThrusterCommand, "thruster_command", COMMAND)
        self._allocations = self.create_lifecycle_publisher(Allocation, "allocation", TELEMETRY)
        self._forces = self.create_lifecycle_publisher(MarkerArray, "markers", TELEMETRY)
        self._assembly = AssemblyLink(self, self._bot, vehicle, self._build_lead(vehicle))
        self.create_subscription(WrenchStamped, "cmd_wrench", self._take_wrench, COMMAND)
        self.create_subscription(ThrusterLevels, "cmd_levels", self._take_levels, COMMAND)
        inputs = Inputs(self, vehicle.identity, self._assembly.take_own_valves)
        self.add_diagnostic("vehicle", inputs.vehicle_health)
        Services(self)
        self._fresh = True
        self.add_timer(1.0 / params.telemetry_rate, self._publish)
        self.add_timer(_REPEAT, self._repeat, steady=True)
        lost = self.own.drive.uncontrollable
        self.log.info(
            "vehicle loaded", vehicle=vehicle.name, thrusters=len(vehicle.thrusters), uncontrollable=list(lost)
        )

    def _build_lead(self, vehicle: Vehicle) -> Callable[..., FlightLead]:
        params = self.params
        return partial(
            FlightLead,
            vehicle,
            policy=params.policy,
            unattainable=params.unattainable,
            rate=params.control_rate,
            lead_time=params.lead,
        )

    def on_activate_node(self) -> None:
        self._cycle = self.create_timer(1.0 / self.params.control_rate, self._tick, clock=self.control_clock)
        self._cycle.cancel()
        self.wake()

    def on_deactivate_node(self) -> None:
        self._assembly.end("node deactivated")
        self._send(self.own.stop(self.seconds(), "node deactivated"))
        self.own.resume()
        # The last that metrics and diagnostics show while telemetry pauses: closed valves.
        self._metrics.latest = self.controller.telemetry(self.seconds())
        self.report()

    def make_safe(self, callback: str) -> None:
        """Close the valves: commands count again after a pause, as after `stop`."""
        if self._controller is None:
            return
        try:
            self._send(self._controller.stop(self.seconds(), f"exception in {callback}"))  # ends following too
        except Exception:
            # The core itself fails: a command that needs nothing of it.
            n = len(self._controller.drive.array)
            self._controller.drive.sent += 1
            self._send(ValveCommand(self.seconds(), _CLOSING, np.full(n, np.nan), np.zeros(n)))
            raise

    def _forget(self) -> None:
        self._controller, self._metrics.latest = None, None

    def seconds(self) -> float:
        """s of control time, now."""
        return self.time.now()

    def check_clock(self) -> None:
        """Refuse to fly before the clock runs: what is commanded at time 0 would be flown on at the first /clock.

        Raises:
            RefusalError: the clock shows 0.
        """
        if not self.clock_runs:
            raise RefusalError("the clock does not run: commands count from the first /clock on")

    def check_frame(self, frame: str) -> None:
        """Refuse values in another frame than base_link.

        Raises:
            RefusalError: naming the field, the frame and those allowed.
        """
        frames = ("base_link", self._base_link)
        if frame not in frames:
            raise RefusalError(f"header.frame_id: {frame!r}; allowed: {' or '.join(map(repr, frames))}")

    # The way of a command -------------------------------------------------------------------------------------------

    def _take_wrench(self, message: WrenchStamped) -> None:
        def command() -> ValveCommand | None:
            try:
                self.check_frame(message.header.frame_id)
            except RefusalError as error:
                self.controller.refuse(self.seconds(), "cmd_wrench", str(error))
                raise
            return self.controller.command(self.seconds(), conversions.from_wrench(message.wrench))

        self._take(command)

    def _take_levels(self, message: ThrusterLevels) -> None:
        self._take(lambda: self.controller.command_levels(self.seconds(), message.level))

    def _take(self, command: Callable[[], ValveCommand | None]) -> None:
        if not self.is_active:
            return
        try:
            self.check_clock()
        except RefusalError as error:
            self._refused.inc()
            self.log.warning("command dropped", throttle=5.0, reason=str(error))
            return
        try:
            self.act(command())
        except RefusalError:  # another error is a fault of the core: logged, and the valves close
            self._refused.inc()
            self.report()

    def act(self, command: ValveCommand | None) -> None:
        """Send a valve command, if any, start the control cycle if needed, and publish occurrences."""
        if self._assembly.lead is None:
            self._send(command)
        else:
            self._assembly.send(command)
        self.wake()
        self.report()

    def act_own(self, command: ValveCommand | None) -> None:
        """The same for a command of the own core."""
        self._send(command)
        self.wake()
        self.report()

    def wake(self) -> None:
        """Start the control cycle if the controller is active."""
        if self.is_active and self._cycle.is_canceled() and self.own.is_active:
            self._cycle.reset()

    def report(self) -> None:
        """Publish the occurrences since the last call, which leave the node here alone, and the result of a profile."""
        self._profiles.follow()
        self._settings.keep()
        of_assembly = [] if self.controller is self.own else self.controller.journal.take()
        own = self.own.journal.take()
        for occurrence in own + [one for one in of_assembly if one.type in OF_ASSEMBLY]:
            try:
                self.publish(occurrence)
            except ValueError as error:  # one that no event can carry must not take the others with it
                self.callbacks.failed(f"event {occurrence.type}", error, drives=False)

    def publish(self, occurrence: Occurrence) -> None:
        """Log an occurrence and emit it as an event."""
        log_occurrence(self.log, occurrence, self.time.ahead)
        cause = occurrence.cause
        occurrence.event = self.events.emit(
            occurrence.type,
            occurrence.data,
            correlation=occurrence.command,
            schema_version=REGISTRY.newest(occurrence.type),
            causation=None if cause is None else cause.event or None,
            time=round((occurrence.time + self.time.ahead) * 1e9),
        )

    def _tick(self) -> None:
        lead = self._assembly.lead
        if lead is not None and lead.controller.is_active:
            self._assembly.send(lead.controller.tick(self.seconds()))
        self._send(self.own.tick(self.seconds()))
        if not self.own.is_active:
            self._cycle.cancel()
        self.report()

    def _send(self, command: ValveCommand | None) -> None:
        if command is not None:
            conversions.fill_command(self._command, command, self.time.ahead)
            self._commands.publish(self._command)
            self._sent.inc()

    # Telemetry ------------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        telemetry = self.controller.telemetry(self.seconds())
        stamp = self.get_clock().now().to_msg()
        self._allocation.header.stamp = stamp
        conversions.fill_allocation(self._allocation, telemetry)
        self._allocation.flight_lead = self.own.lead
        self._allocations.publish(self._allocation)
        self._fresh = True
        self._metrics.latest = telemetry
        if self._forces.get_subscription_count():
            healthy = [condition is Condition.OK for condition in telemetry.conditions]
            forces = telemetry.allocation.forces
            self._forces.publish(self._markers.update(stamp, self.controller.drive.array, forces, healthy))
        self._profiles.publish_feedback()
        self.report()

    def _repeat(self) -> None:
        """Publish the last status again where the clock stands still, for subscribers that came since."""
        if not self._fresh and self._allocation.header.stamp != Time():
            self._allocations.publish(self._allocation)
        self._fresh = False


def main() -> None:
    """Entry point."""
    run(AllocatorNode)


if __name__ == "__main__":
    main()
