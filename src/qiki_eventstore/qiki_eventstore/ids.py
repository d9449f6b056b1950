"""Event ids: UUIDv7, so that ids made later sort later and the index over them grows at its end."""

from typing import Final
from uuid import UUID, SafeUUID

from uuid_utils import uuid7

# Half the time of `UUID(int=…)`, which checks what is known here: each event costs one.
_set_int: Final = UUID.int.__set__  # type: ignore[attr-defined, misc]
_set_is_safe: Final = UUID.is_safe.__set__  # type: ignore[attr-defined, misc]
_new: Final = UUID.__new__
_UNKNOWN: Final = SafeUUID.unknown


def new_uuid() -> UUID:
    """A new UUIDv7."""
    return _of_int(uuid7().int)


def as_uuid(id: bytes) -> UUID:
    """The UUID of stored bytes.

    Raises:
        ValueError: they are not 16.
    """
    if len(id) != 16:
        raise ValueError(f"id: {len(id)} bytes; allowed: 16")
    return _of_int(int.from_bytes(id, "big"))


def _of_int(value: int) -> UUID:
    id = _new(UUID)
    _set_int(id, value)
    _set_is_safe(id, _UNKNOWN)
    return id
