"""Subscriptions of a recorder: to every publisher of every wanted topic, whenever it comes, as it offers."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from qiki_eventstore.recording.echoes import Echoes
from qiki_eventstore.recording.offers import Offer, QosProfile
from qiki_node.message_classes import UnknownTypeError, message_class

if TYPE_CHECKING:
    from rclpy.subscription import Subscription

Take = Callable[[str, str, bytes], None]
"""Takes topic, type and the serialized message."""

Problem = Callable[[str, str, str], None]
"""Takes topic, type and the reason why messages of this type on it are not recorded."""

_WINDOW: Final = 256
"""Messages of a topic that are remembered at least."""


class RecordedTopics:
    """Subscribes to topics.

    A subscription receives from publishers that offer what it requests, or more. So there is one for each combination
    of reliability and durability that is offered on a topic: none is recorded less reliably because another publisher,
    perhaps a late one, offers less. Copies that come through a second subscription are left out.

    A topic has the type of the publisher that was found first; the middleware takes no second one in a process.

    Args:
        node: that subscribes.
        depth: of each subscription.
        take: for each message.
        problem: called once for each topic and type that is not recorded.

    Attributes:
        unrecorded: types that are not recorded, by topic.
    """

    def __init__(self, node: Node, depth: int, take: Take, problem: Problem) -> None:
        self._node, self._depth, self._take, self._problem = node, depth, take, problem
        self._topics: dict[str, _Topic] = {}
        self.unrecorded: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._topics)

    @property
    def mixed(self) -> list[str]:
        """Topics whose publishers offer different quality of service."""
        return sorted(name for name, topic in self._topics.items() if len(topic.subscriptions) > 1)

    def offer_of(self, topic: str) -> Offer:
        """Facts about a topic; any thread may ask."""
        found = self._topics.get(topic)
        return found.offer if found else Offer()

    def look(self, is_wanted: Callable[[str], bool]) -> None:
        """Subscribe to what is new on the graph."""
        for topic, _ in self._node.get_topic_names_and_types():
            if is_wanted(topic):
                for publisher in self._node.get_publishers_info_by_topic(topic):
                    self._meet(topic, publisher)

    def close(self) -> None:
        """Destroy the subscriptions."""
        for topic in self._topics.values():
            for subscription in topic.subscriptions.values():
                self._node.destroy_subscription(subscription)
        self._topics.clear()
        self.unrecorded.clear()

    def _meet(self, topic: str, publisher: Any) -> None:
        type_name = publisher.topic_type
        if type_name in self.unrecorded.get(topic, ()):
            return
        found = self._topics.get(topic)
        if found is not None and found.type != type_name:
            self._leave_out(topic, type_name, f"the topic is recorded as {found.type}")
            return
        try:
            known = found or _Topic(type_name, message_class(type_name), Echoes(max(_WINDOW, 2 * self._depth)))
            self._subscribe(topic, known, publisher.qos_profile)
        except UnknownTypeError as error:
            self._leave_out(topic, type_name, str(error))
            return
        except (RuntimeError, InvalidTopicNameException) as error:  # of the middleware
            self._leave_out(topic, type_name, f"cannot be subscribed to: {error}")
            return
        known.offer = known.offer.joined(Offer((profile_of(publisher.qos_profile),), str(publisher.topic_type_hash)))
        self._topics[topic] = known

    def _subscribe(self, topic: str, known: "_Topic", offered: QoSProfile) -> None:
        requested = _request(offered, self._depth)
        way = requested.reliability, requested.durability
        if way in known.subscriptions:
            return
        number = len(known.subscriptions)
        latched = requested.durability == DurabilityPolicy.TRANSIENT_LOCAL

        def take(data: bytes) -> None:
            if known.echoes.is_new(number, data, time.monotonic(), latched=latched):
                self._take(topic, known.type, data)

        known.subscriptions[way] = self._node.create_subscription(known.kind, topic, take, requested, raw=True)

    def _leave_out(self, topic: str, type_name: str, reason: str) -> None:
        self.unrecorded.setdefault(topic, set()).add(type_name)
        self._problem(topic, type_name, reason)


class _Topic:
    """The facts about a topic."""

    def __init__(self, type_name: str, kind: Any, echoes: Echoes) -> None:
        self.type, self.kind, self.echoes = type_name, kind, echoes
        self.offer = Offer()
        self.subscriptions: dict[tuple[ReliabilityPolicy, DurabilityPolicy], Subscription] = {}


def profile_of(qos: QoSProfile) -> QosProfile:
    """A profile of rclpy as a value."""
    return QosProfile(
        history=qos.history.name.lower(),
        depth=qos.depth,
        reliability=qos.reliability.name.lower(),
        durability=qos.durability.name.lower(),
        deadline=qos.deadline.nanoseconds,
        lifespan=qos.lifespan.nanoseconds,
        liveliness=qos.liveliness.name.lower(),
        liveliness_lease_duration=qos.liveliness_lease_duration.nanoseconds,
    )


def _request(offered: QoSProfile, depth: int) -> QoSProfile:
    """The most that a publisher serves."""
    reliable = offered.reliability == ReliabilityPolicy.RELIABLE
    latched = offered.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
