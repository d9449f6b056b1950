"""The lifecycle node that every QIKI node is built on."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.msg import State
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from qiki_node.events import Events
from qiki_node.health import Check, Health, HealthBoard, Level
from qiki_node.log import NodeLog, json_wanted
from qiki_node.node_monitor import NodeMonitor, Pulse
from qiki_node.parameters import NodeParameters
from qiki_node.ros_parameters import ParameterServer
from qiki_node.turns import Turns

if TYPE_CHECKING:
    from rclpy.timer import Timer

P = TypeVar("P", bound=NodeParameters)


class QikiNode(LifecycleNode, Generic[P]):
    """A managed node with typed parameters, diagnostics, metrics and a log.

    A subclass overrides the four hooks `on_configure_node` … `on_cleanup_node`. An exception in a hook refuses the
    transition: its text goes to the log and to the diagnostics, the node stays in its state, and it can be tried again.
    Publishers come from `create_lifecycle_publisher`, timers from `add_timer`: both are silent while it is not active.

    Raises (at construction):
        ParameterError: a parameter is unknown or its value is not allowed.
        OSError: the spool of its events cannot be written.
    """

    def __init__(self, name: str, parameters: type[P], **node_arguments: Any) -> None:
        super().__init__(name, **node_arguments)
        self.log = NodeLog(self.get_logger(), as_json=json_wanted())
        self.parameters = ParameterServer(self, parameters)
        self.registry = CollectorRegistry()
        self._board = HealthBoard()
        self._board.add("lifecycle", self._lifecycle_health)
        self._refusal = ""
        self._timers_wanted: list[tuple[float, Callable[[], None], bool]] = []
        self._timers_running: list[Timer] = []
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.turns = Turns()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._beat = self.create_timer(
            self.params.diagnostics_period, self._publish_diagnostics, clock=self.steady_clock
        )
        self._add_metrics()
        self.events = Events(self)
        self._monitor = NodeMonitor(self, self._pulse)

    # For subclasses -------------------------------------------------------------------------------------------------

    @property
    def params(self) -> P:
        """The parameters as they are now."""
        return self.parameters.values

    def on_configure_node(self) -> None:
        """Read files, build the core, create publishers, subscriptions and services."""

    def on_activate_node(self) -> None:
        """Start the work of the node."""

    def on_deactivate_node(self) -> None:
        """Stop the work and leave the driven hardware in a safe state. Called at shutdown too."""

    def on_cleanup_node(self) -> None:
        """Undo what `on_configure_node` did."""

    def add_timer(self, period: float, callback: Callable[[], None], *, steady: bool = False) -> None:
        """Call back every `period` seconds of ROS time (steady: of wall time) while the node is active."""
        self._timers_wanted.append((period, callback, steady))
        if self.is_active:
            self._start_timers(self._timers_wanted[-1:])

    def add_diagnostic(self, component: str, check: Check) -> None:
        """Publish the health that `check` gives as `<node>: <component>`."""
        self._board.add(component, check)

    @property
    def is_active(self) -> bool:
        """True if the node's lifecycle state is active."""
        return bool(self._state_machine.current_state[0] == State.PRIMARY_STATE_ACTIVE)

    @property
    def clock_runs(self) -> bool:
        """False while the node's clock shows 0: simulated time before the first /clock, or at the moment of a reset."""
        return bool(self.get_clock().now().nanoseconds > 0)

    # Life -----------------------------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Configure and activate; whether both were done."""
        success = TransitionCallbackReturn.SUCCESS
        return bool(self.trigger_configure() == success and self.trigger_activate() == success)

    def stop(self) -> None:
        """Deactivate and clean up. The executor may still run: the last messages are on their way."""
        if self.is_active:
            self.trigger_deactivate()
        if self._state_machine.current_state[0] == State.PRIMARY_STATE_INACTIVE:
            self.trigger_cleanup()

    def close(self) -> None:
        """Bring the node down in order: stop, free spool and port, destroy."""
        self.stop()
        self.events.close()
        self._monitor.close()
        self.destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._transition("configure", self.on_configure_node, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        # Publishers first: the hook may already publish.
        answer = super().on_activate(state)
        if answer != TransitionCallbackReturn.SUCCESS:
            return answer
        answer = self._transition("activate", self.on_activate_node, None, state)
        if answer == TransitionCallbackReturn.SUCCESS:
            self._start_timers(self._timers_wanted)
        else:
            super().on_deactivate(state)
        return answer

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop_timers()
        return self._transition("deactivate", self.on_deactivate_node, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._timers_wanted.clear()
        return self._transition("clean up", self.on_cleanup_node, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop_timers()
        if state.state_id == State.PRIMARY_STATE_ACTIVE:
            self._transition("deactivate", self.on_deactivate_node, super().on_deactivate, state)
        return super().on_shutdown(state)

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured: from there the node can be configured again."""
        self._stop_timers()
        self._timers_wanted.clear()
        return TransitionCallbackReturn.SUCCESS

    def _transition(
        self,
        action: str,
        hook: Callable[[], None],
        of_entities: Callable[[LifecycleState], TransitionCallbackReturn] | None,
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        try:
            hook()
        except Exception as error:  # the transition is refused, whatever the reason
            self._refusal = f"cannot {action}: {error}"
            self.log.error(self._refusal, error_type=type(error).__name__)
            return TransitionCallbackReturn.FAILURE
        self._refusal = ""
        return of_entities(state) if of_entities else TransitionCallbackReturn.SUCCESS

    def _start_timers(self, wanted: list[tuple[float, Callable[[], None], bool]]) -> None:
        for period, callback, steady in wanted:
            clock = self.steady_clock if steady else self.get_clock()
            self._timers_running.append(self.create_timer(period, callback, clock=clock))

    def _stop_timers(self) -> None:
        for timer in self._timers_running:
            timer.cancel()
            self.destroy_timer(timer)
        self._timers_running.clear()

    # Health and metrics ---------------------------------------------------------------------------------------------

    def _lifecycle_health(self) -> Health:
        label = self._state_machine.current_state[1]
        if self._refusal:
            return Health(Level.ERROR, self._refusal, {"state": label}, unready=self._refusal)
        if not self.is_active:
            return Health(Level.WARN, label, {"state": label}, unready=label)
        return Health(Level.OK, label, {"state": label})

    def health(self) -> Mapping[str, Health]:
        """Health of each component, as diagnostics published it last. Any thread may ask."""
        return self._board.last

    def _pulse(self) -> Pulse:
        return Pulse(self._state_machine.current_state[1], self.turns.age)

    def _publish_diagnostics(self) -> None:
        self.turns.note()
        name = self.get_fully_qualified_name().lstrip("/")
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
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
