"""The file of a sealed segment: a SQLite database with the tables of a store whose earlier events were dropped.

So it is verified by the walk that verifies a store, and `open_store("sqlite:///FILE?mode=ro")` reads it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import apsw

from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.files import draft_of, sync, sync_folder
from qiki_eventstore.retention.parquet import read_parquet
from qiki_eventstore.retention.segment import Extent, Segment
from qiki_eventstore.sqlite.restoring import restore_events
from qiki_eventstore.sqlite.schema import check, open_reader, open_writer


def write_segment(path: Path, events: Sequence[RecordedEvent], extent: Extent, store_id: str) -> None:
    """Write the events of a segment to a new file, whole and durable, or not at all; replaces a file of that name.

    Raises:
        StoreFull: no room for it.
    """
    with draft_of(path, replaces=True) as draft:
        connection = open_writer(draft, "OFF")  # synced as a whole below
        try:
            _fill(connection, events, extent, store_id)
            # One file, which can also be read where nothing can be written.
            connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            connection.close()
        with draft.open("rb") as file:
            sync(file)
        draft.replace(path)
    sync_folder(path.parent)


@contextmanager
def opened(path: Path, segment: Segment) -> Iterator[apsw.Connection]:
    """A connection that reads the segment of a file; one of a Parquet file is copied into memory and verified.

    Raises:
        StoreCorrupt: it is no segment, or damaged; names it.
    """
    try:
        if path.suffix == ".parquet":
            connection = open_writer(Path(":memory:"), "OFF")
            _fill(connection, _from_parquet(path, segment.extent), segment.extent, "")
        else:
            connection = open_reader(path)
            check(connection, path)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreCorrupt(f"{path}: not a segment, or damaged: {error}") from error
    try:
        yield connection
    finally:
        connection.close()


def _from_parquet(path: Path, extent: Extent) -> list[RecordedEvent]:
    try:
        events = list(read_parquet(path))
        found = Extent.of(events, extent.before, extent.first, extent.last)
    except StoreCorrupt as error:
        raise StoreCorrupt(f"{path}: {error}", error.position) from error
    except Exception as error:
        raise StoreCorrupt(f"{path}: not a segment, or damaged: {error!r}") from error
    if found != extent:
        raise StoreCorrupt(f"{path}: its events are not those that were sealed", extent.first)
    return events


def _fill(connection: apsw.Connection, events: Sequence[RecordedEvent], extent: Extent, store_id: str) -> None:
    with connection:
        restore_events(connection, events, UUID(store_id).bytes if store_id else bytes(16))
        connection.executemany(
            "UPDATE streams SET dropped = ? WHERE name = ?",
            [(first - 1, name) for name, (first, _) in extent.streams.items()],
        )
        if extent.first > 1:
            connection.execute(
                "INSERT INTO dropped VALUES (1, ?, ?, ?)", (extent.first - 1, extent.recorded_start, extent.before)
            )
