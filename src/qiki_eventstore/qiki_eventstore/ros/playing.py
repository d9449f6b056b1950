"""Publishing a recording: the very bytes that were recorded, on the topics they came from."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.recording.offers import widest
from qiki_eventstore.recording.sample import RecordingError, Sample
from qiki_eventstore.recording.summary import TopicSummary
from qiki_node.message_classes import UnknownTypeError, message_class
from qiki_node.session import Session

_DISCOVERY = 1.0
"""s for those who listen to find the publishers, and for publishers that are there already to be found."""
_PATIENCE = 30.0
"""s that listeners are waited for."""
_DELIVERY = Duration(seconds=5)

_DEPTH = 100
_UNHEARD = _DEPTH // 2
"""Messages of a topic after which reliable listeners are waited for, so that none leaves the history unheard."""


class Player:
    """A context manager; publishes on topics, in the quality of service of those that were recorded.

    Where that of a topic is not recorded, it is reliable; where it differed, the strongest of each policy, so that each
    subscription that received a message then receives it now.

    Args:
        topics: by name.
        listeners: on each topic that are waited for; who is not there by then may miss the beginning.

    Raises (on entering):
        RecordingError: a type is not that of an installed message; names topic and type.
        ValueError: somebody publishes on a topic already; names it.
        StoreUnavailable: the listeners did not come; names the topic.
    """

    def __init__(self, topics: Mapping[str, TopicSummary], listeners: int = 0) -> None:
        self._listeners = listeners
        self._classes: dict[str, Any] = {}
        for name, topic in topics.items():
            try:
                self._classes[name] = message_class(topic.type)
            except UnknownTypeError as error:
                raise RecordingError(f"topic {name}: {topic.type!r} is no message type that is installed") from error
        self._offered = {name: _offer(topic) for name, topic in topics.items()}
        self._counts = dict.fromkeys(topics, 0)
        self._session = Session("events")

    def __enter__(self) -> Callable[[Sample], None]:
        self._session.__enter__()
        try:
            node = self._session.node
            self._publishers = {
                topic: node.create_publisher(kind, topic, self._offered[topic]) for topic, kind in self._classes.items()
            }
            self._wait_for_listeners()
            time.sleep(_DISCOVERY)
            taken = [topic for topic in self._publishers if node.count_publishers(topic) > 1]
            if taken:
                raise ValueError(f"topic {', '.join(taken)}: somebody publishes there already")
        except BaseException:
            self._session.__exit__(None, None, None)
            raise
        return self._publish

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        try:
            if _e is None:
                for publisher in self._publishers.values():
                    publisher.wait_for_all_acked(_DELIVERY)
        finally:
            self._session.__exit__(None, None, None)

    def _wait_for_listeners(self) -> None:
        end = time.monotonic() + _PATIENCE
        for topic, publisher in self._publishers.items():
            while (there := publisher.get_subscription_count()) < self._listeners:
                if time.monotonic() > end:
                    raise StoreUnavailable(f"topic {topic}: {there} of {self._listeners} listeners came")
                time.sleep(0.02)

    def _publish(self, sample: Sample) -> None:
        publisher = self._publishers[sample.topic]
        publisher.publish(sample.data)
        self._counts[sample.topic] += 1
        if self._counts[sample.topic] % _UNHEARD == 0:
            publisher.wait_for_all_acked(_DELIVERY)


def _offer(topic: TopicSummary) -> QoSProfile:
    recorded = widest(topic.profiles)
    reliable, latched = recorded.reliability == "reliable", recorded.durability == "transient_local"
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        history=HistoryPolicy.KEEP_LAST,
        depth=_DEPTH,
    )
