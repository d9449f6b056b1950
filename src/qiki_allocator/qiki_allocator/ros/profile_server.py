"""The action `execute_thrust_profile`, served by the allocator's controller."""

from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from qiki_allocator.flight.profile import Outcome, Segment
from qiki_allocator.ros import conversions
from qiki_allocator.ros.host import Host
from qiki_msgs.action import ExecuteThrustProfile


class ProfileServer:
    """Flies the profiles of goals, one at a time."""

    def __init__(self, node: Host) -> None:
        self._node = node
        self._goal: ServerGoalHandle | None = None
        self._done: Future | None = None
        self._duration = 1.0
        self._server = ActionServer(
            node,
            ExecuteThrustProfile,
            "~/execute_thrust_profile",
            execute_callback=self._execute,
            goal_callback=lambda _: GoalResponse.ACCEPT if node.is_active else GoalResponse.REJECT,
            cancel_callback=self._cancel,
        )

    def close(self) -> None:
        """Destroy the server."""
        self._server.destroy()

    def follow(self) -> None:
        """Publish feedback, or the result when there is one."""
        goal, done = self._goal, self._done
        if goal is None or done is None or done.done():
            return
        result = self._node.controller.profile.result
        if result is None:
            return
        feedback = ExecuteThrustProfile.Feedback()
        conversions.fill_progress(feedback, result, self._duration)
        goal.publish_feedback(feedback)
        if not self._node.controller.profile.is_on:
            done.set_result(result)

    def _cancel(self, _goal: ServerGoalHandle) -> CancelResponse:
        # The valves close here, and not when the goal's coroutine gets its turn.
        self._node.act(self._node.controller.cancel_profile(self._node.seconds()))
        return CancelResponse.ACCEPT

    async def _execute(self, goal: ServerGoalHandle) -> Any:
        request = goal.request
        name = request.command_id or bytes(goal.goal_id.uuid).hex()[:12]
        try:
            segments = self._segments(request.segments)
            self._node.controller.start_profile(self._node.seconds(), segments, name)
        except ValueError as error:
            request = f"execute_thrust_profile {name}"
            self._node.controller.journal.request_refused(self._node.seconds(), request, str(error))
            self._node.report()
            goal.abort()
            return ExecuteThrustProfile.Result(outcome=ExecuteThrustProfile.Result.REJECTED, reason=str(error))
        self._goal, self._done = goal, Future(executor=self._node.executor)
        self._duration = sum(segment.duration for segment in segments)
        self._node.act(None)
        result = await self._done
        self._goal = self._done = None
        if result.outcome is Outcome.EXECUTED:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return conversions.profile_result(result)

    def _segments(self, messages: Any) -> list[Segment]:
        segments = []
        for i, message in enumerate(messages):
            if message.group:
                try:
                    wrench = self._node.controller.drive.find_group(message.group).wrench
                except ValueError as error:
                    raise ValueError(f"segments[{i}].{error}") from None
            else:
                try:
                    self._node.check_frame(message.header.frame_id)
                except ValueError as error:
                    raise ValueError(f"segments[{i}].{error}") from None
                wrench = conversions.from_wrench(message.wrench)
            # Seconds and shares come as 32 bit: as they were meant, not as they were stored.
            level, ramp, duration = (round(float(v), 6) for v in (message.level, message.ramp, message.duration))
            segments.append(Segment(wrench, level, ramp, duration))
        return segments
