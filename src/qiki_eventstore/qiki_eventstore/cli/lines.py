"""Events as lines for people, and as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from qiki_eventstore.cli.times import json_time, time_text
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import RecordedEvent
from qiki_node.json_text import to_json
from qiki_node.terminal import printable


def payload_of(event: RecordedEvent) -> Mapping[str, Any]:
    """The payload as a mapping; where it cannot be read, the reason and the bytes in hexadecimal."""
    try:
        return event.data
    except PayloadError as error:
        return {"unreadable": str(error), "hex": event.payload.hex()}


def line(event: RecordedEvent) -> str:
    """Position, event time, stream, type and the known fields of the payload."""
    fields = " ".join(f"{name}={_value(value)}" for name, value in payload_of(event).items() if value is not None)
    text = f"{event.position:>7} {time_text(event.time):>12}  {event.stream}  {event.type}  {fields}".rstrip()
    # One line, whatever was stored: a text with a newline in it must not look like two events.
    return printable(text)


def values(event: RecordedEvent) -> dict[str, Any]:
    """Every attribute, times in ns as number and as text and in ISO 8601, and the payload as a mapping."""
    return {
        "position": event.position,
        "stream": event.stream,
        "version": event.version,
        "id": str(event.id),
        "type": event.type,
        "source": event.source,
        **json_time("time", event.time),
        **json_time("recorded", event.recorded),
        "correlation": event.correlation,
        "causation": event.causation,
        "schema_version": event.schema_version,
        "content_type": event.content_type,
        "payload": payload_of(event),
        "hash": event.hash.hex(),
    }


def as_json(event: RecordedEvent) -> str:
    """The `values` on one line."""
    return to_json(values(event))


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value and not any(c.isspace() or c in '"=' for c in value):
        return value
    return json.dumps(value, ensure_ascii=False)
