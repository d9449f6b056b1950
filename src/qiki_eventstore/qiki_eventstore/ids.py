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
    id = _new(UUID)
    _set_int(id, uuid7().int)
    _set_is_safe(id, _UNKNOWN)
    return id


def as_uuid(id: bytes) -> UUID:
    """The UUID of 16 stored bytes."""
    return UUID(int=int.from_bytes(id, "big"))
