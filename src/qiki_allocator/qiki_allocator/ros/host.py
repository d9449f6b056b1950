"""The node as its adapters see it."""

from collections.abc import Callable
from typing import Any, Protocol

from rclpy.qos import QoSProfile

from qiki_allocator.flight.controller import Controller
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_node.control_time import ControlTime
from qiki_node.log import NodeLog


class Host(Protocol):
    """A managed node with a controller. Messages, entities and the executor are rclpy's, which has no types.

    Attributes:
        log: the node's.
        hull_radius: m, of the sphere around the hull.
        executor: runs the node.
        time: of control.
    """

    log: NodeLog
    hull_radius: float
    executor: Any
    time: ControlTime

    @property
    def controller(self) -> Controller:
        """The core that takes commands: that of the assembly that this body leads, else its own."""

    @property
    def own(self) -> Controller:
        """The core of this body alone."""

    @property
    def is_active(self) -> bool:
        """True while the node is in the state ACTIVE."""

    @property
    def clock_runs(self) -> bool:
        """False while the clock shows 0."""

    def check_clock(self) -> None:
        """Refuse to fly before the clock runs.

        Raises:
            RefusalError: the clock shows 0.
        """

    def check_frame(self, frame: str) -> None:
        """Refuse values in another frame than base_link.

        Raises:
            RefusalError: naming the field, the frame and those allowed.
        """

    def seconds(self) -> float:
        """s of control time, now."""

    def act(self, command: ValveCommand | None) -> None:
        """Send a valve command, if any, publish occurrences, and start the control cycle if needed."""

    def act_own(self, command: ValveCommand | None) -> None:
        """The same for a command of the own core."""

    def report(self) -> None:
        """Publish the occurrences since the last call."""

    def wake(self) -> None:
        """Start the control cycle if needed."""

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, /) -> Any:
        """See `rclpy.node.Node`."""

    def create_lifecycle_publisher(self, kind: type, topic: str, qos: QoSProfile, /) -> Any:
        """See `rclpy.lifecycle.LifecycleNode`."""

    def create_publisher(self, kind: type, topic: str, qos: QoSProfile, /) -> Any:
        """See `rclpy.node.Node`."""

    def destroy_publisher(self, publisher: Any, /) -> Any:
        """See `rclpy.node.Node`."""

    def destroy_subscription(self, subscription: Any, /) -> Any:
        """See `rclpy.node.Node`."""

    def get_clock(self) -> Any:
        """See `rclpy.node.Node`."""

    def add_timer(self, period: float, callback: Callable[[], None]) -> None:
        """See `qiki_node.managed_node`."""

    def create_service(self, kind: type, name: str, callback: Callable[[Any, Any], Any], /) -> Any:
        """See `rclpy.node.Node`."""
