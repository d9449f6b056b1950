"""The action `dock`, served by the docking core."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle

from qiki_docking.exchange import DockState
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.ros.exchange_messages import PHASES
from qiki_docking.ros.host import Host, NotReadyError
from qiki_docking.values import Answer, Profile
from qiki_events.fields import check_name
from qiki_msgs.action import Dock
from qiki_node.prompt_action import PromptActionServer

_OUTCOMES: Final = {
    "EXECUTED": Dock.Result.EXECUTED,
    "FAILED": Dock.Result.FAILED,
    "TIMEOUT": Dock.Result.TIMEOUT,
    "CANCELED": Dock.Result.CANCELED,
}


@dataclass(eq=False)
class _Docking:
    """The goal in progress; `is_canceling`: a cancellation was accepted, which rclpy has yet to note in the goal."""

    goal: ServerGoalHandle
    since: float
    docking_id: str
    command_id: str
    is_canceling: bool = False
    report: Mapping[str, Any] | None = None


@dataclass(eq=False)
class _Waiting:
    """A goal that came without valid navigation. until: s, when it is refused; canceled: by its client."""

    goal: ServerGoalHandle
    command_id: str
    until: float
    canceled: bool = False


class DockServer:
    """Docks by goals, one at a time: a goal while docking is under way is refused as BUSY, and the first goes on.

    A goal that finds no valid navigation waits for it, `patience` s. The server lives as long as its node, so that a
    result can be fetched later; a node that is not active rejects goals.
    """

    def __init__(self, node: Host) -> None:
        self._node = node
        self.patience = 0.0
        self._docking: _Docking | None = None
        self._waiting: _Waiting | None = None
        self._server = PromptActionServer(  # type: ignore[no-untyped-call]
            node,
            Dock,
            "~/dock",
            execute_callback=lambda _: None,
            goal_callback=lambda _: GoalResponse.ACCEPT if node.is_active else GoalResponse.REJECT,
            handle_accepted_callback=self._start,
            cancel_callback=self._cancel,
        )

    def ended(self, report: Mapping[str, Any]) -> None:
        """Take the payload of a `docking.ended`."""
        docking = self._docking
        if docking is not None and docking.report is None and report["docking_id"] == docking.docking_id:
            docking.report = report

    def follow(self, state: DockState) -> None:
        """Try a waiting goal again, publish feedback, or end the goal whose docking has ended."""
        if self._waiting is not None:
            self._try_again(self._waiting)
        docking = self._docking
        if docking is None or (docking.is_canceling and not docking.goal.is_cancel_requested):
            return
        if docking.report is None:
            docking.goal.publish_feedback(_feedback(state))
            return
        report, self._docking = docking.report, None
        outcome = _OUTCOMES[report["outcome"]]
        if outcome == Dock.Result.EXECUTED:
            docking.goal.succeed()
        elif outcome == Dock.Result.CANCELED and docking.goal.is_cancel_requested:
            docking.goal.canceled()
        else:
            docking.goal.abort()
        result = Dock.Result(
            outcome=outcome,
            code=report["code"],
            reason=report["text"],
            docking_id=docking.docking_id,
            phase=PHASES[Phase(report["phase"])],
            tries=min(report["tries"], 255),
            elapsed=max(self._node.seconds() - docking.since, 0.0),
        )
        self._server.finish(docking.goal, result)

    def drop(self, reason: str) -> None:
        """End the goal in progress, whose docking is not followed any more."""
        docking, self._docking = self._docking, None
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._answer(waiting.goal, waiting.command_id, Answer(False, Reason.NAVIGATION_INVALID, reason))
        if docking is not None and docking.goal.is_active:
            docking.goal.abort()
            result = Dock.Result(outcome=Dock.Result.FAILED, docking_id=docking.docking_id, reason=reason)
            self._server.finish(docking.goal, result)

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        docking = self._docking
        if self._waiting is not None and self._waiting.goal == goal:
            self._waiting.canceled = True
            return CancelResponse.ACCEPT
        if docking is None or docking.goal != goal:
            return CancelResponse.REJECT
        answer = self._node.core.cancel(self._node.seconds())
        self._node.ordered(docking.command_id, accepted=answer.accepted)
        if not answer.accepted:
            return CancelResponse.REJECT
        docking.is_canceling = True
        return CancelResponse.ACCEPT

    def _start(self, goal: ServerGoalHandle) -> None:
        goal.execute()
        command_id = goal.request.command_id or bytes(goal.goal_id.uuid).hex()[:12]
        if self._waiting is not None:
            text = f"{Reason.BUSY.meaning}: it waits for valid navigation"
            self._answer(goal, command_id, Answer(False, Reason.BUSY, text))
            return
        answer = self._order(command_id, goal.request, patient=self.patience > 0.0)
        if answer.reason is Reason.NAVIGATION_INVALID and self.patience > 0.0:
            self._waiting = _Waiting(goal, command_id, self._node.seconds() + self.patience)
        else:
            self._answer(goal, command_id, answer)

    def _try_again(self, waiting: _Waiting) -> None:
        """End of the wait: valid navigation, a cancellation, or the time."""
        now = self._node.seconds()
        if waiting.canceled:
            if waiting.goal.is_cancel_requested:
                self._waiting = None
                waiting.goal.canceled()
                code = int(Reason.CANCELLED)
                result = Dock.Result(outcome=Dock.Result.CANCELED, code=code, reason=Reason.CANCELLED.meaning)
                self._server.finish(waiting.goal, result)
            return
        patient = waiting.until - self.patience <= now < waiting.until
        answer = self._order(waiting.command_id, waiting.goal.request, patient=patient)
        if answer.reason is not Reason.NAVIGATION_INVALID or not patient:
            self._waiting = None
            self._answer(waiting.goal, waiting.command_id, answer)

    def _answer(self, goal: ServerGoalHandle, command_id: str, answer: Answer) -> None:
        """Begin to follow the docking of a goal, or end the goal."""
        if answer.accepted and answer.reason is not Reason.ALREADY_DOCKED:
            self._docking = _Docking(goal, self._node.seconds(), self._node.core.docking_id, command_id)
            self._node.ordered(command_id, accepted=True)
            return
        result = Dock.Result(code=int(answer.reason), reason=answer.text, outcome=Dock.Result.REJECTED)
        if answer.accepted:
            result.outcome, result.phase = Dock.Result.EXECUTED, PHASES[Phase.BRIDGE]
            result.docking_id = self._node.core.docking_id
            goal.succeed()
        else:
            goal.abort()
        self._node.ordered(command_id, accepted=False)
        self._server.finish(goal, result)

    def _order(self, command_id: str, request: Any, *, patient: bool) -> Answer:
        try:
            return self._ordered(command_id, request, patient)
        except NotReadyError as error:
            return Answer(False, Reason.UNCONFIRMED, str(error))
        except ValueError as error:
            return Answer(False, Reason.WRONG_ORDER, str(error))

    def _ordered(self, command_id: str, request: Any, patient: bool) -> Answer:
        check_name("command_id", command_id)
        if request.profile and request.profile not in list(Profile):
            raise ValueError(f"profile: {request.profile!r}; allowed: {', '.join(Profile)}, or empty for FULL")
        if self._docking is not None:
            return Answer(False, Reason.BUSY, f"{Reason.BUSY.meaning}: docking {self._docking.docking_id}")
        profile = Profile(request.profile or "FULL")
        now = self._node.seconds()
        ports = request.partner_port, request.own_port
        return self._node.core.dock(request.partner, *ports, profile, now=now, patient=patient)


def _feedback(state: DockState) -> Dock.Feedback:
    feedback = Dock.Feedback(
        docking_id=state.docking_id,
        phase=PHASES[state.phase],
        step=state.step,
        range=float(state.range),
        closing=float(state.closing),
        checks=list(state.checks),
        tries=min(state.tries, 255),
    )
    feedback.margins = list(state.margins)
    return feedback
