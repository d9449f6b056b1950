"""A segment as an MCAP file, for tools that show recordings: a channel per type of event, with its protobuf schema.

It shows payloads and times; what else an event has is in the Parquet file.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from mcap.reader import make_reader
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import Writer

from qiki_events import PROTOBUF
from qiki_eventstore.events import RecordedEvent

ClassOf = Callable[[str, int], type[Message] | None]
"""Protobuf class of a type at a schema version, or None if it is not known."""


def write_mcap(file: IO[bytes], events: Iterable[RecordedEvent], class_of: ClassOf) -> None:
    """Write events: log time is the recording time, publish time the event time, both in ns."""
    writer = Writer(file)
    writer.start(library="qiki_eventstore")
    channels: dict[tuple[str, str, int], int] = {}
    for event in events:
        key = (event.type, event.content_type, event.schema_version)
        if key not in channels:
            channels[key] = _channel(writer, *key, class_of)
        # MCAP's times are unsigned; a simulated clock starts at zero, so that only nonsense is lower.
        writer.add_message(
            channels[key], max(0, event.recorded), event.payload, max(0, event.time), event.position & 0xFFFFFFFF
        )
    writer.finish()  # type: ignore[no-untyped-call]


def read_mcap(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """Type, lowest 32 bits of the position, and payload of each event."""
    with path.open("rb") as file:
        for _, channel, message in make_reader(file, validate_crcs=True).iter_messages(log_time_order=False):
            yield channel.topic, message.sequence, message.data


def _channel(writer: Writer, type: str, content_type: str, version: int, class_of: ClassOf) -> int:
    metadata = {"schema_version": str(version)}
    if content_type != PROTOBUF:
        schema = writer.register_schema(type, SchemaEncoding.SelfDescribing, b"")
        return writer.register_channel(type, MessageEncoding.JSON, schema, metadata)
    cls = class_of(type, version)
    if cls is None:
        schema = writer.register_schema(type, SchemaEncoding.SelfDescribing, b"")
    else:
        schema = writer.register_schema(cls.DESCRIPTOR.full_name, SchemaEncoding.Protobuf, _with_imports(cls))
    return writer.register_channel(type, MessageEncoding.Protobuf, schema, metadata)


def _with_imports(cls: type[Message]) -> bytes:
    """The FileDescriptorSet of a message's file and of all it imports."""
    files: dict[str, Any] = {}

    def add(file: Any) -> None:
        if file.name not in files:
            for imported in file.dependencies:
                add(imported)
            files[file.name] = file

    add(cls.DESCRIPTOR.file)
    result = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(result.file.add())
    return result.SerializeToString()
