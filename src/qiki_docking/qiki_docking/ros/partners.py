"""Other bodies on the graph: their docking and bridge states, found by the names of their topics."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from rclpy.qos import QoSProfile

from qiki_docking.exchange import BridgeStatus, DockState
from qiki_docking.ros import exchange_messages
from qiki_msgs.msg import BridgeState, DockingState
from qiki_node.control_time import ControlTime
from qiki_node.qos import STATE

_TYPES: Final = {
    "docking": ("qiki_msgs/msg/DockingState", DockingState),
    "bridge": ("qiki_msgs/msg/BridgeState", BridgeState),
}
_MOST: Final = 64
"""Bodies that are followed: names of topics are not under the own control."""


class Host(Protocol):
    """The node as this module sees it."""

    time: ControlTime

    @property
    def clock_runs(self) -> bool:
        """False while the clock shows 0."""

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        """See `rclpy.node.Node`."""

    def create_subscription(self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, /) -> Any:
        """See `rclpy.node.Node`."""


class Partners:
    """Subscriptions to `/<other>/docking` and `/<other>/bridge`; `look` finds new ones, once a second.

    Args:
        body: own name.
        docking, bridge: take what other bodies publish. A message counts as its body's alone under its own name.
        refuse: takes topic and reason of a message that cannot be.
    """

    def __init__(
        self,
        node: Host,
        body: str,
        docking: Callable[[DockState], None],
        bridge: Callable[[BridgeStatus], None],
        refuse: Callable[[str, str], None],
    ) -> None:
        self._node, self._body, self._refuse = node, body, refuse
        self._take: dict[str, Callable[[Any], None]] = {
            "docking": lambda message: docking(exchange_messages.docking_state(message, node.time.ahead)),
            "bridge": lambda message: bridge(exchange_messages.bridge_status(message, node.time.ahead)),
        }
        self._subscriptions: dict[str, Any] = {}

    @property
    def bodies(self) -> tuple[str, ...]:
        """Names of those that are followed."""
        return tuple(sorted({topic.split("/")[1] for topic in self._subscriptions}))

    def look(self) -> None:
        """Subscribe to what has appeared."""
        for topic, types in self._node.get_topic_names_and_types():
            _, body, *rest = topic.split("/")
            kind = rest[0] if len(rest) == 1 else ""
            if body == self._body or kind not in _TYPES or topic in self._subscriptions:
                continue
            name, message = _TYPES[kind]
            if name not in types:
                continue
            if len(self._subscriptions) >= 2 * _MOST:
                self._refuse(kind, f"{topic}: {_MOST} bodies are followed; allowed: {_MOST}")
                continue
            self._subscriptions[topic] = self._node.create_subscription(
                message, topic, partial(self._taken, kind, body), STATE
            )

    def _taken(self, kind: str, body: str, message: Any) -> None:
        if not self._node.clock_runs:
            return
        try:
            if message.body != body:
                raise ValueError(f"body: {message.body!r}; allowed: {body!r}, as the topic's")
            self._take[kind](message)
        except ValueError as error:
            self._refuse(kind, f"/{body}/{kind}: {error}")
