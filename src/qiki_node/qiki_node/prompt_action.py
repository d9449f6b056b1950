"""An action server whose goals begin and end where the node decides, without tasks of the executor."""

from contextlib import suppress
from typing import Any

from rclpy.action import ActionServer
from rclpy.action.server import ServerGoalHandle


class PromptActionServer(ActionServer):
    """An action server whose goals begin in the callback that accepts them and end where `finish` is called.

    rclpy executes a goal, and sends its result, in tasks of the executor: a cancellation can overtake them, and a node
    that ends never runs them.
    """

    def notify_execute(self, goal_handle: ServerGoalHandle, execute_callback: Any) -> None:
        """Overrides rclpy's: there is no task to schedule."""

    def add_future(self, future: Any) -> None:
        """Overrides rclpy's: the executor does not know the future of a result, so that its callbacks run at once."""

    def remove_future(self, future: Any) -> None:
        """Overrides rclpy's, see `add_future`."""

    def finish(self, goal: ServerGoalHandle, result: Any) -> None:
        """Send the result of a goal that has its final state to those who wait for it, and keep it for others."""
        with suppress(StopIteration):  # the coroutine awaits nothing
            self._execute_goal(lambda _: result, goal).send(None)  # type: ignore[no-untyped-call]
