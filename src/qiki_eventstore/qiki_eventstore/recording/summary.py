"""Contents of one recorded file."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcap.records import Channel, Schema
from mcap.summary import Summary as Index

from qiki_eventstore.recording.offers import Offer, QosProfile, of_text
from qiki_eventstore.recording.reading import messages_of, read_index, read_records
from qiki_eventstore.recording.writing import QOS, TYPE_HASH


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """A topic of a recording.

    Attributes:
        type: such as `nav_msgs/msg/Odometry`.
        count: messages.
        offer: of the publishers that were there when its first message was recorded; in every file the same.
        late: further profiles, of publishers that came later.
    """

    type: str
    count: int
    offer: Offer = field(default_factory=Offer)
    late: tuple[QosProfile, ...] = ()

    @property
    def profiles(self) -> tuple[QosProfile, ...]:
        """The profiles of all its publishers."""
        return (*self.offer.profiles, *self.late)

    def joined(self, other: "TopicSummary") -> "TopicSummary":
        """The topic in two files."""
        offer = self.offer.joined(other.offer)
        late = (one for one in dict.fromkeys((*self.late, *other.late)) if one not in offer.profiles)
        return TopicSummary(self.type, self.count + other.count, offer, tuple(late))


@dataclass(frozen=True, slots=True)
class Summary:
    """Contents of a recording.

    Attributes:
        topics: by name.
        start: earliest time, ns; None if it is empty.
        end: latest time, ns; None if it is empty.
        finished: its writer closed it; if not, the messages after the last whole chunk are lost.
    """

    topics: Mapping[str, TopicSummary]
    start: int | None
    end: int | None
    finished: bool

    @property
    def messages(self) -> int:
        """Messages of all topics."""
        return sum(topic.count for topic in self.topics.values())


def summarise(path: Path) -> Summary:
    """Contents of a recording; reads the whole of a file that has no index.

    Raises:
        RecordingError: as `read_samples`.
    """
    index = read_index(path)
    if index is not None and index.statistics is not None:
        return _of_index(index)
    channels: dict[int, tuple[Schema | None, Channel]] = {}
    counts: Counter[int] = Counter()
    start = end = None
    for schema, channel, message in messages_of(read_records(path)):
        channels[channel.id] = schema, channel
        counts[channel.id] += 1
        start = message.log_time if start is None else min(start, message.log_time)
        end = message.log_time if end is None else max(end, message.log_time)
    topics = _by_topic((schema, channel, counts[number]) for number, (schema, channel) in channels.items())
    return Summary(topics, start, end, index is not None)


def _of_index(index: Index) -> Summary:
    statistics = index.statistics
    assert statistics is not None
    counts = statistics.channel_message_counts
    topics = _by_topic(
        (index.schemas.get(channel.schema_id), channel, counts.get(number, 0))
        for number, channel in index.channels.items()
    )
    empty = statistics.message_count == 0
    return Summary(
        topics,
        None if empty else statistics.message_start_time,
        None if empty else statistics.message_end_time,
        finished=True,
    )


def _by_topic(channels: Iterable[tuple[Schema | None, Channel, int]]) -> dict[str, TopicSummary]:
    topics: dict[str, TopicSummary] = {}
    for schema, channel, count in channels:
        offer = Offer(of_text(channel.metadata.get(QOS, "")), channel.metadata.get(TYPE_HASH, ""))
        found = TopicSummary(schema.name if schema else "", count, offer)
        known = topics.get(channel.topic)
        topics[channel.topic] = known.joined(found) if known else found
    return dict(sorted(topics.items()))
