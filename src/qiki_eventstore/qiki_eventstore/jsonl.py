"""An event as one line of JSON, and back, without loss.

Names are those of `RecordedEvent`. The payload stands as `data` if it is JSON that reads and writes back to the very
same bytes, else as `data_base64` (the two names of CloudEvents' JSON format).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from qiki_events import JSON, PROTOBUF
from qiki_eventstore.errors import EventStoreError
from qiki_eventstore.events import RecordedEvent

_INT64: Final = 2**63
_NESTED: Final = 500
"""Brackets of a payload up to which it can be nested into a line without regard to how deep a reader may go."""


class TransferError(EventStoreError):
    """A file that cannot be taken in: the text names file, line and field. Nothing of the file was stored."""


class FieldError(ValueError):
    """A line's field is missing, unknown or not allowed."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"field {field}: {reason}")


def dumps(value: Mapping[str, Any]) -> bytes:
    """JSON without spaces, in UTF-8, with a newline at the end."""
    return _compact(value) + b"\n"


def encode(event: RecordedEvent) -> bytes:
    """The line of an event, with its newline."""
    line: dict[str, Any] = {
        "position": event.position,
        "stream": event.stream,
        "version": event.version,
        "id": str(event.id),
        "type": event.type,
        "source": event.source,
        "time": event.time,
        "recorded": event.recorded,
        "correlation": event.correlation,
        "causation": event.causation,
        "schema_version": event.schema_version,
        "content_type": event.content_type,
        "hash": event.hash.hex(),
    }
    try:
        return dumps({**line, "data": _readable(event)})
    except (ValueError, RecursionError):
        return dumps({**line, "data_base64": base64.b64encode(event.payload).decode()})


def decode(line: Mapping[str, Any]) -> RecordedEvent:
    """The event of a line that JSON has read.

    Raises:
        FieldError: naming the field, its value and the allowed ones.
    """
    unknown = set(line) - set(_FIELDS) - {"data", "data_base64"}
    if unknown:
        raise FieldError(min(unknown), f"unknown; known: {', '.join(_FIELDS)}, data, data_base64")
    values = {}
    for name, check in _FIELDS.items():
        if name not in line:
            raise FieldError(name, "missing")
        try:
            values[name] = check(line[name])
        except ValueError as error:
            raise FieldError(name, f"{line[name]!r}: {error}") from None
    return RecordedEvent(**values, payload=_payload(line))


def _payload(line: Mapping[str, Any]) -> bytes:
    if ("data" in line) == ("data_base64" in line):
        raise FieldError("data", "one of data and data_base64 must be there")
    if "data" in line:
        if line["content_type"] != JSON:
            raise FieldError("data", f"content type {line['content_type']}: its payload must be in data_base64")
        try:
            return _compact(line["data"])
        except (ValueError, RecursionError) as error:
            raise FieldError("data", f"not JSON: {error}") from None
    try:
        return base64.b64decode(line["data_base64"], validate=True)
    except (TypeError, binascii.Error, ValueError) as error:
        raise FieldError("data_base64", f"not base64: {error}") from None


def _readable(event: RecordedEvent) -> Any:
    """The payload as a JSON value; ValueError if it would not come back as the same bytes."""
    if event.content_type != JSON or event.payload.count(b"[") + event.payload.count(b"{") > _NESTED:
        raise ValueError
    value = json.loads(event.payload.decode())
    if _compact(value) != event.payload:
        raise ValueError
    return value


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _integer(least: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value < _INT64:
            raise ValueError(f"allowed: an integer from {least} to {_INT64 - 1}")
        return value

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("allowed: a text")
    value.encode()  # ValueError for half of a surrogate pair
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("allowed: a text that is not empty")
    return _text(value)


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _uuid(value: Any) -> UUID:
    if not isinstance(value, str) or str(uuid := UUID(value)) != value:
        raise ValueError("allowed: a UUID in lower case with hyphens")
    return uuid


def _content_type(value: Any) -> str:
    if value not in (JSON, PROTOBUF):
        raise ValueError(f"allowed: {JSON}, {PROTOBUF}")
    return str(value)


def _hash(value: Any) -> bytes:
    digest = bytes.fromhex(_text(value))
    if len(digest) not in (0, 32) or digest.hex() != value:
        raise ValueError("allowed: 64 hexadecimal digits in lower case, or empty")
    return digest


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "position": _integer(1),
    "stream": _name,
    "version": _integer(0),
    "id": _uuid,
    "type": _name,
    "source": _text,
    "time": _integer(-_INT64),
    "recorded": _integer(-_INT64),
    "correlation": _text_or_none,
    "causation": _text_or_none,
    "schema_version": _integer(1),
    "content_type": _content_type,
    "hash": _hash,
}
