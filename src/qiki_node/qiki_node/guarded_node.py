"""A lifecycle node that no callback and no request of a client can end.

Everything that rclpy calls goes through `Callbacks`: subscriptions, services, timers, actions, events of the
middleware. Deliveries to entities that were destroyed are dropped: rclpy's EventsExecutor still makes those that it has
queued. Timers and requests get their turn under any number of messages: see `DueTimers` and `LateMessages`.
"""

import functools
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import EventHandler
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle.publisher import LifecyclePublisher
from rclpy.qos import HistoryPolicy, QoSProfile
from rclpy.service import Service
from rclpy.timer import Timer
from rclpy.waitable import Waitable
from rosgraph_msgs.msg import Clock as ClockMessage

from qiki_node.callbacks import Callbacks, Life, failed_answer
from qiki_node.due_timers import DueTimer, DueTimers
from qiki_node.late_messages import LateMessages
from qiki_node.log import NodeLog, json_wanted
from qiki_node.ros_parameters import refusing_unknown_types

_LESS = {"deactivate": "inactive", "cleanup": "unconfigured", "shutdown": "finalized"}
"""States to which transitions lead that a process must not forget which ends in the middle of one."""

_FAR = 1e6
"""s"""

_UNANSWERED = 64
"""Requests of one client whose answers are waited for; of more, which a silent service gathers, the oldest is given
up."""


def _nothing() -> None: ...


class GuardedNode(LifecycleNode):
    """See the module. A subclass that drives hardware overrides `make_safe`.

    Attributes:
        log: logger of the node.
        callbacks: where the exceptions of its callbacks end.
        due_timers: all that were made by `create_timer`.
        late_messages: of all subscriptions.
        steady_clock: never set.
    """

    def __init__(self, name: str, **node_arguments: Any) -> None:
        self.callbacks = Callbacks(self._log_error, self.make_safe)
        self.due_timers = DueTimers()
        self.late_messages = LateMessages(self._put_marker, lambda: self.executor)
        super().__init__(name, **node_arguments)
        self.log = NodeLog(self.get_logger(), as_json=json_wanted())
        self._guard_lifecycle_services()
        # Never due: to reset it wakes the executor's wait for timers, which a clock set back has made too long.
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._far_timer = super().create_timer(_FAR, _nothing, clock=self.steady_clock)

    def make_safe(self, callback: str) -> None:
        """Bring what the node drives into a safe state: `callback` has raised an exception, and may do so again."""

    def state_ordered(self, state: str) -> None:
        """Take note of the lifecycle state that a client orders: of less activity before the transition, else after."""

    def spin_failed(self, error: Exception) -> None:
        """Take what the executor itself raised, such as a message that is no valid text."""
        if not isinstance(error, InvalidHandle):  # a late delivery to something that was destroyed
            self.callbacks.failed("executor", error)

    def _log_error(self, text: str, **fields: Any) -> None:
        self.log.error(text, **fields)  # which is made after the first services

    # Entities -------------------------------------------------------------------------------------------------------

    def create_subscription(
        self, msg_type: type, topic: str, callback: Callable[..., None], qos_profile: Any, **options: Any
    ) -> Any:
        """See `rclpy.node.Node`."""
        life = Life()
        taken = self.callbacks.guard(f"topic {topic}", callback, life=life)
        if msg_type is ClockMessage:
            guarded = self._setting_clock(taken)
        else:
            guarded = self._after_timers(taken)
            depth = qos_profile.depth if isinstance(qos_profile, QoSProfile) else int(qos_profile)
            keeps_all = isinstance(qos_profile, QoSProfile) and qos_profile.history == HistoryPolicy.KEEP_ALL
            if depth > 0 and not keeps_all:
                guarded = self.late_messages.guard(topic, guarded, depth)
        return life.of(super().create_subscription(msg_type, topic, guarded, qos_profile, **options))

    def create_service(self, srv_type: Any, srv_name: str, callback: Callable[..., Any], **options: Any) -> Service:
        """See `rclpy.node.Node`. A request whose callback raises is answered with `success` False and the reason."""
        if srv_type in (SetParameters, SetParametersAtomically):
            callback = refusing_unknown_types(callback)
        life = Life()
        guarded = self._after_timers(self._guarded_service(srv_name, srv_type, callback, life))
        service: Service = life.of(super().create_service(srv_type, srv_name, guarded, **options))
        return service

    def create_client(self, srv_type: Any, srv_name: str, **options: Any) -> Client:
        """See `rclpy.node.Node`. Guards what is called when a request is answered: rclpy turns its exceptions into
        warnings of Python. An answer that comes after `_UNANSWERED` more requests is dropped."""
        life = Life()
        client: Any = life.of(super().create_client(srv_type, srv_name, **options))
        call = client.call_async
        unanswered: dict[Any, None] = {}

        def call_async(request: Any) -> Any:
            future = call(request)
            add = future.add_done_callback
            unanswered[future] = None
            add(lambda done: unanswered.pop(done, None))
            for oldest in list(unanswered)[:-_UNANSWERED]:
                unanswered.pop(oldest, None)
                client.remove_pending_request(oldest)
            future.add_done_callback = lambda done: add(self.callbacks.guard(f"answer of {srv_name}", done, life=life))
            return future

        client.call_async = call_async
        guarded: Client = client
        return guarded

    def create_timer(
        self, timer_period_sec: float, callback: Callable[[], None] | None, *arguments: Any, **options: Any
    ) -> Timer:
        """See `rclpy.node.Node`."""
        if callback is None:  # of a rate
            rate: Timer = super().create_timer(timer_period_sec, callback, *arguments, **options)  # type: ignore[arg-type]
            return rate
        name = getattr(callback, "__qualname__", type(callback).__name__).replace("<locals>.", "")
        life = Life()
        due = DueTimer(self.callbacks.guard(f"timer {name}", callback, life=life), lambda: life.is_over)
        timer: Timer = life.of(super().create_timer(timer_period_sec, due.run, *arguments, **options))
        clock = timer.clock.handle  # its `now` makes objects that cost more than the reading
        due.of(timer, lambda: int(clock.get_now().nanoseconds))
        self.due_timers.add(due)
        return timer

    def add_waitable(self, waitable: Waitable) -> None:
        """See `rclpy.node.Node`. Guards the callbacks of action servers and of the middleware's events."""
        if isinstance(waitable, EventHandler):
            waitable.callback = self.callbacks.guard(f"event {waitable.event_type.name}", waitable.callback)
        elif isinstance(waitable, ActionServer):
            self._guard_action(waitable)
        super().add_waitable(waitable)

    def destroy_publisher(self, publisher: Any) -> bool:
        """See `rclpy.node.Node`. A lifecycle publisher leaves the managed entities too."""
        if isinstance(publisher, LifecyclePublisher):
            return bool(super().destroy_lifecycle_publisher(publisher))
        return bool(super().destroy_publisher(publisher))

    # Fairness -------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Run the timers that are due, between two turns of the executor, and have it look for the next again."""
        self.due_timers.run()
        self._far_timer.reset()

    def _after_timers(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(callback)
        def after_timers(*args: Any) -> Any:
            self.due_timers.run()
            return callback(*args)

        return after_timers

    def _setting_clock(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Timers of simulated time are due with the message that makes them so, not with one that comes later."""

        @functools.wraps(callback)
        def set_clock(*args: Any) -> None:
            callback(*args)
            self.due_timers.run(at_once=True)

        return set_clock

    def _put_marker(self, reached: Callable[[], None]) -> Any:
        executor = self.executor
        if executor is not None:
            executor.create_task(reached)
        return executor

    # Guards ---------------------------------------------------------------------------------------------------------

    def _guarded_service(
        self, name: str, kind: Any, callback: Callable[..., Any], life: Life | None = None
    ) -> Callable[..., Any]:
        def failed(request: Any, _response: Any, reason: str) -> Any:
            answer = failed_answer(kind.Response, reason)
            if kind is SetParameters:
                answer.results = [SetParametersResult(reason=reason) for _ in request.parameters]
            elif kind is SetParametersAtomically:
                answer.result.reason = reason
            return answer

        return self.callbacks.guard(f"service {name}", callback, failed, life)

    def _guard_action(self, server: ActionServer) -> None:
        name = f"action {server.action_type.__name__}"
        guard = self.callbacks.guard
        failed = server.action_type.Result

        def abort(goal: ServerGoalHandle, reason: str) -> Any:
            if goal.is_active:
                goal.abort()
            return failed_answer(failed, reason)

        def abandon(goal: ServerGoalHandle, reason: str) -> None:
            if goal.is_active:
                goal.execute(lambda goal: abort(goal, reason))

        # rclpy offers no way to read them.
        goal, cancel = server._goal_callback, server._cancel_callback
        accepted, execute = server._handle_accepted_callback, server._execute_callback
        decide = guard(f"{name} goal", goal, lambda *_: GoalResponse.REJECT)
        server.register_goal_callback(self._after_timers(decide))
        decide_cancel = guard(f"{name} cancel", cancel, lambda *_: CancelResponse.REJECT)
        server.register_cancel_callback(self._after_timers(decide_cancel))
        server.register_handle_accepted_callback(guard(f"{name} accepted", accepted, abandon))
        server.register_execute_callback(guard(f"{name} execute", execute, abort))

    def _guard_lifecycle_services(self) -> None:
        """rclpy makes these without `create_service`."""
        change = self._service_change_state
        change.callback = self._changing_state(change.callback)
        for service in (
            change,
            self._service_get_state,
            self._service_get_available_states,
            self._service_get_available_transitions,
            self._service_get_transition_graph,
        ):
            service.callback = self._guarded_service(service.srv_name, service.srv_type, service.callback)

    def _changing_state(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """rclpy raises for a transition that the present state does not have, in the middle of its state machine."""

        def changing(request: ChangeState.Request, response: ChangeState.Response) -> Any:
            wanted, state = request.transition, self._state_machine.current_state[1]
            known = {label: number for number, label, *_ in self._state_machine.available_transitions}
            label = wanted.label or next((label for label, number in known.items() if number == wanted.id), "")
            if label in known:
                if label in _LESS:
                    self.state_ordered(_LESS[label])
                answer = change(request, response)
                self.state_ordered(self._state_machine.current_state[1])
                return answer
            allowed = ", ".join(f"{number} ({label})" for label, number in known.items()) or "none"
            self.log.warning(
                "transition refused", throttle=1.0, id=wanted.id, label=wanted.label, state=state, allowed=allowed
            )
            response.success = False
            return response

        return changing
