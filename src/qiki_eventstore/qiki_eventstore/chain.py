"""The hash chain that makes tampering evident.

Each event's hash covers the hash before it, every attribute and the payload, so that nothing can be changed, left
out, added or reordered without every later hash changing. The payload goes in as its own digest: a store that has
dropped the payloads of a sealed segment can still verify the chain across it.
"""

import struct
from hashlib import sha256
from typing import Final

from qiki_eventstore.events import RecordedEvent

GENESIS: Final = bytes(32)
"""The hash before the first event."""

FIXED: Final = struct.Struct(">qqqqq16s")
"""Position, version, event time, recording time, schema version (signed, 64 bits, big-endian) and id."""

_LENGTHS: Final = struct.Struct(">qqqqqq")


def texts(
    *, stream: str, type: str, source: str, content_type: str, correlation: str | None, causation: str | None
) -> bytes:
    """The part of an event's encoding that is known before it is recorded, without the digest of its payload.

    Every text is preceded by its length (-1: None), so that no two different events have the same encoding.
    """
    parts = [
        None if text is None else text.encode() for text in (stream, type, source, content_type, correlation, causation)
    ]
    return _LENGTHS.pack(*(-1 if part is None else len(part) for part in parts)) + b"".join(filter(None, parts))


def link(
    previous: bytes,
    *,
    position: int,
    stream: str,
    version: int,
    id: bytes,
    type: str,
    source: str,
    time: int,
    recorded: int,
    correlation: str | None,
    causation: str | None,
    schema_version: int,
    content_type: str,
    payload_digest: bytes,
) -> bytes:
    """SHA-256 (32 bytes) over the hash before, the attributes and the SHA-256 of the payload."""
    fixed = FIXED.pack(position, version, time, recorded, schema_version, id)
    tail = texts(
        stream=stream,
        type=type,
        source=source,
        content_type=content_type,
        correlation=correlation,
        causation=causation,
    )
    return sha256(previous + fixed + tail + payload_digest).digest()


def link_event(previous: bytes, event: RecordedEvent) -> bytes:
    """`link` for an event as it is stored."""
    return link(
        previous,
        position=event.position,
        stream=event.stream,
        version=event.version,
        id=event.id.bytes,
        type=event.type,
        source=event.source,
        time=event.time,
        recorded=event.recorded,
        correlation=event.correlation,
        causation=event.causation,
        schema_version=event.schema_version,
        content_type=event.content_type,
        payload_digest=sha256(event.payload).digest(),
    )
