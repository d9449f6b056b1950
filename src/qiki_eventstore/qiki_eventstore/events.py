"""An event before and after it is stored, and moments of the past.

Attributes follow CloudEvents 1.0 (id, source, type, time, datacontenttype, dataschema) with the extensions of an event
store: stream, version, position, correlation, causation, recording time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self, TypeAlias
from uuid import UUID

from google.protobuf.message import Message

import qiki_events
from qiki_events import REGISTRY
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.ids import new_uuid

ANY: Final = -2
"""Expected version: any."""

NO_STREAM: Final = -1
"""Expected version: the stream must not exist yet."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A payload that is bytes already and is stored as it is: from an import, or another process.

    Attributes:
        content_type: `JSON` or `PROTOBUF`.
        payload: the bytes; with `JSON` they must be JSON in UTF-8.
    """

    content_type: str
    payload: bytes = field(repr=False)


Data: TypeAlias = Message | Mapping[str, Any] | Encoded


class _Fields(NamedTuple):
    type: str
    data: Data
    id: UUID
    time: int | None
    source: str
    correlation: str | None
    causation: str | None
    schema_version: int


class Event(_Fields):
    """An event to be appended. It has its id from the beginning: to append the same object again is a retry.

        event = Event("allocator.mode_changed", {"mode": "AUTO", "before": "ADAPTIVE"}, source="/alpha/allocator")
        store.append("alpha/allocator", [event])

    A tuple, as a frozen dataclass takes three times as long to make.

    Attributes:
        type: dotted name in the past tense, such as `allocator.mode_changed`.
        data: protobuf message, mapping that JSON can hold (no NaN: use None for an unknown number), or `Encoded`.
        id: a new UUIDv7 unless given. An id that is stored already is not stored again.
        time: ns since the epoch of the emitter's ROS clock, which may be simulated; None: the recording time.
        source: node that saw it, such as `/alpha/allocator`.
        correlation: id of the command or flow that it belongs to.
        causation: id of the event or command that caused it.
        schema_version: version of the type's schema that `data` follows, from 1.
    """

    __slots__ = ()

    def __new__(  # noqa: PLR0917 - in the order in which events are read
        cls,
        type: str,
        data: Data,
        id: UUID | None = None,
        time: int | None = None,
        source: str = "",
        correlation: str | None = None,
        causation: str | None = None,
        schema_version: int = 1,
    ) -> Self:
        if id is None:
            id = new_uuid()
        return _new(cls, (type, data, id, time, source, correlation, causation, schema_version))


_new: Final = tuple.__new__  # half the time of `super().__new__(…)`


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as stored.

        for event in store.read("alpha/allocator"):
            print(event.version, event.type, event.data)

    Attributes:
        position: global, ascending; from 1. SQLite leaves no gap; PostgreSQL leaves one where a transaction failed.
        stream: name of its stream.
        version: place in its stream, from 0, without gap.
        id: UUID.
        type: see `Event`.
        source: see `Event`.
        time: event time, ns since the epoch of the emitter's clock.
        recorded: recording time, ns since the Unix epoch; never falls as the position rises.
        correlation: see `Event`.
        causation: see `Event`.
        schema_version: version of the schema that `payload` follows.
        content_type: `JSON` or `PROTOBUF`.
        payload: the bytes that were stored.
        hash: SHA-256 of the chain up to here (32 bytes); empty where the chain has not been sealed yet (PostgreSQL),
            and therefore no part of equality.
    """

    position: int
    stream: str
    version: int
    id: UUID
    type: str
    source: str
    time: int
    recorded: int
    correlation: str | None
    causation: str | None
    schema_version: int
    content_type: str
    payload: bytes = field(repr=False)
    hash: bytes = field(default=b"", repr=False, compare=False)

    @property
    def data(self) -> Mapping[str, Any]:
        """The payload in the newest version of its type, as a mapping that JSON can hold; see `Registry.decode`.

        Decoded at each call.

        Raises:
            PayloadError: the schema has a version newer than those known, or the payload does not fit its type.
        """
        try:
            return REGISTRY.decode(self.type, self.schema_version, self.content_type, self.payload)
        except qiki_events.PayloadError as error:
            raise PayloadError(str(error)) from error


def clamped(value: int) -> int:
    """The nearest integer of 64 bits: a bound beyond them leaves out, or takes in, what that does."""
    return min(max(value, -(2**63)), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class AtVersion:
    """The moment after an event of the stream was recorded: its version (only with one stream).

    store.reconstruct(BOT_STATE, "alpha/allocator", AtVersion(7))
    """

    version: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", clamped(self.version))


@dataclass(frozen=True, slots=True)
class AtPosition:
    """The moment after the event at a global position was recorded.

    store.reconstruct(BOT_STATE, "alpha/*", AtPosition(4711))
    """

    position: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", clamped(self.position))


@dataclass(frozen=True, slots=True)
class AtTime:
    """The newest moment at which the emitter's clock showed this event time (ns).

        store.reconstruct(BOT_STATE, "alpha/*", AtTime(83_200_000_000))

    Each stream is cut after its last event, in order of versions, whose time is not later. So with a simulated clock
    that was reset, a time that came twice means its last coming.
    """

    time: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", clamped(self.time))


@dataclass(frozen=True, slots=True)
class AtRecorded:
    """A moment of recording time (ns since the Unix epoch)."""

    recorded: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "recorded", clamped(self.recorded))


Moment: TypeAlias = AtVersion | AtPosition | AtTime | AtRecorded
