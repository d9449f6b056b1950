"""The node as its adapters see it."""

from collections.abc import Callable
from typing import Any, Protocol

from rclpy.qos import QoSProfile

from qiki_docking.core import DockingCore
from qiki_node.control_time import ControlTime
from qiki_node.log import NodeLog


class Host(Protocol):
    """A managed node with a core. Messages, entities and the executor are rclpy's, which has no types.

    Attributes:
        log: the node's.
        executor: runs the node.
        time: of control.
    """

    log: NodeLog
    executor: Any
    time: ControlTime

    @property
    def core(self) -> DockingCore:
        """The core.

        Raises:
            NotReadyError: there is none yet, or the node is not active.
        """

    @property
    def is_active(self) -> bool:
        """True while the node is in the state ACTIVE."""

    @property
    def clock_runs(self) -> bool:
        """False while the clock shows 0."""

    def seconds(self) -> float:
        """s of control time, now."""

    def ordered(self, command_id: str, *, accepted: bool) -> None:
        """Publish the events of an order; those that follow from an accepted one carry its id too."""

    def create_service(self, kind: type, name: str, callback: Callable[[Any, Any], Any], /) -> Any:
        """See `rclpy.node.Node`."""

    def create_client(self, kind: type, name: str, /) -> Any:
        """See `rclpy.node.Node`."""

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, /) -> Any:
        """See `rclpy.node.Node`."""

    def create_lifecycle_publisher(self, kind: type, topic: str, qos: QoSProfile, /) -> Any:
        """See `rclpy.lifecycle.LifecycleNode`."""


class NotReadyError(RuntimeError):
    """An order comes before the node can take any; the text names the reason."""
