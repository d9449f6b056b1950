"""The lifecycle of a QIKI node: hooks, and the undoing of all that they have made."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from lifecycle_msgs.msg import State
from rcl_interfaces.msg import SetParametersResult
from rclpy.action import ActionClient, ActionServer
from rclpy.client import Client
from rclpy.clock import Clock, ROSClock
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.service import Service
from rclpy.subscription import Subscription
from rclpy.timer import Timer

from qiki_node import long_lived
from qiki_node.callbacks import reason_of
from qiki_node.control_time import ControlTime
from qiki_node.guarded_node import GuardedNode
from qiki_node.turns import Turns

_SUCCESS = TransitionCallbackReturn.SUCCESS


class ManagedNode(GuardedNode):
    """A managed node whose transitions succeed as a whole or leave nothing behind.

    A subclass overrides the four hooks `on_configure_node` … `on_cleanup_node`. Whatever ends a state, a failing hook
    included, undoes what the hook of its beginning has made: entities of the node by themselves, all else where it was
    pushed on `configured` or `activated`. An exception in a hook goes the way of every exception of a callback, and the
    transition is refused:

    - configure: the node stays unconfigured; activate: it stays inactive. Both can be tried again.
    - deactivate, clean up: nobody knows what was left undone, so the node is undone to unconfigured.

    Attributes:
        configured, activated: stacks of what `on_configure_node` and `on_activate_node` have made, unwound after
            `on_cleanup_node` and `on_deactivate_node`. The node's entities come last: a core may still answer.
        making: the one of the two whose hook runs; None outside of both hooks.
        time: of control.
        turns: signs of life of the executor.
    """

    def __init__(self, name: str, **node_arguments: Any) -> None:
        super().__init__(name, **node_arguments)
        self.time = ControlTime(
            lambda: self.get_clock().now().nanoseconds, time.monotonic_ns, lambda: self.uses_sim_time
        )
        self.turns = Turns()
        self.configured = ExitStack()
        self.activated = ExitStack()
        self.making: ExitStack | None = None
        self.refusal = ""
        self._timers_wanted: list[tuple[float, Callable[[], None], bool]] = []
        self._timers_running: list[Timer] = []
        self.add_on_set_parameters_callback(self._check_time_source)

    # For subclasses -------------------------------------------------------------------------------------------------

    def on_configure_node(self) -> None:
        """Read files, build the core, create publishers, subscriptions and services."""

    def on_activate_node(self) -> None:
        """Start the work of the node."""

    def on_deactivate_node(self) -> None:
        """Stop the work and leave the driven hardware in a safe state. Called at shutdown too."""

    def on_cleanup_node(self) -> None:
        """Undo of `on_configure_node` what no stack undoes."""

    def add_timer(self, period: float, callback: Callable[[], None], *, steady: bool = False) -> None:
        """Call back every `period` seconds while the node is active; one that is added after `on_configure_node` ends
        with the activation.

        Time is that of /clock where `use_sim_time` is set, else steady: the computer's clock may be set at any moment.

        Args:
            steady: steady time in any case.
        """
        self._timers_wanted.append((period, callback, steady))
        if self.is_active:
            self._start_timers(self._timers_wanted[-1:])

    @property
    def control_clock(self) -> Clock:
        """Clock of control, watchdogs and periods: that of /clock where `use_sim_time` is set, else a steady one."""
        return self.get_clock() if self.uses_sim_time else self.steady_clock

    @property
    def uses_sim_time(self) -> bool:
        """True if time comes from /clock."""
        clock = self.get_clock()
        return isinstance(clock, ROSClock) and clock.ros_time_is_active

    @property
    def state(self) -> str:
        """Label of the lifecycle state."""
        return str(self._state_machine.current_state[1])

    @property
    def is_active(self) -> bool:
        """True if the node's lifecycle state is active."""
        return self._is(State.PRIMARY_STATE_ACTIVE)

    # Life -----------------------------------------------------------------------------------------------------------

    def start(self) -> bool:
        """Configure and activate; whether both were done."""
        return bool(
            self._is(State.PRIMARY_STATE_UNCONFIGURED)
            and self.trigger_configure() == _SUCCESS
            and self.trigger_activate() == _SUCCESS
        )

    def stop(self) -> None:
        """Deactivate and clean up. The executor may still run: the last messages are on their way."""
        if self.is_active:
            self.trigger_deactivate()
        if self._is(State.PRIMARY_STATE_INACTIVE):
            self.trigger_cleanup()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        before = self._entities()
        self.configured.callback(lambda: self._destroy(self._entities() - before))
        self.configured.callback(self._timers_wanted.clear)
        done = self._make("configure", self.on_configure_node, self.configured)
        answer = super().on_configure(state) if done else TransitionCallbackReturn.FAILURE
        if answer == _SUCCESS:
            self.callbacks.settle()
        else:
            self._unwind(self.configured)
        return answer

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        # Publishers first: the hook may already publish.
        answer = super().on_activate(state)
        if answer == _SUCCESS:
            if self._make("activate", self._activate, self.activated):
                long_lived.renew()
                return answer
            answer = TransitionCallbackReturn.FAILURE
        self._unwind(self.activated)
        super().on_deactivate(state)
        return answer

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop_timers()
        if not self._hook("deactivate", self.on_deactivate_node):
            return TransitionCallbackReturn.ERROR
        self._unwind(self.activated)
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        if not self._hook("clean up", self.on_cleanup_node):
            return TransitionCallbackReturn.ERROR
        self._unwind(self.configured)
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Whatever fails: a node that is shut down is finalized."""
        if state.state_id == State.PRIMARY_STATE_ACTIVE:
            self._stop_timers()
            self._hook("deactivate", self.on_deactivate_node)
            self._unwind(self.activated)
        if state.state_id in (State.PRIMARY_STATE_ACTIVE, State.PRIMARY_STATE_INACTIVE):
            self._hook("clean up", self.on_cleanup_node)
            self._unwind(self.configured)
        super().on_shutdown(state)
        return _SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undo everything, back to unconfigured: from there the node can be configured again."""
        self._stop_timers()
        for stack in (self.activated, self.configured):
            self._unwind(stack)
        super().on_deactivate(state)
        return _SUCCESS

    def _check_time_source(self, parameters: list[Parameter]) -> SetParametersResult:
        """Clocks of timers, watchdogs and stamps are chosen when the node is configured."""
        for item in parameters:
            changed = item.name == "use_sim_time" and item.value != self.uses_sim_time
            if changed and not self._is(State.PRIMARY_STATE_UNCONFIGURED):
                reason = f"parameter use_sim_time: {item.value!r} is not allowed while the node is {self.state}; "
                return SetParametersResult(
                    successful=False, reason=f"{reason}allowed: {self.uses_sim_time}; clean up first"
                )
        return SetParametersResult(successful=True)

    # The way of a transition ----------------------------------------------------------------------------------------

    def _is(self, state: int) -> bool:
        return bool(self._state_machine.current_state[0] == state)

    def _hook(self, action: str, hook: Callable[[], None]) -> bool:
        """Run a hook of the lifecycle; True if it did not fail."""
        self.refusal = ""
        try:
            with self.turns.busy_with(action):
                hook()
        except Exception as error:  # the transition is refused, whatever the reason
            self.refusal = f"cannot {action}: {error or reason_of(error)}"
            self.callbacks.failed(action, error)
        return not self.refusal

    def _make(self, action: str, hook: Callable[[], None], making: ExitStack) -> bool:
        self.making = making
        try:
            return self._hook(action, hook)
        finally:
            self.making = None

    def _activate(self) -> None:
        before, wanted = self._entities(), len(self._timers_wanted)
        made: set[Any] = set()
        self.activated.callback(lambda: self._destroy(made))
        try:
            self.on_activate_node()
            self._start_timers(self._timers_wanted)
        finally:
            made |= self._entities() - before
            self.activated.callback(lambda: self._timers_wanted.__delitem__(slice(wanted, None)))
            self.activated.callback(self._stop_timers)

    def _unwind(self, stack: ExitStack) -> None:
        try:
            with self.turns.busy_with("undo"):
                stack.close()
        except Exception as error:  # the stack is empty all the same
            self.callbacks.failed("undo", error)

    def _start_timers(self, wanted: Iterable[tuple[float, Callable[[], None], bool]]) -> None:
        for period, callback, steady in wanted:
            clock = self.steady_clock if steady else self.control_clock
            self._timers_running.append(self.create_timer(period, callback, clock=clock))

    def _stop_timers(self) -> None:
        self._destroy(self._timers_running)
        self._timers_running.clear()

    # Entities -------------------------------------------------------------------------------------------------------

    def _entities(self) -> set[Any]:
        actions = (one for one in self.waitables if isinstance(one, ActionServer | ActionClient))
        return {*self.publishers, *self.subscriptions, *self.services, *self.clients, *self.timers, *actions}

    def _destroy(self, entities: Iterable[Any]) -> None:
        """Destroy entities of this node; those that are destroyed already are passed over."""
        destroyers: dict[type, Callable[[Any], Any]] = {
            Timer: self.destroy_timer,
            Subscription: self.destroy_subscription,
            Service: self.destroy_service,
            Client: self.destroy_client,
            Publisher: self.destroy_publisher,
        }
        present = self._entities()
        for entity in [one for one in entities if one in present]:
            destroy = next((do for kind, do in destroyers.items() if isinstance(entity, kind)), None)
            try:
                destroy(entity) if destroy else entity.destroy()
            except Exception as error:  # the others are still to go
                self.callbacks.failed("undo", error)
