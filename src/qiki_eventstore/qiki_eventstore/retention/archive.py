"""Reading events that retention has dropped, from the Parquet files of their segments."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.segment import Extent, Segment
from qiki_eventstore.store import Query


class Archive:
    """The dropped segments of a store.

    Args:
        folder: where the segment files are.
        segments: those that were dropped, in order of positions.
    """

    def __init__(self, folder: Path, segments: Iterable[Segment]) -> None:
        self._folder = folder
        self._segments = list(segments)

    def read_all(self, query: Query) -> Iterator[RecordedEvent]:
        """Events that match, in the query's order; its limit is left to the caller.

        Raises:
            StoreUnavailable: a file that may hold such events is not there; names it.
            StoreCorrupt: a file is damaged.
        """
        after = 0 if query.after is None else query.after
        before = 2**63 - 1 if query.before is None else query.before
        for segment in reversed(self._segments) if query.backwards else self._segments:
            extent = segment.extent
            if extent.last > after and extent.first < before and _may_match(extent, query):
                for event in self._events(segment, after + 1, before - 1, backwards=query.backwards):
                    if matches(event, query):
                        yield event

    def read(self, stream: str, start: int, end: int | None) -> Iterator[RecordedEvent]:
        """Events of a stream with start <= version < end.

        Raises:
            StoreUnavailable, StoreCorrupt: as `read_all`.
        """
        for segment in self._segments:
            first, last = segment.extent.streams.get(stream, (0, -1))
            if last >= start and first <= last and (end is None or first < end):
                for event in self._events(segment):
                    if event.stream == stream and start <= event.version and (end is None or event.version < end):
                        yield event

    def ids(self) -> set[bytes]:
        """Ids of all events, 16 bytes each.

        Raises:
            StoreUnavailable, StoreCorrupt: as `read_all`.
        """
        from qiki_eventstore.retention.parquet import read_ids

        return {id for segment in self._segments for id in read_ids(self._path(segment))}

    def _events(
        self, segment: Segment, first: int = 0, last: int = 2**63 - 1, *, backwards: bool = False
    ) -> Iterator[RecordedEvent]:
        # Here, as most stores never read a segment, and pyarrow takes long to import.
        from qiki_eventstore.retention.parquet import read_parquet

        return read_parquet(self._path(segment), first, last, backwards=backwards)

    def _path(self, segment: Segment) -> Path:
        path = self._folder / segment.parquet
        if not path.is_file():
            extent = segment.extent
            raise StoreUnavailable(
                f"positions {extent.first} to {extent.last} were dropped by retention, and their file {path} is not"
                f" there: put it back, or ask for what comes after position {extent.last}"
            )
        return path


def matches(event: RecordedEvent, query: Query) -> bool:
    """Whether an event meets every condition of a query but its limit."""
    return (
        (query.after is None or event.position > query.after)
        and (query.before is None or event.position < query.before)
        and (query.start is None or event.time >= query.start)
        and (query.end is None or event.time < query.end)
        and (query.recorded_start is None or event.recorded >= query.recorded_start)
        and (query.recorded_end is None or event.recorded < query.recorded_end)
        and (query.correlation is None or event.correlation == query.correlation)
        and _named(event.type, query.types)
        and _named(event.stream, query.streams)
    )


def _may_match(extent: Extent, query: Query) -> bool:
    return (
        (query.start is None or extent.end >= query.start)
        and (query.end is None or extent.start < query.end)
        and (query.recorded_start is None or extent.recorded_end >= query.recorded_start)
        and (query.recorded_end is None or extent.recorded_start < query.recorded_end)
        and (not query.streams or any(_named(stream, query.streams) for stream in extent.streams))
    )


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns
    )
