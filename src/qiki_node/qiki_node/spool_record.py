"""An event as a line of a spool, and back. No ROS in here."""

import base64
import json
from uuid import UUID

from qiki_node.emission import check
from qiki_node.outbox import Delivery, OutgoingEvent


def line_of(event: OutgoingEvent) -> bytes:
    """A JSON object on one line, its payload in base64."""
    record = {
        "id": event.id.hex,
        "stream": event.stream,
        "type": event.type,
        "source": event.source,
        "time": event.time,
        "content_type": event.content_type,
        "schema_version": event.schema_version,
        "correlation": event.correlation,
        "causation": event.causation,
        "delivery": event.delivery.value,
        "payload": base64.b64encode(event.payload).decode(),
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def event_of(line: bytes) -> OutgoingEvent:
    """The event of a line.

    Raises:
        ValueError: it is none, or not one that can be sent; the text says why.
    """
    try:
        record = json.loads(line)
        event = OutgoingEvent(
            **{
                **record,
                "id": UUID(hex=record["id"]),
                "delivery": Delivery(record["delivery"]),
                "payload": base64.b64decode(record["payload"], validate=True),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no event: {type(error).__name__}: {error}") from error
    check(event)
    return event
