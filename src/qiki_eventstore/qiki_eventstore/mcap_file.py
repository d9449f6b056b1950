"""Recordings of topics as MCAP files that any tool of ROS 2 reads: writing, reading, playing back.

A file that its writer could not finish (kill -9, power cut) is read up to its last whole chunk; `recover` makes a
finished file of it.
"""

import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import MAGIC_SIZE, breakup_chunk, read_magic
from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import Writer

from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.files import new_file, sync

_RECORD: Final = struct.Struct("<BQ")


class RecordingError(EventStoreError):
    """A file that is no recording, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as it came.

    Attributes:
        topic: full name.
        type: such as `nav_msgs/msg/Odometry`.
        data: the message in CDR, as the middleware delivered it.
        time: when it came, ns of the recorder's ROS clock, which may be simulated.
    """

    topic: str
    type: str
    data: bytes
    time: int


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """A topic of a recording: its type and how many messages."""

    type: str
    count: int


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


class McapWriter:
    """Writes samples to a stream.

    Args:
        stream: binary and empty.
        define: gives the definition of a message type in `ros2msg`, or None if it is not known; the messages are
            recorded all the same, but a reader needs the type from elsewhere.
        chunk_size: bytes after which a chunk is closed whether or not `flush` was called.
    """

    def __init__(self, stream: IO[bytes], define: Callable[[str], str | None], chunk_size: int = 1 << 20) -> None:
        self._stream = stream
        self._define = define
        self._writer = Writer(stream, chunk_size=chunk_size)
        self._writer.start(profile=Profile.ROS2, library="qiki_eventstore")
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str], int] = {}
        self._sequence: dict[int, int] = {}

    def write(self, sample: Sample) -> None:
        """Add a sample to the chunk."""
        channel = self._channel(sample.topic, sample.type)
        self._sequence[channel] = sequence = self._sequence.get(channel, 0) + 1
        self._writer.add_message(channel, sample.time, sample.data, sample.time, sequence & 0xFFFFFFFF)

    def flush(self) -> None:
        """End the chunk and make it durable: samples written so far survive kill -9 and a power cut."""
        self._writer.flush()  # type: ignore[no-untyped-call]
        sync(self._stream)

    def finish(self) -> None:
        """Write the index and make all durable; the stream stays open."""
        self._writer.finish()  # type: ignore[no-untyped-call]
        sync(self._stream)

    def _channel(self, topic: str, type_name: str) -> int:
        key = (topic, type_name)
        if key not in self._channels:
            self._channels[key] = self._writer.register_channel(topic, MessageEncoding.CDR, self._schema(type_name))
        return self._channels[key]

    def _schema(self, type_name: str) -> int:
        if type_name not in self._schemas:
            text = self._define(type_name)
            encoding = SchemaEncoding.SelfDescribing if text is None else SchemaEncoding.ROS2
            self._schemas[type_name] = self._writer.register_schema(type_name, encoding, (text or "").encode())
        return self._schemas[type_name]


# Reading ------------------------------------------------------------------------------------------------------------


def read_samples(
    path: Path, *, start: int | None = None, end: int | None = None, topics: Collection[str] = ()
) -> Iterator[Sample]:
    """Samples in the order in which they were recorded, also of a file that was not finished.

    Args:
        path: an MCAP file.
        start: earliest time, ns (inclusive).
        end: latest time, ns (exclusive).
        topics: names; empty for all.

    Raises:
        RecordingError: not an MCAP file, or one whose content was changed.
    """
    for schema, channel, message in _messages(path):
        if topics and channel.topic not in topics:
            continue
        if (start is not None and message.log_time < start) or (end is not None and message.log_time >= end):
            continue
        yield Sample(channel.topic, schema.name if schema else "", message.data, message.log_time)


def summarise(path: Path) -> Summary:
    """Contents of a recording; reads all of it.

    Raises:
        RecordingError: as `read_samples`.
    """
    topics: dict[str, TopicSummary] = {}
    times: list[int] = []
    for sample in read_samples(path):
        count = topics[sample.topic].count if sample.topic in topics else 0
        topics[sample.topic] = TopicSummary(sample.type, count + 1)
        times = [min([*times, sample.time]), max([*times, sample.time])]
    start, end = times or (None, None)
    return Summary(dict(sorted(topics.items())), start, end, _is_finished(path))


def recover(path: Path, target: Path) -> int:
    """Write the whole records of an unfinished file to a new, finished file; how many messages.

    Raises:
        RecordingError: as `read_samples`.
        FileExistsError: the target is there already.
    """
    count = 0
    with new_file(target) as file:
        definitions: dict[str, str | None] = {}
        writer = McapWriter(file, definitions.get)
        for schema, channel, message in _messages(path):
            name = schema.name if schema else ""
            definitions[name] = schema.data.decode() if schema and schema.encoding == SchemaEncoding.ROS2 else None
            writer.write(Sample(channel.topic, name, message.data, message.log_time))
            count += 1
        writer.finish()
    return count


def _messages(path: Path) -> Iterator[tuple[Schema | None, Channel, Message]]:
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    for record in _records(path):
        match record:
            case Schema():
                schemas[record.id] = record
            case Channel():
                channels[record.id] = record
            case Message():
                channel = channels[record.channel_id]
                yield schemas.get(channel.schema_id), channel, record


def _records(path: Path) -> Iterator[McapRecord]:
    """Schemas, channels and messages of the data section, as far as its records are whole."""
    with path.open("rb") as file:
        try:
            read_magic(ReadDataStream(file))
        except (McapError, struct.error) as error:
            raise RecordingError(f"{path}: not an MCAP file") from error
        while len(head := file.read(_RECORD.size)) == _RECORD.size:
            opcode, length = _RECORD.unpack(head)
            if opcode == Opcode.DATA_END:
                return
            content = _content(file, length)
            if content is None:
                return
            try:
                yield from _parse(opcode, length, content)
            except Exception as error:  # zstandard, struct, CRC: whatever the bytes were turned into
                raise RecordingError(f"{path}: damaged before byte {file.tell()}: {error}") from error


def _content(file: IO[bytes], length: int) -> bytes | None:
    # The length of a torn record can be anything: compare it with the file's size before reading so much.
    if length > Path(file.name).stat().st_size - file.tell():
        return None
    content = file.read(length)
    return content if len(content) == length else None


def _parse(opcode: int, length: int, content: bytes) -> Iterable[McapRecord]:
    stream = ReadDataStream(BytesIO(content))
    if opcode == Opcode.CHUNK:
        return breakup_chunk(Chunk.read(stream), validate_crc=True)
    if opcode == Opcode.MESSAGE:
        return [Message.read(stream, length)]
    if opcode == Opcode.SCHEMA:
        return [Schema.read(stream)]
    if opcode == Opcode.CHANNEL:
        return [Channel.read(stream)]
    return []


def _is_finished(path: Path) -> bool:
    with path.open("rb") as file:
        magic = file.read(MAGIC_SIZE)
        file.seek(-MAGIC_SIZE, 2)
        return file.tell() >= MAGIC_SIZE and file.read() == magic


# Playing ------------------------------------------------------------------------------------------------------------


def paced(
    samples: Iterable[Sample],
    speed: float = 1.0,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Sample]:
    """Samples, each when its time has come; where time jumps back (a reset simulation) the pace starts again.

    Args:
        samples: in the order in which they were recorded.
        speed: recorded seconds per second, > 0; infinity for no waiting.
        now: clock, s.
        sleep: waits s.

    Raises:
        ValueError: a speed that is not positive.
    """
    if not speed > 0.0:
        raise ValueError(f"speed = {speed}: allowed: more than 0")
    return _paced(samples, speed, now, sleep)


def _paced(
    samples: Iterable[Sample], speed: float, now: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Sample]:
    first: Sample | None = None
    begun = previous = 0.0
    for sample in samples:
        if first is None or sample.time < previous:
            first, begun = sample, now()
        previous = sample.time
        # One sum from the beginning, so that waits that are too long do not add up.
        wait = begun + (sample.time - first.time) * 1e-9 / speed - now()
        if wait > 0.0:
            sleep(wait)
        yield sample


def play(
    path: Path,
    publish: Callable[[Sample], object],
    *,
    speed: float = 1.0,
    start: int | None = None,
    end: int | None = None,
    topics: Collection[str] = (),
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Publish a recording at its pace; how many messages. Arguments as in `read_samples` and `paced`."""
    count = 0
    for sample in paced(read_samples(path, start=start, end=end, topics=topics), speed, now, sleep):
        publish(sample)
        count += 1
    return count
