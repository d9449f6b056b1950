"""Comparison of a store's segments and holds with the events that record them, and with the segment files."""

from pathlib import Path
from typing import TypeAlias

from qiki_eventstore.chain import GENESIS
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Selector
from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.retention import log
from qiki_eventstore.retention.catalogue import StoreCatalogue
from qiki_eventstore.retention.log import Record
from qiki_eventstore.retention.retention import check_file, verify_file
from qiki_eventstore.retention.segment import Segment
from qiki_eventstore.retention.segment_file import opened
from qiki_eventstore.sqlite.pool import SQLITE, OneReader
from qiki_eventstore.store import Query
from qiki_eventstore.verification import Bounds

Finding: TypeAlias = tuple[int | None, str]
"""First bad position, None if it is none of an event, and the reason."""


def finding(record: Record, bounds: Bounds, catalogue: StoreCatalogue, folder: Path | None) -> Finding | None:
    """The first thing that is wrong with segments and holds; None if nothing is.

    Args:
        record: of the events that are in the database.
        bounds: the store's extent.
        catalogue: its rows of segments and holds.
        folder: of the segment files; None: they are not looked at, as in a backup without them.
    """
    segments = [segment for segment in catalogue.segments() if segment.dropped]
    try:
        return (
            _of_gaps(segments, bounds, record)
            or (None if folder is None else _of_files(segments, record, folder))
            or _of_versions(segments, bounds)
            or _of_holds(record, catalogue)
        )
    except StoreCorrupt as error:
        return error.position, str(error)


def _of_gaps(segments: list[Segment], bounds: Bounds, record: Record) -> Finding | None:
    by_first = {segment.extent.first: segment for segment in segments}
    position, before = 0, GENESIS
    for first, (last, recorded, hash) in sorted(bounds.dropped.items()):
        segment = by_first.pop(first, None)
        if segment is None or first != position + 1:
            return first, f"events {first} to {last} are missing: no segment holds them"
        extent = segment.extent
        if (extent.last, extent.recorded_end, extent.hash, extent.before) != (last, recorded, hash, before):
            return first, f"events {first} to {last} are missing: the hashes of their segment do not join the chain"
        position, before = last, hash
    if by_first:
        return min(by_first), f"the segment from position {min(by_first)} counts as dropped, and nothing was dropped"
    if record.floor not in (None, (position, before.hex())):
        assert record.floor is not None
        return None, f"retention dropped events up to {record.floor[0]}, the store lacks those up to {position}"
    return None


def _of_files(segments: list[Segment], record: Record, folder: Path) -> Finding | None:
    # From the newest on: the event of an older segment may have left with a newer one.
    for segment in reversed(segments):
        extent = segment.extent
        path = check_file(folder, segment)
        known = record.segments.get(extent.first)
        if known is None:  # dropped by a version that recorded no event of it
            verify_file(path, segment)
        elif known != (segment.sha256.hex(), log.digest(segment)):
            return extent.first, f"the segment from {extent.first} to {extent.last} is not the one that was dropped"
        if path.suffix != ".parquet":
            with opened(path, segment) as connection:
                events = Selector(OneReader(connection), SQLITE, Names()).all(Query(streams=(log.STREAM,)))
                record.segments = {**Record(record.store).of(events).segments, **record.segments}
    return None


def _of_versions(segments: list[Segment], bounds: Bounds) -> Finding | None:
    left: dict[str, int] = {}
    for segment in segments:
        left.update({stream: last for stream, (_, last) in segment.extent.streams.items()})
    for stream, version in bounds.versions.items():
        if version != left.pop(stream, -1):
            return None, f"stream {stream!r}: version {version} counts as the last that was dropped, which is wrong"
    return (None, f"the name of stream {min(left)!r} is missing") if left else None


def _of_holds(record: Record, catalogue: StoreCatalogue) -> Finding | None:
    if not record.known and not catalogue.is_recorded():
        return None  # holds of an earlier version, which recorded no event of them
    rows = {hold.name: hold for hold in catalogue.holds()}
    for name in sorted(rows.keys() | record.holds.keys()):
        if name not in rows:
            return None, f"hold {name!r} was placed and never released, and is missing"
        if rows[name] != record.holds.get(name):
            return None, f"hold {name!r} is not as an event recorded it"
    return None
