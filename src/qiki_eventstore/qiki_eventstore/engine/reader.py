"""Reading a store: events in the database, and those that retention moved out of it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Dialect, Dropped, Pool, Selector
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.archive import Archive
from qiki_eventstore.retention.catalogue import load_floor
from qiki_eventstore.store import Query


class Reader:
    """Answers from any thread, over connections of its own.

    Args:
        pool: connections to the database.
        dialect: of the engine.
        archive: gives the dropped segments at this moment.
    """

    def __init__(self, pool: Pool, dialect: Dialect, archive: Callable[[], Archive]) -> None:
        self.names = Names()
        self.connection = pool.connection
        self._pool, self._dialect, self._archive = pool, dialect, archive

    def head(self) -> int:
        """Position of the last event, as the database has it."""
        with self.connection() as connection:
            return load_head(connection).position

    def counts(self) -> tuple[int, int, int]:
        """Position of the last event, number of streams, positions that retention dropped."""
        with self.connection() as connection:
            ((gone, streams),) = connection.execute(
                "SELECT (SELECT coalesce(sum(last - first + 1), 0) FROM dropped),"
                " (SELECT coalesce(max(id), 0) FROM streams)"
            )
            return load_head(connection).position, streams, int(gone)

    def version(self, stream: str) -> int:
        """Version of the stream's last event, or -1."""
        with self.connection() as connection:
            for dropped, stored in connection.execute(
                "SELECT dropped, (SELECT max(version) FROM events WHERE stream = streams.id) FROM streams"
                " WHERE name = $1",
                (stream,),
            ):
                return int(dropped if stored is None else stored)
        return -1

    def streams(self) -> list[str]:
        """Names of all streams, sorted."""
        with self.connection() as connection:
            return self.names.all(connection, "streams")

    def stream(self, name: str, start: int, end: int | None) -> list[RecordedEvent]:
        """Events of one stream by version, those that retention dropped from their files."""
        while True:
            floor = self._floor()
            archived = list(self._archive().read(name, start, end)) if floor else []
            try:
                return archived + list(self._since(floor).stream(name, start, end))
            except Dropped:
                continue

    def all(self, query: Query) -> Iterator[RecordedEvent]:
        """Events that match, in order of positions, those that retention dropped from their files."""
        left, last = query.limit, None
        while True:
            try:
                for event in islice(self._all_once(query), left):
                    last = event.position
                    left = None if left is None else left - 1
                    yield event
                return
            except Dropped:
                if last is not None:
                    query = replace(query, before=last) if query.backwards else replace(query, after=last)

    def _all_once(self, query: Query) -> Iterator[RecordedEvent]:
        floor = self._floor()
        stored = self._since(floor)
        if (query.after or 0) >= floor:
            yield from stored.all(query)
            return
        before = floor + 1 if query.before is None else min(query.before, floor + 1)
        archived = replace(query, before=before)
        if query.backwards:
            yield from stored.all(replace(query, after=floor))
            yield from self._archive().read_all(archived)
        else:
            yield from self._archive().read_all(archived)
            yield from stored.all(replace(query, after=floor))

    def _floor(self) -> int:
        with self.connection() as connection:
            return load_floor(connection)

    def _since(self, floor: int) -> Selector:
        return Selector(self._pool, self._dialect, self.names, floor)
