"""Event ids: UUIDv7, so that ids made later sort later and the index over them grows at its end."""

from uuid import UUID

from uuid_utils import uuid7


def new_id() -> bytes:
    """The 16 bytes of a new UUIDv7."""
    return uuid7().bytes


def as_uuid(id: bytes) -> UUID:
    """The UUID of 16 stored bytes."""
    return UUID(int=int.from_bytes(id, "big"))
