"""Snapshots that are taken by themselves, so that no moment of the past is far from one."""

from typing import Any

from qiki_events import Projection
from qiki_eventstore.engine.reconstruction import handled
from qiki_eventstore.engine.tables import Tables
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.payload import decode
from qiki_eventstore.store import EventStore, Query


class Snapshots:
    """Folds projections over each group of streams as the store grows. Streams `alpha/…` are the group `alpha/*`.

    Args:
        every: events between two snapshots.
    """

    def __init__(self, store: EventStore, tables: Tables, projections: list[Projection[Any]], every: int) -> None:
        self._store, self._tables, self._projections, self._every = store, tables, projections, every
        self._types = handled(projections)
        self._states: dict[tuple[str, str], tuple[int, Any]] = {}
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
                    self._states[projection.name, pattern] = (found[0], projection.load(found[1]))
                    positions.append(found[0])
                else:
                    first = self._store.read_all(Query(streams=(pattern,), limit=1))
                    positions.append(next(first).position - 1)
        return min(positions)

    def _step(self, end: int) -> None:
        """Fold up to a position, and keep the states there."""
        if self._types != ():
            query = Query(after=self._position, before=end + 1, types=self._types or ())
            for event in self._store.read_all(query):
                self._fold(event)
        states = [
            (projection, pattern, *self._state(projection, pattern))
            for pattern in _groups(self._store)
            for projection in self._projections
        ]
        kept = [(projection, pattern, state) for projection, pattern, position, state in states if position <= end]
        self._tables.keep_snapshots(kept, end)
        self._position = end

    def _fold(self, event: RecordedEvent) -> None:
        pattern = _group(event.stream)
        data = decode(event)
        for projection in self._projections:
            position, state = self._state(projection, pattern)
            if event.position > position:
                state = projection.apply(state, event, data)
                self._states[projection.name, pattern] = (event.position, state)

    def _state(self, projection: Projection[Any], pattern: str) -> tuple[int, Any]:
        return self._states.get((projection.name, pattern)) or (0, projection.initial())


def _group(stream: str) -> str:
    return stream.split("/", 1)[0] + "/*" if "/" in stream else stream


def _groups(store: EventStore) -> set[str]:
    return {_group(stream) for stream in store.streams()}
