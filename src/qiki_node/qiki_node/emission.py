"""Arguments of `emit`, checked and encoded before anything of them is kept.

The rules are those of the store (`qiki_events.fields`): an event that passes can be sent, spooled, stored and read.
"""

import math
from collections.abc import Mapping
from typing import Any

from uuid_utils.compat import uuid7

from qiki_events import JSON, PROTOBUF, REGISTRY, PayloadError
from qiki_events.fields import MAX_DEPTH, MAX_PAYLOAD, MAX_TIME, MAX_VERSION, check_concrete, check_integer, check_name
from qiki_node.outbox import Delivery, OutgoingEvent

_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
"""Integers that programs other than Python read too."""


def outgoing(
    type: str,
    payload: Mapping[str, Any],
    *,
    stream: str,
    source: str,
    time: int | None,
    correlation: str | None,
    causation: str | None,
    delivery: str,
    schema_version: int,
) -> OutgoingEvent:
    """An event to be sent; the arguments are those of `Events.emit`, an empty correlation or causation is none.

    Raises:
        PayloadError: an argument that cannot be stored; names type, field, value and what is allowed.
    """
    check_concrete("event type", type)
    try:
        check_integer("schema_version", schema_version, 1, MAX_VERSION)
        content_type, content = encoded(type, payload, schema_version)
        event = OutgoingEvent(
            id=uuid7(),
            stream=stream,
            type=type,
            source=source,
            time=time,
            payload=content,
            content_type=content_type,
            correlation=None if _is_empty(correlation) else correlation,
            causation=None if _is_empty(causation) else causation,
            delivery=delivery_of(delivery),
            schema_version=schema_version,
        )
        check(event)
    except PayloadError as error:
        text = str(error)
        raise PayloadError(text if text.startswith("event ") else f"event {type!r}: {text}") from error
    return event


def _is_empty(text: object) -> bool:
    return isinstance(text, str) and not text


def encoded(type: str, payload: Any, version: int) -> tuple[str, bytes]:
    """Content type and bytes of a payload, for a type and version that were checked.

    Raises:
        PayloadError: it is no mapping, does not fit its type, or JSON cannot hold it.
    """
    try:
        if not isinstance(payload, Mapping):
            raise PayloadError(f"payload {_shown(payload)}: must be a mapping of fields")
        if REGISTRY.message_class(type, version) is None:
            return REGISTRY.encode(type, plain(payload), version)
        try:
            return REGISTRY.encode(type, payload, version)
        except PayloadError:
            # Most payloads are plain already: only one that does not fit is converted first.
            return REGISTRY.encode(type, plain(payload), version)
    except PayloadError:
        raise
    except Exception as error:  # a value of the caller that breaks when it is looked at
        raise PayloadError(f"payload cannot be read: {_named(error)}") from error


def check(event: OutgoingEvent) -> None:
    """Check everything but the content of the payload.

    Raises:
        PayloadError: naming the field, its value and the allowed ones.
    """
    check_concrete("stream", event.stream)
    check_concrete("type", event.type)
    check_name("source", event.source, least=0)
    for field in ("correlation", "causation"):
        if (text := getattr(event, field)) is not None:
            check_name(field, text)
    if event.time is not None:
        check_integer("time", event.time, 0, MAX_TIME)
    check_integer("schema_version", event.schema_version, 1, MAX_VERSION)
    if event.content_type not in (JSON, PROTOBUF):
        raise PayloadError(f"content_type {event.content_type!r}: must be one of {JSON}, {PROTOBUF}")
    if len(event.payload) > MAX_PAYLOAD:
        raise PayloadError(f"payload: it has {len(event.payload)} bytes, allowed are {MAX_PAYLOAD}")


def delivery_of(name: object) -> Delivery:
    """The class of delivery by its name.

    Raises:
        PayloadError: there is no such class.
    """
    try:
        return Delivery(name)
    except Exception:  # also of a value that cannot be compared
        allowed = ", ".join(one.value for one in Delivery)
        raise PayloadError(f"delivery {_shown(name)}: must be one of {allowed}") from None


def plain(value: Any, path: str = "payload", depth: int = MAX_DEPTH) -> Any:
    """The value in the types of JSON: NumPy's numbers and arrays as numbers and lists, numbers that are not finite as
    None.

    Raises:
        PayloadError: a value that JSON cannot hold, an integer beyond 64 bits, half of a surrogate pair, a key that is
            no text, or more than 32 levels; names its path.
    """
    if value is None or isinstance(value, bool | str | int | float):
        return _scalar(value, path)
    if isinstance(value, Mapping | list | tuple) and depth <= 0:
        raise PayloadError(f"{path[:80]}…: nested too deep; allowed: {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {_key(key, path): plain(item, f"{path}.{key}", depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{index}]", depth - 1) for index, item in enumerate(value)]
    if hasattr(value, "tolist") and not hasattr(listed := value.tolist(), "tolist"):
        return plain(listed, path, depth)
    raise PayloadError(f"{path}: {_shown(value)} of type {type(value).__name__}; allowed: the types of JSON")


def _scalar(value: bool | str | int | float | None, path: str) -> bool | str | int | float | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if not _LOWEST <= value <= _HIGHEST:
        raise PayloadError(f"{path}: an integer of {value.bit_length()} bits; allowed: {_LOWEST} to {_HIGHEST}")
    return int(value)


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise PayloadError(f"{path}: key {_shown(key)}: must be text, not {type(key).__name__}")
    return _text(key, f"{path} key")


def _text(value: str, path: str) -> str:
    exact = str.__str__(value)
    try:
        exact.encode()
    except UnicodeEncodeError:
        raise PayloadError(f"{path}: {_shown(exact)}: must not contain halves of surrogate pairs") from None
    return exact


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except Exception as error:  # refused all the same
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _named(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:200]
    except Exception:
        return type(error).__name__
