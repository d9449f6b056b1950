"""Payloads as bytes: protobuf or JSON, never pickle.

What is stored under a type that is known fits its schema: `encode` is the door, `decode` can rely on it.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import JSON, PROTOBUF, Encoded, Event, RecordedEvent
from qiki_eventstore.message_mapping import to_mapping
from qiki_eventstore.registry import Registry
from qiki_eventstore.schemas import SCHEMAS

# Going in -------------------------------------------------------------------------------------------------------------


def encode(event: Event, registry: Registry = SCHEMAS) -> tuple[str, bytes]:
    """Content type and bytes of an event's payload.

    A mapping of a known type becomes its protobuf message; one of an unknown type, or of a version newer than those
    known, becomes JSON. `Encoded` bytes stay as they are.

    Raises:
        PayloadError: what does not fit the event's type, a message that lacks required fields, or a mapping that JSON
            cannot hold (NaN is one).
    """
    data = event.data
    if isinstance(data, Encoded):
        return _checked(event, data, registry)
    if not isinstance(data, Message):
        data = registry.typed(event.type, data, event.schema_version)
    if isinstance(data, Message):
        return PROTOBUF, _serialized(event, data, registry)
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return JSON, text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"event {event.type!r}: JSON cannot hold the payload: {error}") from error


def _serialized(event: Event, message: Message, registry: Registry) -> bytes:
    wanted = registry.message_class(event.type, event.schema_version)
    if wanted is not None and message.DESCRIPTOR is not wanted.DESCRIPTOR:
        raise PayloadError(
            f"event {event.type!r}: data: {message.DESCRIPTOR.full_name}; allowed for version {event.schema_version}: "
            f"{wanted.DESCRIPTOR.full_name}"
        )
    try:
        return message.SerializeToString(deterministic=True)
    except Exception as error:
        raise PayloadError(f"event {event.type!r}: the payload cannot be serialized: {error}") from error


def _checked(event: Event, data: Encoded, registry: Registry) -> tuple[str, bytes]:
    known = registry.message_class(event.type, event.schema_version) is not None
    if data.content_type == JSON:
        mapping = _from_json(event.type, data.payload)
        if known:
            registry.typed(event.type, mapping, event.schema_version)
    elif data.content_type == PROTOBUF:
        if known:
            registry.parse(event.type, event.schema_version, data.payload)
    else:
        raise PayloadError(f"event {event.type!r}: content_type = {data.content_type!r}: allowed: {JSON}, {PROTOBUF}")
    return data.content_type, data.payload


# Coming out -----------------------------------------------------------------------------------------------------------


def decode(recorded: RecordedEvent, registry: Registry = SCHEMAS) -> Mapping[str, Any]:
    """The payload in the newest version of its type, as a mapping that JSON can hold.

    Of a known type every field is there: enums by name, an optional number that is unknown as None, bytes as base64.
    JSON of an unknown type is given as it is; protobuf of an unknown type as its bytes, `{"base64": …}`.

    Raises:
        PayloadError: the schema has a version newer than those known (the text names both; `recorded.payload` holds the
            bytes), or the payload is not what its type asks for.
    """
    type, version = recorded.type, recorded.schema_version
    schema = registry.schema(type)
    if schema is None:
        if recorded.content_type == JSON:
            return _from_json(type, recorded.payload)
        return {"base64": base64.b64encode(recorded.payload).decode()}
    mapping = to_mapping(_stored_message(recorded, registry))
    return mapping if version == schema.newest else registry.newest_mapping(type, version, mapping)


def message(recorded: RecordedEvent, registry: Registry = SCHEMAS) -> Message:
    """The payload as the message of the newest version of its type.

    Raises:
        PayloadError: as `decode`, or the type is not known.
    """
    if recorded.schema_version == registry.newest(recorded.type):
        return _stored_message(recorded, registry)
    upcast = registry.typed(recorded.type, decode(recorded, registry))
    if not isinstance(upcast, Message):
        raise PayloadError(f"event {recorded.type!r}: the type is not registered: it has no message")
    return upcast


def _stored_message(recorded: RecordedEvent, registry: Registry) -> Message:
    """In the version that it was written in."""
    type, version = recorded.type, recorded.schema_version
    if recorded.content_type == JSON and registry.message_class(type, version) is not None:
        stored = registry.typed(type, _from_json(type, recorded.payload), version)
        assert isinstance(stored, Message)
        return stored
    return registry.parse(type, version, recorded.payload)


def _from_json(type: str, payload: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(payload.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"event {type!r}: the payload is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise PayloadError(f"event {type!r}: the payload is a JSON {data.__class__.__name__}; allowed: an object")
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
