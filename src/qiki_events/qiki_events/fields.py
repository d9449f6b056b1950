"""Rules for the fields of an event beside its payload: the same for its emitter and for the store."""

from typing import Final

from qiki_events.errors import PayloadError

MAX_TEXT: Final = 200
"""Characters of a stream, type, source, correlation or causation."""

MAX_PAYLOAD: Final = 16 * 1024 * 1024
"""Bytes of a payload."""

MAX_DEPTH: Final = 32
"""Mappings and lists within each other, the payload (or the free part of it) counted. A message of protobuf with three
times as many levels can be written, but not read."""

MAX_TIME: Final = 2**31 * 10**9 - 1
"""ns since the epoch that builtin_interfaces/Time can hold, by which events travel."""

MAX_VERSION: Final = 2**31 - 1
"""Largest version of a schema."""


def check_name(field: str, text: object, least: int = 1) -> None:
    """Raise `PayloadError` unless it is a text of `least` to 200 characters without control characters."""
    if not isinstance(text, str):
        raise PayloadError(f"{field} {_shown(text)}: must be text, not {type(text).__name__}")
    if not least <= len(text) <= MAX_TEXT:
        raise PayloadError(f"{field} {text[:40]!r}: has {len(text)} characters, allowed are {least} to {MAX_TEXT}")
    if not text.isprintable() and any(_forbidden(character) for character in text):
        raise PayloadError(f"{field} {text!r}: must not contain control characters or halves of surrogate pairs")


def check_concrete(field: str, name: object) -> None:
    """Raise `PayloadError` unless it is the name of one type or stream, not a pattern."""
    check_name(field, name)
    assert isinstance(name, str)
    if name.endswith("*"):
        raise PayloadError(f"{field} {name!r}: must not end in *, which stands for any rest in queries")


def check_integer(field: str, value: object, low: int, high: int) -> None:
    """Raise `PayloadError` unless it is an integer of the range; True and NumPy's are none."""
    if type(value) is not int or not low <= value <= high:
        raise PayloadError(f"{field} {_shown(value)} must be an integer from {low} to {high}")


def _forbidden(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except Exception as error:  # a value that cannot even be shown is refused all the same
        return f"<{type(value).__name__}: {type(error).__name__}>"
