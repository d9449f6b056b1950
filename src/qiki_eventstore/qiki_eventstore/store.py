"""The contract that every engine keeps: SQLite and PostgreSQL run the same tests against it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from qiki_events import Projection
from qiki_eventstore.events import ANY, Event, Moment, RecordedEvent, clamped
from qiki_eventstore.receipt import Receipt

S = TypeVar("S")


class Delivery(Enum):
    """Fate of events for which the queue has no room."""

    AUDIT = "audit"
    """The caller waits; `StoreFull` after the store's `patience`."""

    TELEMETRY = "telemetry"
    """Dropped and counted; the append returns no positions."""


@dataclass(frozen=True, slots=True)
class Query:
    """Selection of events; every condition that is given must hold.

        for event in store.read_all(Query(types=("allocator.*",), backwards=True, limit=10)):
            print(event.time, event.data)

    Attributes:
        after: position before the first one wanted.
        before: position after the last one wanted.
        start: earliest event time, ns (inclusive).
        end: latest event time, ns (exclusive).
        recorded_start: earliest recording time, ns (inclusive).
        recorded_end: latest recording time, ns (exclusive).
        types: event types; a trailing `*` matches any rest (`allocator.*`).
        streams: streams; a trailing `*` matches any rest (`alpha/*`).
        correlation: correlation id.
        limit: most events returned.
        backwards: newest first.

    A number beyond 64 bits, which no event has, becomes the nearest that fits; a bound above them is none.
    """

    after: int | None = None
    before: int | None = None
    start: int | None = None
    end: int | None = None
    recorded_start: int | None = None
    recorded_end: int | None = None
    types: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    correlation: str | None = None
    limit: int | None = None
    backwards: bool = False

    def __post_init__(self) -> None:
        for name in ("after", "before", "start", "end", "recorded_start", "recorded_end", "limit"):
            value = getattr(self, name)
            if value is not None and not -(2**63) <= value < 2**63:
                is_open = value > 0 and name in ("before", "end", "recorded_end", "limit")
                object.__setattr__(self, name, None if is_open else clamped(value))


def matcher(pattern: str) -> Callable[[str], bool]:
    """True if a name is the pattern, or begins with what precedes its trailing `*`."""
    if pattern.endswith("*"):
        prefix = pattern[:-1]
        return lambda name: name.startswith(prefix)
    return lambda name: name == pattern


@dataclass(frozen=True, slots=True)
class Verification:
    """Findings of `EventStore.verify`.

    Attributes:
        ok: everything is as written.
        checked: events whose hashes were recomputed.
        first_bad: first position that is wrong; None if none, or if only the tail is missing.
        reason: what is wrong, empty if nothing is.
        head: position of the last event.
        signed: position of the newest signed head that agrees; None if none is known.
    """

    ok: bool
    checked: int
    first_bad: int | None
    reason: str
    head: int
    signed: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the store was opened, and sizes. NaN where an engine cannot know.

    Attributes:
        engine: `sqlite` or `postgresql`.
        events: stored events.
        streams: streams.
        head: last position.
        bytes: size on disk, with logs.
        queued: events that wait for the writer.
        appended: events acknowledged since opening.
        commits: transactions since opening.
        conflicts: version conflicts since opening.
        duplicates: events that had been stored before (retries) since opening.
        dropped: telemetry events dropped since opening.
        read_only: why the store takes nothing (disk full, …), empty if it does.
        last_checkpoint: Unix time, s, of the last checkpoint of the log; NaN if none yet.
        free_bytes: free space on the store's disk.
        log_bytes: size of the log that is not in the database yet (SQLite).
        warning: condition that needs a look, such as a reader that lets the log grow; empty if there is none.
        skipped: events since opening that a projection could not take, once for each rebuilding.
        callback_errors: callbacks of receipts that raised, in this process.
        checkpoint_age: s since the last checkpoint, whatever becomes of the wall clock; NaN if there was none yet.
    """

    engine: str
    events: int
    streams: int
    head: int
    bytes: int
    queued: int
    appended: int
    commits: int
    conflicts: int
    duplicates: int
    dropped: int
    read_only: str
    last_checkpoint: float
    free_bytes: float
    log_bytes: int = 0
    warning: str = ""
    skipped: int = 0
    callback_errors: int = 0
    checkpoint_age: float = math.nan


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A state of the past.

    Attributes:
        state: of the projection.
        skipped: events that it handles and could not take, as their payload cannot be read or does not fit.
    """

    state: Any
    skipped: int = 0


class Subscription(ABC):
    """Events from a position on: those of the past, then each as it is committed, none left out, none twice.

    with store.subscribe(streams=("alpha/*",)) as events:
        print(next(iter(events)).data)
    """

    @abstractmethod
    def get(self, timeout: float | None = None) -> RecordedEvent | None:
        """The next event; None if none came within `timeout` s (None: wait for ever) or the subscription was closed."""

    @abstractmethod
    def checkpoint(self, event: RecordedEvent) -> None:
        """Remember durably, under the subscription's name, that everything up to this event is done.

        Raises:
            ValueError: the subscription has no name.
        """

    @abstractmethod
    def close(self) -> None:
        """End it; a waiting `get` returns None."""

    def __iter__(self) -> Iterator[RecordedEvent]:
        while (event := self.get()) is not None:
            yield event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.close()


class EventStore(ABC):
    """Streams of events in one global order. Safe to use from any thread; a context manager.

    with open_store("sqlite:///events.db") as store:
        store.append("alpha/allocator", [Event("allocator.armed", {"mode": "MANUAL_OVERRIDE"})])
    """

    # Writing --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def submit(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> Receipt:
        """Queue an append; the receipt ends when it is durable. All of the events are stored, or none.

        Raises what `append` raises, at once (payload, queue full, closed) or through the receipt.
        """

    def append(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> list[int]:
        """Append events to a stream, durably: when this returns, they survive kill -9 and a power cut.

        Args:
            stream: name such as `alpha/allocator`: 1 to 200 characters without control characters.
            events: all are stored or none. An event whose id is stored already (a retry) is not stored again; its first
                position is returned, whatever the expected version; a retry must repeat the whole call.
            expected_version: version of the stream's last event, `NO_STREAM`, or `ANY`.
            delivery: what happens when the queue is full.

        Returns:
            Their positions; empty if telemetry was dropped.

        Raises:
            VersionConflict: the stream is at another version.
            PayloadError: a field or payload that cannot be stored, or an id that is stored in another stream.
            StoreFull: the queue stayed full, or the disk is.
            StoreUnavailable: closed, read-only, or the server cannot be reached.
        """
        return self.submit(stream, events, expected_version, delivery).result()

    # Reading --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def read(self, stream: str, start: int = 0, end: int | None = None) -> list[RecordedEvent]:
        """Events of a stream with start <= version < end; empty if there are none."""

    @abstractmethod
    def read_all(self, query: Query = Query()) -> Iterator[RecordedEvent]:
        """Events that match, in order of positions, read as they are asked for."""

    @abstractmethod
    def version(self, stream: str) -> int:
        """Version of a stream's last event, or `NO_STREAM`."""

    @abstractmethod
    def streams(self, pattern: str = "*") -> list[str]:
        """Names of streams, sorted; a trailing `*` matches any rest."""

    @abstractmethod
    def head(self) -> int:
        """Position of the last event; 0 in an empty store."""

    @abstractmethod
    def settled(self) -> int:
        """Position up to which no event can appear any more: who reads page by page goes on from it, not from `head`.

        On PostgreSQL a transaction that commits late may still bring an event below the head.
        """

    @abstractmethod
    def subscribe(
        self,
        after: int | None = None,
        *,
        name: str | None = None,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Subscription:
        """Follow events after a position: catch up, then live.

        Args:
            after: position to go on from; None: the checkpoint of `name`, or the beginning.
            name: under which checkpoints are kept.
            types: as in `Query`.
            streams: as in `Query`.
        """

    # The past -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def rebuild(self, projections: Sequence[Projection[Any]], stream: str, at: Moment | None = None) -> list[Rebuilt]:
        """States of projections over a stream, or over all streams that a trailing `*` matches, at a moment.

        Starts from the newest snapshots before the moment, if there are some of the same projection version; one pass
        over the events if the engine can. An event that a projection cannot take costs it that event only.
        """

    def reconstruct(self, projection: Projection[S], stream: str, at: Moment | None = None) -> S:
        """State of one projection, see `rebuild`."""
        state: S = self.rebuild([projection], stream, at)[0].state
        return state

    def reconstruct_all(
        self, projections: Sequence[Projection[Any]], stream: str, at: Moment | None = None
    ) -> list[Any]:
        """States of several projections, see `rebuild`."""
        return [rebuilt.state for rebuilt in self.rebuild(projections, stream, at)]

    def reconstruct_correlated(
        self, projections: Sequence[Projection[Any]], correlation: str, stream: str = "*", at: Moment | None = None
    ) -> list[Any]:
        """States of projections over the events of one command or flow alone, which an index finds."""
        from qiki_eventstore.engine.reconstruction import of_correlation  # which needs this module

        return of_correlation(self, projections, correlation, stream, at)

    @abstractmethod
    def snapshot(self, projection: Projection[Any], stream: str) -> int:
        """Keep the projection's present state, so that reconstruction need not start at zero; its position."""

    # Care -----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def verify(self) -> Verification:
        """Recompute the hash chain; compare it with the stored one, the signed heads, segments, holds and snapshots."""

    @abstractmethod
    def backup(self, path: Path) -> None:
        """Write a consistent copy while appends go on. An existing file is refused."""

    @abstractmethod
    def stats(self) -> Stats:
        """Counts and sizes; cheap enough to call every second."""

    @abstractmethod
    def close(self) -> None:
        """Store what is queued, then release everything. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.close()
