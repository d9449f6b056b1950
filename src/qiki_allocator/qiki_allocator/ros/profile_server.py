"""The action `execute_thrust_profile`, served by the allocator's controller."""

import math
from dataclasses import dataclass
from typing import Any

from rclpy.action import CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle

from qiki_allocator.checks import RefusalError, refusing
from qiki_allocator.flight.profile import Outcome
from qiki_allocator.flight.segments import Segment
from qiki_allocator.ros import conversions
from qiki_allocator.ros.host import Host
from qiki_events.fields import check_name
from qiki_msgs.action import ExecuteThrustProfile
from qiki_node.prompt_action import PromptActionServer


@dataclass(eq=False)
class _Flight:
    """The goal in flight; `is_canceling`: a cancellation was accepted, which rclpy has yet to note in the goal."""

    goal: ServerGoalHandle
    duration: float
    is_canceling: bool = False


class ProfileServer:
    """Flies the profiles of goals, one at a time. Lives as long as its node, so that a result can be fetched after the
    node was deactivated or cleaned up; a node that is not active rejects goals."""

    def __init__(self, node: Host) -> None:
        self._node = node
        self._flight: _Flight | None = None
        self._server = PromptActionServer(  # type: ignore[no-untyped-call]
            node,
            ExecuteThrustProfile,
            "~/execute_thrust_profile",
            execute_callback=lambda _: None,
            goal_callback=lambda _: GoalResponse.ACCEPT if node.is_active else GoalResponse.REJECT,
            handle_accepted_callback=self._start,
            cancel_callback=self._cancel,
        )

    def publish_feedback(self) -> None:
        """Publish the progress of the goal in flight, if there is one."""
        flight, result = self._flight, self._node.controller.profile.result
        if flight is not None and result is not None:
            feedback = ExecuteThrustProfile.Feedback()
            conversions.fill_progress(feedback, result, flight.duration)
            flight.goal.publish_feedback(feedback)

    def follow(self) -> None:
        """End the goal in flight if its profile has ended."""
        flight = self._flight
        if flight is None or self._node.controller.profile.is_on:
            return
        if flight.is_canceling and not flight.goal.is_cancel_requested:
            return
        result = self._node.controller.profile.result
        self._flight = None
        assert result is not None
        if result.outcome is Outcome.EXECUTED:
            flight.goal.succeed()
        elif result.outcome is Outcome.CANCELED and flight.goal.is_cancel_requested:
            flight.goal.canceled()
        else:
            flight.goal.abort()
        self._server.finish(flight.goal, conversions.profile_result(result))

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        flight = self._flight
        if flight is None or flight.goal != goal:
            return CancelResponse.REJECT
        flight.is_canceling = True
        # The valves close here. The goal ends once rclpy has noted the cancellation, right after this callback.
        try:
            self._node.act(self._node.controller.cancel_profile(self._node.seconds()))
        except Exception:
            flight.is_canceling = False  # rclpy notes no cancellation: the goal ends with its profile
            raise
        self._node.executor.create_task(self.follow)
        return CancelResponse.ACCEPT

    def _start(self, goal: ServerGoalHandle) -> None:
        self.follow()
        goal.execute()
        request = goal.request
        name = bytes(goal.goal_id.uuid).hex()[:12]
        try:
            self._node.check_clock()
            if request.command_id:
                with refusing():
                    check_name("command_id", request.command_id)
                name = request.command_id
            segments = self._segments(request.segments)
            self._node.controller.start_profile(self._node.seconds(), segments, name, request.modulator)
        except Exception as error:
            self._refuse(goal, name, error)
            if not isinstance(error, RefusalError):
                raise
            return
        self._flight = _Flight(goal, math.fsum(segment.duration for segment in segments))
        self._node.act(None)

    def _refuse(self, goal: ServerGoalHandle, name: str, error: Exception) -> None:
        result = ExecuteThrustProfile.Result
        outcome = result.REJECTED if isinstance(error, RefusalError) else result.FAILED
        goal.abort()
        self._server.finish(goal, result(outcome=outcome, reason=str(error)))
        request = f"execute_thrust_profile {name}"
        self._node.controller.journal.request_refused(self._node.seconds(), request, str(error))
        self._node.report()

    def _segments(self, messages: Any) -> list[Segment]:
        segments = []
        for i, message in enumerate(messages):
            try:
                wrench = self._wrench(message)
            except RefusalError as error:
                raise RefusalError(f"segments[{i}].{error}") from None
            # Seconds and shares come as 32 bit: as they were meant, not as they were stored.
            level, ramp, duration = (round(float(v), 6) for v in (message.level, message.ramp, message.duration))
            segments.append(Segment(wrench, level, ramp, duration))
        return segments

    def _wrench(self, message: Any) -> Any:
        if not message.group:
            self._node.check_frame(message.header.frame_id)
            return conversions.from_wrench(message.wrench)
        return self._node.controller.wrench_of_group(message.group)
