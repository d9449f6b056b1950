"""Retention: limits of age, number and size, and holds, which keep events beyond these limits."""

from dataclasses import dataclass

from qiki_eventstore.store import EventStore, Query


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds of what stays in the store. Events beyond any of those that are given are due.

    Events leave in whole segments, so up to `segment_events` of those due stay until their segment is full.

    Attributes:
        max_age: s since the recording.
        max_events: newest events that stay.
        max_bytes: bytes of the newest events' payloads that stay.
        segment_events: events of a segment, 1 to 1 000 000.

    Raises:
        ValueError: naming the field, its value and the allowed range.
    """

    max_age: float | None = None
    max_events: int | None = None
    max_bytes: int | None = None
    segment_events: int = 10_000

    def __post_init__(self) -> None:
        if self.max_age is None and self.max_events is None and self.max_bytes is None:
            raise ValueError("one of max_age, max_events and max_bytes must be given")
        if self.max_age is not None and not 0.0 <= self.max_age < float("inf"):
            raise ValueError(f"max_age = {self.max_age}: allowed: 0 s or more, finite")
        for name in ("max_events", "max_bytes"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} = {value}: allowed: 0 or more")
        if not 1 <= self.segment_events <= 1_000_000:
            raise ValueError(f"segment_events = {self.segment_events}: allowed: 1 to 1000000")

    def due(self, store: EventStore, now: int, floor: int = 0) -> int:
        """Position of the last event that is due; the floor if none is.

        Args:
            store: whose events.
            now: ns since the Unix epoch.
            floor: position up to which events have left the store already.
        """
        due = floor
        if self.max_age is not None:
            recorded = Query(after=floor, recorded_end=now - round(self.max_age * 1e9), backwards=True, limit=1)
            due = max([due, *(event.position for event in store.read_all(recorded))])
        if self.max_events is not None:
            due = max(due, store.head() - self.max_events)
        if self.max_bytes is not None:
            due = max(due, self._beyond_bytes(store, due, self.max_bytes))
        return due

    @staticmethod
    def _beyond_bytes(store: EventStore, due: int, left: int) -> int:
        for event in store.read_all(Query(after=due, backwards=True)):
            left -= len(event.payload)
            if left < 0:
                return event.position
        return 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: events that match stay in the store until it is lifted. All conditions that are given must match.

    As events leave the store from the oldest on, everything from the first segment with an event under hold on stays.
    Events that left before the hold was placed are in the segment files, which retention never deletes.

    Attributes:
        name: by which it is lifted.
        reason: its origin and cause.
        streams: as in `Query`; empty for all.
        start: earliest event time, ns (inclusive).
        end: latest event time, ns (exclusive).
        correlation: correlation id.

    Raises:
        ValueError: naming the field, its value and the allowed ones.
    """

    name: str
    reason: str = ""
    streams: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None
    correlation: str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError(f"name = {self.name!r}: allowed: a text that is not empty")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start = {self.start}, end = {self.end}: allowed: start before end")

    def covers(self, store: EventStore, first: int, last: int) -> bool:
        """True if an event from one position to another is under the hold."""
        query = Query(
            after=first - 1,
            before=last + 1,
            streams=self.streams,
            start=self.start,
            end=self.end,
            correlation=self.correlation,
            limit=1,
        )
        return any(True for _ in store.read_all(query))
