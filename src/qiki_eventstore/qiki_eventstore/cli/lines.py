"""Events as lines for people, and as JSON."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.payload import decode
from qiki_node.json_text import to_json

_SIMULATED = 10**9
"""s: a time before September 2001 is that of a simulation."""


def time_text(nanoseconds: int) -> str:
    """Simulated time in seconds, any other in ISO 8601 (UTC)."""
    seconds, rest = divmod(nanoseconds, 10**9)
    if abs(seconds) < _SIMULATED:
        return f"{nanoseconds / 1e9:.3f}"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def payload_of(event: RecordedEvent) -> Mapping[str, Any]:
    """The payload as a mapping; where it cannot be read, the reason and the bytes in hexadecimal."""
    try:
        return decode(event)
    except PayloadError as error:
        return {"unreadable": str(error), "hex": event.payload.hex()}


def line(event: RecordedEvent) -> str:
    """Position, event time, stream, type and the known fields of the payload."""
    fields = " ".join(f"{name}={_value(value)}" for name, value in payload_of(event).items() if value is not None)
    return f"{event.position:>7} {time_text(event.time):>12}  {event.stream}  {event.type}  {fields}".rstrip()


def as_json(event: RecordedEvent) -> str:
    """Every attribute, times in ns, and the payload as a mapping, on one line."""
    record = {
        "position": event.position,
        "stream": event.stream,
        "version": event.version,
        "id": str(event.id),
        "type": event.type,
        "source": event.source,
        "time_ns": event.time,
        "recorded_ns": event.recorded,
        "correlation": event.correlation,
        "causation": event.causation,
        "schema_version": event.schema_version,
        "content_type": event.content_type,
        "payload": payload_of(event),
        "hash": event.hash.hex(),
    }
    return to_json(record)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value and not any(c.isspace() or c in '"=' for c in value):
        return value
    return json.dumps(value, ensure_ascii=False)
