"""Reading events that retention has dropped, from the files of their segments."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Selector
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.segment import Extent, Segment
from qiki_eventstore.retention.segment_file import opened
from qiki_eventstore.sqlite.pool import SQLITE, OneReader
from qiki_eventstore.store import Query, matcher


class Archive:
    """The dropped segments of a store.

    Args:
        folder: of the segment files; None: the store was opened without one.
        segments: of the store, in order of positions; those that are not dropped are left out.
    """

    def __init__(self, folder: Path | None, segments: Iterable[Segment]) -> None:
        self._folder = folder
        self._segments = [segment for segment in segments if segment.dropped]

    def read_all(self, query: Query) -> Iterator[RecordedEvent]:
        """Events that match, in the query's order; its limit is left to the caller.

        Raises:
            StoreUnavailable: a file that may hold such events is not there; names it.
            StoreCorrupt: a file is damaged.
        """
        for segment in reversed(self._segments) if query.backwards else self._segments:
            if _may_match(segment.extent, query):
                with self._opened(segment) as connection:
                    yield from Selector(OneReader(connection), SQLITE, Names()).all(query)

    def read(self, stream: str, start: int, end: int | None) -> Iterator[RecordedEvent]:
        """Events of a stream with start <= version < end.

        Raises:
            StoreUnavailable, StoreCorrupt: as `read_all`.
        """
        for segment in self._segments:
            first, last = segment.extent.streams.get(stream, (0, -1))
            if last >= start and first <= last and (end is None or first < end):
                with self._opened(segment) as connection:
                    yield from Selector(OneReader(connection), SQLITE, Names()).stream(stream, start, end)

    def ids(self) -> set[bytes]:
        """Ids of all events, 16 bytes each.

        Raises:
            StoreUnavailable, StoreCorrupt: as `read_all`.
        """
        found: set[bytes] = set()
        for segment in self._segments:
            with self._opened(segment) as connection, OneReader(connection).connection():
                found.update(id for (id,) in connection.execute("SELECT id FROM events"))
        return found

    @contextmanager
    def _opened(self, segment: Segment) -> Iterator[apsw.Connection]:
        extent = segment.extent
        gone = f"positions {extent.first} to {extent.last} were dropped by retention"
        rest = f"or read only what comes after position {extent.last}"
        if self._folder is None:
            raise StoreUnavailable(f"{gone}: open the store with segments=FOLDER, {rest}")
        path = self._folder / segment.file
        if not path.is_file():
            raise StoreUnavailable(f"{gone}, and their file {path} is missing: put it back, {rest}")
        with opened(path, segment) as connection:
            yield connection


def _may_match(extent: Extent, query: Query) -> bool:
    return (
        (query.after is None or extent.last > query.after)
        and (query.before is None or extent.first < query.before)
        and (query.start is None or extent.end >= query.start)
        and (query.end is None or extent.start < query.end)
        and (query.recorded_start is None or extent.recorded_end >= query.recorded_start)
        and (query.recorded_end is None or extent.recorded_start < query.recorded_end)
        and (
            not query.streams or any(matcher(pattern)(stream) for pattern in query.streams for stream in extent.streams)
        )
    )
