"""Events checked and encoded before they are queued: in the caller's thread, where the caller's mistakes belong."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple, cast
from uuid import UUID

from google.protobuf.message import Message

import qiki_events
from qiki_events import PROTOBUF, REGISTRY
from qiki_events.fields import MAX_PAYLOAD, MAX_VERSION, check_concrete, check_integer, check_name
from qiki_events.registry import has_maps
from qiki_eventstore import chain
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import ANY, Encoded, Event
from qiki_eventstore.payload import encode

_INT64 = 2**63


class Prepared(NamedTuple):
    """An event that can be stored: everything but its position, version and recording time.

    Attributes:
        id: the UUID's 16 bytes.
        time: event time, ns; None: the recording time.
        payload: bytes of `content_type`.
        tail: the end of what its hash covers: `chain.texts` and the SHA-256 of the payload.
    """

    id: bytes
    type: str
    source: str
    time: int | None
    correlation: str | None
    causation: str | None
    schema_version: int
    content_type: str
    payload: bytes
    tail: bytes


def prepare(stream: str, events: Sequence[Event], expected_version: int = ANY) -> list[Prepared]:
    """Check and encode the events of one append.

    Raises:
        PayloadError: a field or payload that cannot be stored, or an id that comes twice.
    """
    if type(expected_version) is not int or not ANY <= expected_version < _INT64:
        raise PayloadError(f"expected_version {expected_version!r}: must be ANY, NO_STREAM or an integer from 0")
    try:
        _check_stream(stream)
        prepared = _prepared(stream, events)
    except qiki_events.PayloadError as error:
        raise PayloadError(str(error)) from error
    if len(prepared) > 1 and len({event[0] for event in prepared}) < len(prepared):
        raise PayloadError("two events of one append have the same id: every event needs its own")
    return prepared


def _check_stream(stream: str) -> None:
    try:
        _check_stream_once(stream)
    except TypeError:  # not hashable, so that it is no text
        check_concrete("stream", stream)


@lru_cache(4096)
def _check_stream_once(stream: str) -> None:
    check_concrete("stream", stream)


def _prepared(stream: str, events: Sequence[Event]) -> list[Prepared]:  # noqa: PLR0912 - one loop, for speed
    prepared = []
    last_type = last_source = last_content = last_schema = last_class = None
    kind, maps = b"", False
    for event in events:
        if not isinstance(event, Event):
            raise PayloadError(f"event {event!r}: must be an Event, not {type(event).__name__}")
        name, data, time, source, schema = event.type, event.data, event.time, event.source, event.schema_version
        correlation, causation = event.correlation, event.causation
        if name is not last_type or source is not last_source:  # most events of a call are of one kind
            _check_kind_of(name, source)
            last_type, last_source, last_content, last_class = name, source, None, None
        if time is not None and not (time.__class__ is int and -_INT64 <= time < _INT64):
            check_integer(f"event {name!r}: time", time, -_INT64, _INT64 - 1)
        if schema != 1 or type(schema) is not int:
            check_integer(f"event {name!r}: schema_version", schema, 1, MAX_VERSION)
        if data.__class__ is last_class and schema == last_schema:  # a message like the one before
            content, payload = PROTOBUF, _serialized(name, cast("Message", data), schema, maps)
        elif isinstance(data, Encoded):
            content, payload = encode(event)
        else:
            content, payload = REGISTRY.encode(name, data, schema)
            if isinstance(data, Message):
                last_class, last_schema, maps = data.__class__, schema, has_maps(data.DESCRIPTOR)
        if len(payload) > MAX_PAYLOAD:
            raise PayloadError(f"event {name!r}: the payload has {len(payload)} bytes, allowed are {MAX_PAYLOAD}")
        if correlation is None and causation is None:
            if content is not last_content:
                kind, last_content = _kind_texts(stream, name, source, content), content
            texts = kind
        else:
            texts = _flow_texts(stream, event, content)
        prepared.append(
            _new(
                Prepared,
                (
                    _id(event),
                    name,
                    source,
                    time,
                    correlation,
                    causation,
                    schema,
                    content,
                    payload,
                    texts + sha256(payload).digest(),
                ),
            )
        )
    return prepared


def _serialized(type: str, message: Message, version: int, maps: bool) -> bytes:
    try:
        return message.SerializeToString(deterministic=True) if maps else message.SerializeToString()
    except Exception:
        return REGISTRY.encode(type, message, version)[1]  # which says why


def _id(event: Event) -> bytes:
    if not isinstance(event.id, UUID):
        raise PayloadError(f"event {event.type!r}: id {event.id!r} must be a uuid.UUID")
    return event.id.bytes


_new: Final = tuple.__new__  # half the time of `Prepared(…)`


def _check_kind_of(type: str, source: str) -> None:
    try:
        _check_kind(type, source)
    except TypeError:  # not hashable, so that it is no text
        _check_kind.__wrapped__(type, source)


# A store sees few kinds of events, most of them without correlation: their names are checked and encoded once.
@lru_cache(4096)
def _check_kind(type: str, source: str) -> None:
    check_concrete("type", type)
    check_name("source", source, least=0)


@lru_cache(4096)
def _kind_texts(stream: str, type: str, source: str, content_type: str) -> bytes:
    return chain.texts(
        stream=stream, type=type, source=source, content_type=content_type, correlation=None, causation=None
    )


def _flow_texts(stream: str, event: Event, content_type: str) -> bytes:
    for field in ("correlation", "causation"):
        if (text := getattr(event, field)) is not None:
            check_name(field, text)
    return chain.texts(
        stream=stream,
        type=event.type,
        source=event.source,
        content_type=content_type,
        correlation=event.correlation,
        causation=event.causation,
    )
