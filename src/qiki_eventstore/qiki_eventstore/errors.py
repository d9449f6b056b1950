"""Errors of an event store. The text of each says what to do about it."""

import qiki_events


class EventStoreError(Exception):
    """Anything the event store refuses or cannot do."""


class VersionConflict(EventStoreError):
    """The stream is not at the version that the caller expected: somebody else wrote. Read it again and decide again.

    Args:
        stream: the stream that was appended to.
        expected: the version the caller expected; `NO_STREAM` is -1.
        actual: the version the stream is at; -1 if it does not exist.
    """

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        self.stream, self.expected, self.actual = stream, expected, actual
        wanted = "no such stream" if expected == -1 else f"version {expected}"
        found = "does not exist" if actual == -1 else f"is at version {actual}"
        super().__init__(f"stream {stream!r}: expected {wanted}, but it {found}: read the stream and append again")


class StoreFull(EventStoreError):
    """Not stored: the queue stayed full, the disk is, or the store's file was moved away. Nothing acknowledged before
    is lost; append again later, with the same ids."""


class StoreCorrupt(EventStoreError):
    """Stored data differ from the data written. Restore a backup, or export the events recorded before.

    Args:
        position: first position that is wrong, or None if the store cannot be read at all.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        self.position = position
        super().__init__(message)


class PayloadError(EventStoreError, qiki_events.PayloadError):
    """An event's fields or payload are not what its type asks for. Nothing of the call was stored."""


class StoreUnavailable(EventStoreError):
    """The store is closed, read-only, held by another writer, or its server cannot be reached."""
