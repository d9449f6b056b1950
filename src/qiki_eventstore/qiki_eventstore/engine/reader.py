"""Reading a store: what is in the database, and what retention moved out of it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Dropped, Selector
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.archive import Archive
from qiki_eventstore.retention.catalogue import load_floor
from qiki_eventstore.sqlite.location import beside
from qiki_eventstore.sqlite.pool import Readers
from qiki_eventstore.sqlite.segments import SqliteCatalogue
from qiki_eventstore.store import Query


class Reader:
    """Answers from any thread, over connections of its own."""

    def __init__(self, path: Path) -> None:
        self.readers = Readers(path)
        self._segments = beside(path, ".segments")
        self._names = Names()
        self.connection = self.readers.connection
        self.close = self.readers.close

    def head(self) -> int:
        """Position of the last event, as the database has it."""
        with self.connection() as connection:
            return load_head(connection).position

    def counts(self) -> tuple[int, int, int]:
        """Position of the last event, number of streams, events that retention dropped."""
        with self.connection() as connection:
            gone = connection.execute("SELECT coalesce(sum(last - first + 1), 0) FROM dropped").get
            streams = connection.execute("SELECT coalesce(max(id), 0) FROM streams").get
            head = load_head(connection).position
        return head, streams, gone

    def version(self, stream: str) -> int:
        """Version of the stream's last event, or -1."""
        with self.connection() as connection:
            row = connection.execute(
                "SELECT max(dropped, (SELECT coalesce(max(version), -1) FROM events WHERE stream = streams.id))"
                " FROM streams WHERE name = ?",
                (stream,),
            ).get
        return -1 if row is None else int(row)

    def streams(self) -> list[str]:
        """Names of all streams, sorted."""
        with self.connection() as connection:
            return self._names.all(connection, "streams")

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

    def _archive(self) -> Archive:
        segments = SqliteCatalogue(self.connection, _only_reads).segments()
        return Archive(self._segments, [segment for segment in segments if segment.dropped])

    def _since(self, floor: int) -> Selector:
        return Selector(self.readers, self._names, floor)


def _only_reads(_work: object) -> None:
    raise StoreUnavailable("a reader does not write")
