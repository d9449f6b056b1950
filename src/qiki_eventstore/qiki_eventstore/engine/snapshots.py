"""Snapshots that are taken by themselves, so that no moment of the past is far from one."""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

from qiki_events import Projection
from qiki_eventstore.engine.reconstruction import Folding, handled, readable
from qiki_eventstore.engine.tables import Snapshot, Tables
from qiki_eventstore.store import EventStore, Query


class Snapshots:
    """Folds projections over each group of streams as the store grows. Streams `alpha/…` are the group `alpha/*`.

    Args:
        every: events between two snapshots.
    """

    def __init__(self, store: EventStore, tables: Tables, projections: list[Projection[Any]], every: int) -> None:
        self._store, self._tables, self._projections, self._every = store, tables, projections, every
        self._types = handled(projections)
        self._states: dict[tuple[str, str], Folding] = {}
        self._position: int | None = None

    def due(self, head: int) -> bool:
        """True if enough events came since the last snapshots."""
        return bool(self._projections) and head - (self._position or 0) >= self._every

    def stop(self) -> None:
        """Take no more."""
        self._projections = []

    def job(self) -> bool:
        """Fold and keep the next states if they are due; whether there is more to do."""
        if not self._projections:
            return False
        head = self._store.head()
        if not self.due(head):
            return False
        if self._position is None:
            self._position = self._resume(head) // self._every * self._every
        elif self._position + self._every <= head:
            self._step(self._position + self._every)
        return self.due(head)

    def _resume(self, head: int) -> int:
        """Take the states of the newest snapshots; the position up to which all of them are folded."""
        positions = [head]
        for pattern in _groups(self._store):
            for projection in self._projections:
                found = self._tables.snapshot(projection, pattern, head)
                if found is not None:
                    self._states[projection.name, pattern] = Folding.of(projection, found)
                    positions.append(found.position)
                else:
                    first = self._store.read_all(Query(streams=(pattern,), limit=1))
                    positions.append(next(first).position - 1)
        return min(positions)

    def _step(self, end: int) -> None:
        """Fold up to a position, and keep the states there."""
        if self._types != ():
            query = Query(after=self._position, before=end + 1, types=self._types or ())
            for event in self._store.read_all(query):
                data, pattern = readable(event), _group(event.stream)
                for projection in self._projections:
                    self._state(projection, pattern).apply(event, data)
        states = [
            (projection, pattern, self._state(projection, pattern))
            for pattern in _groups(self._store)
            for projection in self._projections
        ]
        kept = [(*place, one.state, one.skipped) for *place, one in states if one.position <= end]
        self._tables.keep_snapshots(kept, end)
        self._position = end

    def _state(self, projection: Projection[Any], pattern: str) -> Folding:
        return self._states.setdefault((projection.name, pattern), Folding.of(projection, None))


def check_snapshots(store: EventStore, tables: Tables, projections: Sequence[Projection[Any]]) -> str:
    """Check every snapshot, and fold those of the projections again; a reason if one is another, else empty."""
    known = {(one.name, one.version): one for one in projections}
    by_stream: dict[tuple[str, int, str], list[Snapshot]] = {}
    for name, version, stream, snapshot in tables.snapshots():
        if snapshot is None:
            return f"a snapshot of projection {name!r} over {stream!r} is not as it was taken: it is not used"
        by_stream.setdefault((name, version, stream), []).append(snapshot)
    for (name, version, stream), snapshots in by_stream.items():
        if (projection := known.get((name, version))) is None:
            continue
        folding, types = Folding.of(projection, None), handled([projection])
        query = Query(streams=(stream,), types=types or (), before=snapshots[-1].position + 1)
        events = chain(store.read_all(query) if types != () else (), (None,))
        event = next(events)
        for snapshot in snapshots:
            while event is not None and event.position <= snapshot.position:
                folding.apply(event, readable(event))
                event = next(events)
            dumped = json.loads(json.dumps(projection.dump(folding.state)))
            if (dumped, folding.skipped) != (snapshot.state, snapshot.skipped):
                at = f"the snapshot of projection {name!r} over {stream!r} at position {snapshot.position}"
                return f"{at} is not the state that the events give"
    return ""


def _group(stream: str) -> str:
    return stream.split("/", 1)[0] + "/*" if "/" in stream else stream


def _groups(store: EventStore) -> set[str]:
    return {_group(stream) for stream in store.streams()}
