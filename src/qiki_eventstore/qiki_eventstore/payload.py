"""Payloads of events as bytes, by the registry of types."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

import qiki_events
from qiki_events import REGISTRY, Registry
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import Encoded, Event, RecordedEvent


def encode(event: Event, registry: Registry = REGISTRY) -> tuple[str, bytes]:
    """Content type and bytes of an event's payload; `Encoded` bytes are checked and stay as they are.

    Raises:
        PayloadError: see `Registry.encode` and `Registry.check`.
    """
    data = event.data
    try:
        if not isinstance(data, Encoded):
            return registry.encode(event.type, data, event.schema_version)
        registry.check(event.type, event.schema_version, data.content_type, data.payload)
        return data.content_type, data.payload
    except qiki_events.PayloadError as error:
        raise PayloadError(str(error)) from error


def decode(recorded: RecordedEvent, registry: Registry = REGISTRY) -> Mapping[str, Any]:
    """The payload in the newest version of its type, as a mapping that JSON can hold; see `Registry.decode`.

    Raises:
        PayloadError: see `Registry.decode`; `recorded.payload` holds the bytes.
    """
    try:
        return registry.decode(recorded.type, recorded.schema_version, recorded.content_type, recorded.payload)
    except qiki_events.PayloadError as error:
        raise PayloadError(str(error)) from error


def message(recorded: RecordedEvent, registry: Registry = REGISTRY) -> Message:
    """The payload as the message of the newest version of its type.

    Raises:
        PayloadError: as `decode`, or the type is not known.
    """
    try:
        return registry.message(recorded.type, recorded.schema_version, recorded.content_type, recorded.payload)
    except qiki_events.PayloadError as error:
        raise PayloadError(str(error)) from error
