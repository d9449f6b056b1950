"""Any past state: events folded up to a moment, from the newest snapshot before it. The same for every engine.

A moment cuts each stream somewhere. `AtPosition`, `AtRecorded` and `AtVersion` cut all streams at one position.
`AtTime` cuts each stream after its last event that is not later; the events before the cuts are folded in order of
positions. A snapshot holds the state up to a position, so it serves as long as no stream is cut before that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from qiki_events import Projection
from qiki_eventstore.events import AtPosition, AtRecorded, AtTime, AtVersion, Moment, RecordedEvent
from qiki_eventstore.payload import decode
from qiki_eventstore.store import EventStore, Query


class Kept(Protocol):
    """Storage of snapshots: see `engine.tables.Tables`."""

    def snapshot(self, projection: Projection[Any], stream: str, last: int) -> tuple[int, Mapping[str, Any]] | None:
        """Position and state of the newest one at or before a position."""

    def keep_snapshots(self, snapshots: list[tuple[Projection[Any], str, Any]], position: int) -> None:
        """Keep states up to a position."""


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
) -> list[Any]:
    """States of projections at a moment, in one pass over the events that they handle. See `EventStore.reconstruct`.

    Raises:
        ValueError: a version that the stream has not reached, or the version of more than one stream.
    """
    return _fold(store, tables, projections, stream, _cut(store, stream, at))


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
    states = [projection.initial() for projection in projections]
    cut, types = _cut(store, stream, at), handled(projections)
    query = Query(before=cut.last + 1, streams=(stream,), types=types or (), correlation=correlation)
    for event in store.read_all(query) if types != () else ():
        if cut.holds(event):
            data = decode(event)
            states = [
                projection.apply(state, event, data) for projection, state in zip(projections, states, strict=True)
            ]
    return states


def take_snapshot(
    store: EventStore, tables: Kept, projection: Projection[Any], stream: str, head: int | None = None
) -> int:
    """See `EventStore.snapshot`. `head`: nothing can appear any more up to it; None: the end."""
    head = store.head() if head is None else head
    (state,) = _fold(store, tables, [projection], stream, _Cut(head, head))
    tables.keep_snapshots([(projection, stream, state)], head)
    return head


def handled(projections: Iterable[Projection[Any]]) -> tuple[str, ...] | None:
    """Types of events that change any of the states; None: all may. `*` stands for all."""
    types: set[str] = set()
    for projection in projections:
        types.update(getattr(projection, "types", ("*",)))
    return None if "*" in types else tuple(sorted(types))


def _fold(store: EventStore, tables: Kept, projections: Sequence[Projection[Any]], stream: str, cut: _Cut) -> list[Any]:
    found = [tables.snapshot(projection, stream, cut.complete) for projection in projections]
    starts = [0 if snapshot is None else snapshot[0] for snapshot in found]
    states = [
        projection.initial() if snapshot is None else projection.load(snapshot[1])
        for projection, snapshot in zip(projections, found, strict=True)
    ]
    types = handled(projections)
    if types == () or not projections:
        return states
    query = Query(after=min(starts), before=cut.last + 1, streams=(stream,), types=types or ())
    for event in store.read_all(query):
        if not cut.holds(event):
            continue
        data = decode(event)
        for index, projection in enumerate(projections):
            if event.position > starts[index]:
                states[index] = projection.apply(states[index], event, data)
    return states


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
