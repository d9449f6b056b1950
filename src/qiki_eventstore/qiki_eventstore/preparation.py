"""Events checked and encoded before they are queued: in the caller's thread, where the caller's mistakes belong."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, TypeAlias
from uuid import UUID

from google.protobuf.message import Message

import qiki_events
from qiki_events import PROTOBUF, REGISTRY
from qiki_events.fields import MAX_PAYLOAD, MAX_VERSION, check_concrete, check_integer, check_name
from qiki_events.registry import has_maps
from qiki_eventstore import chain
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import ANY, Encoded, Event

OWN: Final = "qiki/eventstore"
"""Stream that the store alone writes."""

_INT64 = 2**63


Kind: TypeAlias = tuple[str, str, str | None, str | None, int, str]
"""Type; source; correlation; causation; schema version; content type. Events alike share one tuple."""

Prepared: TypeAlias = tuple[bytes, int | None, bytes, bytes, Kind]
"""An event that can be stored: everything but its position, version and recording time. A plain tuple, for speed.

The UUID's 16 bytes; event time, ns (None: the recording time); payload; the end of what its hash covers, which is
`chain.texts` and the SHA-256 of the payload; and its kind.
"""


def prepare(stream: str, events: Sequence[Event], expected_version: int = ANY, *, own: bool = False) -> list[Prepared]:
    """Check and encode the events of one append; `own`: the store itself, which alone writes its own stream.

    Raises:
        PayloadError: a field or payload that cannot be stored, or an id that comes twice.
    """
    if stream == OWN and not own:
        raise PayloadError(f"stream {stream!r}: is the store's own record of its care; append to another one")
    if type(expected_version) is not int or not ANY <= expected_version < _INT64:
        raise PayloadError(f"expected_version {expected_version!r}: must be ANY, NO_STREAM or an integer from 0")
    try:
        if not events:
            check_concrete("stream", stream)
        prepared = _prepared(stream, events)
    except qiki_events.PayloadError as error:
        raise PayloadError(str(error)) from error
    if len(prepared) > 1 and len({event[0] for event in prepared}) < len(prepared):
        raise PayloadError("two events of one append have the same id: every event needs its own")
    return prepared


def _prepared(stream: str, events: Sequence[Event]) -> list[Prepared]:
    prepared = []
    last_type = last_source = last_schema = None
    last_class: Any = None
    data: Any
    for event in events:  # one loop, for speed
        if event.__class__ is not Event and not isinstance(event, Event):
            raise PayloadError(f"event {event!r}: must be an Event, not {type(event).__name__}")
        name, data, id, time, source, correlation, causation, schema = event
        if id.__class__ is not UUID and not isinstance(id, UUID):
            raise PayloadError(f"event {name!r}: id {id!r} must be a uuid.UUID")
        if time is not None and not (time.__class__ is int and -_INT64 <= time < _INT64):
            check_integer(f"event {name!r}: time", time, -_INT64, _INT64 - 1)
        if (
            data.__class__ is not last_class
            or name is not last_type
            or source is not last_source
            or schema is not last_schema
        ):  # most events of a call are of one kind
            check_integer(f"event {name!r}: schema_version", schema, 1, MAX_VERSION)
            last_class, last_type, last_source, last_schema = data.__class__, name, source, schema
            fits, maps, message_kind, message_texts = _kind(stream, name, source, last_class, schema)
        kind, texts = message_kind, message_texts
        if fits:
            try:
                payload = data.SerializeToString(deterministic=True) if maps else data.SerializeToString()
            except Exception:
                fits = False  # the registry says why
        if not fits:
            if isinstance(data, Encoded):
                content, payload = data.content_type, data.payload
                REGISTRY.check(name, schema, content, payload)
            else:
                content, payload = REGISTRY.encode(name, data, schema)
            kind, texts = (name, source, None, None, schema, content), _kind_texts(stream, name, source, content)
        if len(payload) > MAX_PAYLOAD:
            raise PayloadError(f"event {name!r}: the payload has {len(payload)} bytes, allowed are {MAX_PAYLOAD}")
        if correlation is not None or causation is not None:
            kind = (name, source, correlation, causation, schema, kind[5])
            texts = _flow_texts(stream, kind)
        tail = texts + sha256(payload).digest()
        prepared.append((id.int.to_bytes(16, "big"), time, payload, tail, kind))
    return prepared


def _kind(stream: str, type: str, source: str, data: type, schema: int) -> tuple[bool, bool, Kind, bytes]:
    try:
        return _kind_once(stream, type, source, data, schema)
    except TypeError:  # not hashable, so that it is no text
        return _kind_once.__wrapped__(stream, type, source, data, schema)


# A store sees few kinds of events, most of them without correlation: each is checked and its texts encoded once.
@lru_cache(4096)
def _kind_once(stream: str, type: str, source: str, data: type, schema: int) -> tuple[bool, bool, Kind, bytes]:
    """Check the names; whether the data's class is the message of the type, whether that may hold maps, and kind and
    texts of such an event."""
    check_concrete("stream", stream)
    check_concrete("type", type)
    check_name("source", source, least=0)
    kind = type, source, None, None, schema, PROTOBUF
    if not issubclass(data, Message):
        return False, False, kind, b""
    wanted = REGISTRY.message_class(type, schema)
    fits = wanted is None or wanted.DESCRIPTOR is data.DESCRIPTOR
    return fits, has_maps(data.DESCRIPTOR), kind, _kind_texts(stream, type, source, PROTOBUF)


@lru_cache(4096)
def _kind_texts(stream: str, type: str, source: str, content_type: str) -> bytes:
    return chain.texts(
        stream=stream, type=type, source=source, content_type=content_type, correlation=None, causation=None
    )


def _flow_texts(stream: str, kind: Kind) -> bytes:
    type, source, correlation, causation, _schema, content_type = kind
    for field, text in (("correlation", correlation), ("causation", causation)):
        if text is not None:
            check_name(field, text)
    return chain.texts(
        stream=stream,
        type=type,
        source=source,
        content_type=content_type,
        correlation=correlation,
        causation=causation,
    )
