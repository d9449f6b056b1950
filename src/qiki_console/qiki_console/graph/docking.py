"""A body's docking node: its state, its ports, its services and its action."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rclpy.action import ActionClient

from qiki_console.graph import messages
from qiki_console.graph.discovery import require_body
from qiki_console.graph.task_clock import TaskClock
from qiki_console.model.docking import Feedback, phase_name
from qiki_msgs.action import Dock
from qiki_msgs.msg import DockingState
from qiki_node.errors import CommandError, RefusedError, UnknownNameError, UnreachableError, up_hint
from qiki_node.qos import STATE
from qiki_node.run_file import keep_ports
from qiki_node.service_type import Answer, ServiceType
from qiki_node.session import Session
from qiki_node.stamps import seconds

Q = TypeVar("Q")
A = TypeVar("A", bound=Answer)

_CANCEL = 10.0
"""s of wall time in which a cancel has to be answered."""

_LOOK = 0.25
"""s of wall time between two looks at the limit."""


class DockingWatch:
    """The newest state of a body's docking.

    Raises:
        UnknownNameError, UnreachableError: the body is not there, or its docking is silent.
    """

    def __init__(self, session: Session, body: str) -> None:
        require_body(session, body)
        self._session = session
        self._body = body
        self._newest: DockingState | None = None
        topic = f"/{body}/docking"
        session.subscribe(DockingState, topic, self._receive, STATE)
        if not session.wait_for(lambda: self._newest is not None, session.discovery):
            hint = "qiki status shows which nodes are there and active"
            raise UnreachableError(f"{topic} is silent: is the docking node of {body} active?", hint=hint)
        keep_ports(body, self.ports)

    def _receive(self, message: DockingState) -> None:
        self._newest = message

    @property
    def newest(self) -> DockingState:
        """The newest message."""
        assert self._newest is not None  # waited for
        return self._newest

    @property
    def ports(self) -> list[str]:
        """Names of the offered ports."""
        return [offer.port for offer in self.newest.offers]

    def wait_until_free(
        self, port: str, *, since: float, expired: Callable[[], str], on_step: Callable[[str], None]
    ) -> None:
        """Wait until an own port (empty: that of the own docking) is free.

        Args:
            port: name.
            since: s; earlier messages do not count.
            expired: gives the reason for which the wait has to end, empty as long as there is none.
            on_step: takes each new phase and step.

        Raises:
            CommandError: the docking ended in FAULT, or the wait had to end.
        """
        shown = ""
        while True:
            state = self._session.between_callbacks(lambda: self.newest)
            fresh, reason = seconds(state.header.stamp) >= since, expired()
            step = f"{phase_name(state.phase)} {state.step}".strip()
            if reason:
                why = f"it is in {step}: {state.text}" if fresh else "its docking node is silent"
                raise CommandError(f"{self._body}: {reason}: {why}")
            # Of the own docking the phase shows the end; of one by a partner, the port that nobody holds.
            own = state.own_port in ("", port) or not port
            if fresh and own and state.phase == DockingState.FAULT:
                raise CommandError(f"{self._body}: FAULT, {state.reason} {state.text}", "undock again, or release")
            held = any(offer.holder for offer in state.offers if offer.port == port)
            if fresh and (state.phase == DockingState.FREE if own else not held):
                return
            if fresh and own and step != shown:
                shown = step
                on_step(step)
            self._session.wait_for(lambda state=state: self.newest is not state, _LOOK)  # type: ignore[misc]


def port_of(body: str, wanted: str, offered: Sequence[str]) -> str:
    """Name of a port that is given by its name, or by its number among the offered ones, from 1.

    Raises:
        UnknownNameError: there is no such port; names those that there are.
    """
    if wanted in offered:
        return wanted
    if len(wanted) < 4 and wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= len(offered):
        return offered[int(wanted) - 1]
    raise UnknownNameError(f"port of {body}", wanted, offered, f"a number from 1 to {len(offered)} is allowed too")


def call(session: Session, kind: ServiceType[Q, A], body: str, service: str, request: Q) -> A:
    """Response of a service of a body's docking node. A request is sent once: a second one might be another order.

    Raises:
        RefusedError: it was refused.
        UnreachableError: the service is not there, or does not answer in time.
    """
    require_body(session, body)
    answer = session.call(kind, f"/{body}/docking/{service}", request)
    if not answer.success:
        raise RefusedError(answer.message or f"{body} refuses {service} and gives no reason")
    return answer


class Docking:
    """One goal of the action Dock.

    Args:
        session: to send it with.
        bot: that docks.
        on_feedback: takes each progress, in the session's thread.
    """

    def __init__(self, session: Session, bot: str, on_feedback: Callable[[Feedback], None]) -> None:
        self._session = session
        self._bot = bot
        self._on_feedback = on_feedback
        self._client = ActionClient(session.node, Dock, f"/{bot}/docking/dock")
        self._goal: Any = None
        self._follows = False
        self._result: Any = None

    def begin(self, goal: Dock.Goal) -> None:
        """Send the goal; returns once it is accepted.

        Raises:
            RefusedError: it was refused.
            UnreachableError: the action is not there, or does not answer in time.
        """
        session = self._session
        if not session.wait_for(self._client.server_is_ready, session.discovery):
            raise UnreachableError(f"action /{self._bot}/docking/dock is not there", hint=up_hint())
        sent = self._client.send_goal_async(goal, feedback_callback=self._feedback)
        interrupted = False
        try:
            answered = session.wait_for(sent.done, session.discovery)
        except KeyboardInterrupt:
            # The order is on its way: without its answer it could not be cancelled.
            interrupted, answered = True, session.wait_for(sent.done, _CANCEL)
        if not answered:
            raise UnreachableError(f"/{self._bot}/docking does not answer; whether it docks is not known")
        self._goal = sent.result()
        if interrupted:
            if self._goal.accepted:
                self.cancel()
            raise CommandError(f"{self._bot}: interrupted, the order was cancelled at once")
        if not self._goal.accepted:
            hint = "qiki events query --type docking.refused shows the reason"
            raise RefusedError(f"{self._bot}: the docking node refuses the order", hint)
        self._result = self._goal.get_result_async()

    def is_under_way(self) -> bool:
        """Wait until the docking node shows that it docks (True), or ends the goal, such as by a refusal (False).

        It refuses an order by the goal's result: that a goal is accepted says that it was received.

        Raises:
            UnreachableError: it shows neither.
        """
        if not self._session.wait_for(lambda: self._follows or self._result.done(), _CANCEL):
            raise UnreachableError(f"/{self._bot}/docking is silent; whether it docks is not known")
        return not self._result.done()

    def end(self, expired: Callable[[], str]) -> Dock.Result | None:
        """Wait for the result; None as soon as `expired` gives a reason.

        Raises:
            UnreachableError: the docking node has gone.
        """
        while not self._session.wait_for(self._result.done, _LOOK):
            if expired():
                return None
            if not self._client.server_is_ready():
                hint = "qiki status shows what is alive; restarted, it resumes or aborts by its sensors"
                raise UnreachableError(f"/{self._bot}/docking has gone: the outcome is not known", hint=hint)
        result: Dock.Result = self._result.result().result
        return result

    def cancel(self) -> bool:
        """Order the ABORT; False if the docking had ended already.

        Raises:
            CommandError: the cancel is not answered.
        """
        answer = self._goal.cancel_goal_async()
        if not self._session.wait_for(answer.done, _CANCEL):
            raise CommandError(f"{self._bot}: the cancel is not answered within {_CANCEL:g} s; it may go on docking")
        return bool(answer.result().goals_canceling)

    def _feedback(self, message: Any) -> None:
        self._follows = True
        self._on_feedback(messages.feedback(message.feedback))


def limit(clock: TaskClock, timeout: float | None) -> Callable[[], str]:
    """Gives the reason for which a wait has to end, empty as long as there is none. It begins now (s)."""
    begun, restarts = clock.now(), clock.restarts

    def reason() -> str:
        if clock.restarts != restarts:
            return "simulated time jumped back (reset?)"
        if timeout is not None and clock.now() - begun > timeout:
            return f"not done within {timeout:g} s"
        return ""

    return reason
