"""Any past state: events folded up to a moment, from the newest snapshot before it. The same for every engine.

A moment cuts each stream somewhere. `AtPosition`, `AtRecorded` and `AtVersion` cut all streams at one position.
`AtTime` cuts each stream after its last event that is not later; the events before the cuts are folded in order of
positions. A snapshot holds the state up to a position, so it serves as long as no stream is cut before that.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from qiki_events import Projection
from qiki_eventstore.engine.tables import Snapshot
from qiki_eventstore.errors import PayloadError
from qiki_eventstore.events import AtPosition, AtRecorded, AtTime, AtVersion, Moment, RecordedEvent
from qiki_eventstore.store import EventStore, Query, Rebuilt, matcher

_log = logging.getLogger(__name__)


class Kept(Protocol):
    """Storage of snapshots: see `engine.tables.Tables`."""

    def snapshot(self, projection: Projection[Any], stream: str, last: int) -> Snapshot | None:
        """The newest one at or before a position."""

    def keep_snapshots(self, snapshots: list[tuple[Projection[Any], str, Any, int]], position: int) -> None:
        """Keep states up to a position, and the events left out of each."""


@dataclass(slots=True)
class Folding:
    """A projection that is folded.

    Attributes:
        projection: whose state it is.
        position: of the last event in the state.
        state: so far.
        skipped: events that it handles and could not take.
    """

    projection: Projection[Any]
    position: int
    state: Any
    skipped: int = 0

    @classmethod
    def of(cls, projection: Projection[Any], snapshot: Snapshot | None) -> "Folding":
        """From a snapshot on; None: from zero."""
        if snapshot is None:
            return cls(projection, 0, projection.initial())
        return cls(projection, snapshot.position, projection.load(snapshot.state), snapshot.skipped)

    def apply(self, event: RecordedEvent, data: Mapping[str, Any] | None) -> None:
        """The next event; it is left out, and counted, if its payload cannot be read (None) or the projection fails."""
        if event.position <= self.position:
            return
        self.position = event.position
        try:
            if data is not None:
                self.state = self.projection.apply(self.state, event, data)
                return
        except Exception:  # whatever is in the payload: it costs this event alone
            _log.debug("event %d is left out of %s", event.position, self.projection.name, exc_info=True)
        types = handled([self.projection])
        self.skipped += types is None or any(matcher(type)(event.type) for type in types)


def readable(event: RecordedEvent) -> Mapping[str, Any] | None:
    """The payload; None if it cannot be read."""
    try:
        return event.data
    except PayloadError:
        return None


@dataclass(frozen=True, slots=True)
class _Cut:
    """Limits of the events that lie before a moment.

    Attributes:
        last: no event after this position does.
        complete: every event up to this position does.
        versions: last version of each stream that is cut before `last`.
    """

    last: int
    complete: int
    versions: Mapping[str, int] = field(default_factory=dict)

    def holds(self, event: RecordedEvent) -> bool:
        """True if an event, not after `last`, lies before the moment."""
        return event.version <= self.versions.get(event.stream, event.version)


def reconstruct(
    store: EventStore, tables: Kept, projections: Sequence[Projection[Any]], stream: str, at: Moment | None = None
) -> list[Rebuilt]:
    """States of projections at a moment, in one pass over the events that they handle. See `EventStore.rebuild`.

    Raises:
        ValueError: a version that the stream has not reached, or the version of more than one stream.
    """
    folded = _fold(store, tables, projections, stream, _cut(store, stream, at))
    return [Rebuilt(one.state, one.skipped) for one in folded]


def of_correlation(
    store: EventStore,
    projections: Sequence[Projection[Any]],
    correlation: str,
    stream: str = "*",
    at: Moment | None = None,
) -> list[Any]:
    """States of projections over the events of one command or flow alone, found by its index.

    Raises:
        ValueError: as `reconstruct`.
    """
    foldings = [Folding.of(projection, None) for projection in projections]
    cut, types = _cut(store, stream, at), handled(projections)
    query = Query(before=cut.last + 1, streams=(stream,), types=types or (), correlation=correlation)
    for event in store.read_all(query) if types != () else ():
        if cut.holds(event):
            data = readable(event)
            for folding in foldings:
                folding.apply(event, data)
    return [folding.state for folding in foldings]


def take_snapshot(
    store: EventStore, tables: Kept, projection: Projection[Any], stream: str, head: int | None = None
) -> int:
    """See `EventStore.snapshot`. `head`: nothing can appear any more up to it; None: the end."""
    head = store.head() if head is None else head
    (folded,) = _fold(store, tables, [projection], stream, _Cut(head, head))
    tables.keep_snapshots([(projection, stream, folded.state, folded.skipped)], head)
    return head


def handled(projections: Iterable[Projection[Any]]) -> tuple[str, ...] | None:
    """Types of events that change any of the states; None: all may. `*` stands for all."""
    types: set[str] = set()
    for projection in projections:
        types.update(getattr(projection, "types", ("*",)))
    return None if "*" in types else tuple(sorted(types))


def _fold(
    store: EventStore, tables: Kept, projections: Sequence[Projection[Any]], stream: str, cut: _Cut
) -> list[Folding]:
    foldings = [Folding.of(one, tables.snapshot(one, stream, cut.complete)) for one in projections]
    types = handled(projections)
    if types == () or not projections:
        return foldings
    first = min(folding.position for folding in foldings)
    events = store.read_all(Query(after=first, before=cut.last + 1, streams=(stream,), types=types or ()))
    for event in filter(cut.holds, events) if cut.versions else events:
        data = readable(event)
        for folding in foldings:
            folding.apply(event, data)
    return foldings


def _cut(store: EventStore, stream: str, at: Moment | None) -> _Cut:
    head = store.head()
    match at:
        case None:
            last = head
        case AtPosition(position):
            last = min(position, head)
        case AtRecorded(recorded):
            last = _last_position(store, Query(recorded_end=recorded + 1))
        case AtVersion(version):
            last = _position_of(store, stream, version)
        case AtTime(time):
            return _cut_by_time(store, stream, time, head)
    return _Cut(last, last)


def _position_of(store: EventStore, stream: str, version: int) -> int:
    if stream.endswith("*"):
        raise ValueError(f"stream {stream!r}: AtVersion names the version of one stream, not of a pattern")
    if version < 0:
        return 0
    found = store.read(stream, version, version + 1)
    if not found:
        raise ValueError(f"stream {stream!r} is at version {store.version(stream)}, it has no version {version}")
    return found[0].position


def _cut_by_time(store: EventStore, stream: str, time: int, head: int) -> _Cut:
    last, complete = 0, head
    versions: dict[str, int] = {}
    for name in store.streams(stream):
        cut = _last_of(store, Query(streams=(name,), end=time + 1, before=head + 1))
        position, version = (0, -1) if cut is None else cut
        last = max(last, position)
        if later := store.read(name, version + 1, version + 2):
            versions[name] = version
            complete = min(complete, later[0].position - 1)
    return _Cut(last, complete, versions)


def _last_position(store: EventStore, query: Query) -> int:
    found = _last_of(store, query)
    return 0 if found is None else found[0]


def _last_of(store: EventStore, query: Query) -> tuple[int, int] | None:
    """Position and version of the last event that matches."""
    for event in store.read_all(replace(query, limit=1, backwards=True)):
        return event.position, event.version
    return None
