"""The lifecycle node that every QIKI node is built on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from rclpy.clock import Clock, ClockType

from qiki_node.clock_watch import ClockWatch
from qiki_node.events import Events
from qiki_node.health import Check, Health, HealthBoard, Level
from qiki_node.managed_node import ManagedNode
from qiki_node.node_monitor import NodeMonitor, Pulse
from qiki_node.ordered_state import OrderedState
from qiki_node.parameters import NodeParameters
from qiki_node.ros_parameters import ParameterServer

P = TypeVar("P", bound=NodeParameters)


class QikiNode(ManagedNode, Generic[P]):
    """A managed node with typed parameters, diagnostics, metrics and a log.

    A subclass overrides the four hooks of `ManagedNode`, and `make_safe` where it drives hardware. No exception of a
    callback ends the node, see `GuardedNode`. Publishers come from `create_lifecycle_publisher`, timers from
    `add_timer`: both are silent while it is not active.

    Raises (at construction):
        ParameterError: a parameter is unknown or its value is not allowed.
        OSError: the spool of its events cannot be written.
    """

    def __init__(self, name: str, parameters: type[P], **node_arguments: Any) -> None:
        super().__init__(name, **node_arguments)
        self.parameters = ParameterServer(self, parameters)
        self.registry = CollectorRegistry()
        self.registry.register(self.callbacks.counter)
        self.registry.register(self.late_messages.counter)
        self._clock_watch = ClockWatch(lambda: self.get_clock().now().nanoseconds)
        self._system_clock = Clock(clock_type=ClockType.SYSTEM_TIME)
        self._board = HealthBoard()
        self._board.add("lifecycle", self._lifecycle_health)
        self._board.add("callbacks", self.callbacks.health)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._beat = self.create_timer(
            self.params.diagnostics_period, self._publish_diagnostics, clock=self.steady_clock
        )
        self._add_metrics()
        self.events = Events(self)
        self._monitor = NodeMonitor(self, self._pulse)
        folder = self.params.state_folder
        name = self.get_fully_qualified_name().strip("/").replace("/", ".")
        self._ordered = OrderedState(Path(folder) / f"{name}.json") if folder else None

    # For subclasses -------------------------------------------------------------------------------------------------

    @property
    def params(self) -> P:
        """The parameters as they are now."""
        return self.parameters.values

    def add_diagnostic(self, component: str, check: Check) -> None:
        """Publish the health that `check` gives as `<node>: <component>`; from a hook, until what it made is undone."""
        self._board.add(component, check)
        if self.making is not None:
            self.making.callback(self._board.remove, component)

    @property
    def clock_runs(self) -> bool:
        """False while the node's clock shows 0: simulated time before the first /clock, or at the moment of a reset."""
        return bool(self.get_clock().now().nanoseconds > 0)

    def begin(self) -> None:
        """Take the lifecycle state that a client ordered of the process before; without such an order start, where
        `autostart` is set."""
        ordered = ""
        try:
            ordered = self._ordered.read() if self._ordered else ""
        except ValueError as error:
            self.log.warning("the lifecycle state that was ordered before is not known", reason=str(error))
        if ordered == "active" or (not ordered and self.params.autostart):
            self.start()
        elif ordered == "inactive":
            self.trigger_configure()
        elif ordered == "finalized":
            self.trigger_shutdown()
        if ordered and (ordered == "active") is not self.params.autostart:
            self.log.warning("the lifecycle state that a client ordered before is restored", state=ordered)
            self.events.emit("node.state_restored", {"state": ordered})

    def state_ordered(self, state: str) -> None:
        """See `GuardedNode`."""
        try:
            if self._ordered:
                self._ordered.keep(state)
        except OSError as error:
            self.log.error("state_folder cannot be written: a restart would forget the order", reason=str(error))

    def close(self) -> None:
        """Bring the node down in order: stop, free spool and port, destroy."""
        self.stop()
        self.events.close()
        self._monitor.close()
        self.destroy_node()

    # Health and metrics ---------------------------------------------------------------------------------------------

    def _lifecycle_health(self) -> Health:
        label = self.state
        if self.refusal:
            return Health(Level.ERROR, self.refusal, {"state": label}, unready=self.refusal)
        if not self.is_active:
            return Health(Level.WARN, label, {"state": label}, unready=label)
        # Paused time is no fault, but nothing that a node does is fresh then.
        trouble = self._clock_watch.trouble
        values = {"state": label, "clock": trouble or "runs"}
        if not self.clock_runs:
            return Health(Level.WARN, f"{label}, but {trouble}", values, unready=trouble)
        return Health(Level.OK, label, values, unready=trouble)

    def health(self) -> Mapping[str, Health]:
        """Health of each component, as diagnostics published it last. Any thread may ask."""
        return self._board.last

    def _pulse(self) -> Pulse:
        return Pulse(self.state, self.turns.age)

    def _publish_diagnostics(self) -> None:
        self.turns.note()
        name = self.get_fully_qualified_name().lstrip("/")
        message = DiagnosticArray()
        # Before the first /clock, whose absence they report, the time of the computer: a stamp of 0 is none.
        clock = self.get_clock() if self.clock_runs else self._system_clock
        message.header.stamp = clock.now().to_msg()
        for component, health in self._board.ask().items():
            values = [KeyValue(key=key, value=str(value)) for key, value in health.values.items()]
            message.status.append(
                DiagnosticStatus(
                    level=bytes([health.level]),
                    name=f"{name}: {component}",
                    hardware_id=self.get_namespace().lstrip("/"),
                    message=health.message,
                    values=values,
                )
            )
        self._diagnostics.publish(message)

    def _add_metrics(self) -> None:
        ProcessCollector(registry=self.registry)
        name = self.get_fully_qualified_name()
        active = Gauge(
            "qiki_node_active",
            "1 while the node's lifecycle state is active",
            ["node"],
            registry=self.registry,
        )
        active.labels(name).set_function(lambda: float(self.is_active))
        worst = Gauge("qiki_node_health_level", "Worst level of the components", ["node"], registry=self.registry)
        worst.labels(name).set_function(
            lambda: float(max((one.level for one in self._board.last.values()), default=Level.STALE))
        )
