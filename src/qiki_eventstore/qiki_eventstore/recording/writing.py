"""Writing of one MCAP file, as rosbag2 writes it."""

from collections.abc import Callable, Mapping
from typing import IO, Final

from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import Writer

from qiki_eventstore.files import sync
from qiki_eventstore.recording.offers import Offer, to_text
from qiki_eventstore.recording.sample import Sample

Define = Callable[[str], str | None]
"""Gives the definition of a message type in `ros2msg`, or None if it is not known."""

OfferOf = Callable[[str], Offer]
"""Gives the facts about a topic; called when its first message of a file is written."""

QOS: Final = "offered_qos_profiles"
TYPE_HASH: Final = "topic_type_hash"


def nothing_known(_topic: str) -> Offer:
    """The offer of a topic of which nothing is known."""
    return Offer()


class McapWriter:
    """Writes samples to a stream.

    Args:
        stream: binary and empty.
        define: without a definition, messages are recorded all the same, but a reader needs the type from elsewhere.
        offer_of: for each topic.
    """

    def __init__(self, stream: IO[bytes], define: Define, offer_of: OfferOf = nothing_known) -> None:
        self._stream = stream
        self._define = define
        self._offer_of = offer_of
        self._writer = Writer(stream)
        self._writer.start(profile=Profile.ROS2, library="qiki_eventstore")
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._sequence: dict[int, int] = {}
        self._pending = False

    def write(self, sample: Sample) -> None:
        """Add a sample to the chunk."""
        channel = self._channel(sample.topic, sample.type)
        self._sequence[channel] = sequence = self._sequence.get(channel, 0) + 1
        self._writer.add_message(channel, sample.time, sample.data, sample.time, sequence & 0xFFFFFFFF)
        self._pending = True

    def note(self, name: str, values: Mapping[str, str]) -> None:
        """Add a metadata record."""
        self._writer.add_metadata(name, dict(values))
        self._pending = True

    def flush(self) -> None:
        """End the chunk and make it durable: samples written so far survive kill -9 and a power cut."""
        if self._pending:
            self._writer.flush()  # type: ignore[no-untyped-call]
            sync(self._stream)
            self._pending = False

    def finish(self) -> None:
        """Write the index and make all durable; the stream stays open."""
        self._writer.finish()  # type: ignore[no-untyped-call]
        sync(self._stream)

    def _channel(self, topic: str, type_name: str) -> int:
        key = (topic, type_name)
        if key not in self._channels:
            offer = self._offer_of(topic)
            facts = {QOS: to_text(offer.profiles), TYPE_HASH: offer.type_hash}
            schema = self._schema(type_name)
            self._channels[key] = self._writer.register_channel(topic, MessageEncoding.CDR, schema, facts)
        return self._channels[key]

    def _schema(self, type_name: str) -> int:
        if type_name not in self._schemas:
            text = self._define(type_name)
            encoding = SchemaEncoding.SelfDescribing if text is None else SchemaEncoding.ROS2
            self._schemas[type_name] = self._writer.register_schema(type_name, encoding, (text or "").encode())
        return self._schemas[type_name]
