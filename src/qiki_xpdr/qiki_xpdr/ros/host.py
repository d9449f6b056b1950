"""The node as its adapters see it."""

from collections.abc import Callable
from typing import Any, Protocol

from rclpy.qos import QoSProfile

from qiki_node.log import NodeLog
from qiki_xpdr.guard import GuardTable
from qiki_xpdr.rules import Rules
from qiki_xpdr.transponder import Transponder


class Host(Protocol):
    """A managed node with its cores. Messages and entities are rclpy's, which has no types.

    Attributes:
        bot: name of the own body. log: the node's.
        transponder, guard, rules: of the present configuration.
    """

    bot: str
    log: NodeLog
    transponder: Transponder
    guard: GuardTable
    rules: Rules

    @property
    def is_active(self) -> bool:
        """True while the node is in the state ACTIVE."""

    @property
    def clock_runs(self) -> bool:
        """False while the clock shows 0."""

    def seconds(self) -> float:
        """s of the common clock, now."""

    def ordered(self, kind: str) -> None:
        """Note an accepted order: the "mode" or the "guard" mode before a restart counts no more."""

    def report(self, command_id: str = "") -> None:
        """Emit the occurrences since the last call, and publish changed states."""

    def emit(self, type: str, payload: dict[str, Any], command_id: str = "") -> None:
        """Emit an event of an order."""

    def create_service(self, kind: type, name: str, callback: Callable[[Any, Any], Any], /) -> Any:
        """See `rclpy.node.Node`."""

    def add_timer(self, period: float, callback: Callable[[], None], /) -> None:
        """Call back every `period` s while the node is active."""

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        """See `rclpy.node.Node`."""

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, /) -> Any:
        """See `rclpy.node.Node`."""

    def create_lifecycle_publisher(self, kind: type, topic: str, qos: QoSProfile, /) -> Any:
        """See `rclpy.lifecycle.LifecycleNode`."""
