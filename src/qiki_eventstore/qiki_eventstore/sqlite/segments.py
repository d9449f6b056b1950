"""Segments and holds of a SQLite store, and dropping what a segment holds.

Events are dropped from the oldest on, so that what is left is everything after one position, the floor.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, Final, TypeVar

import apsw

from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.retention.policy import Hold
from qiki_eventstore.retention.segment import Segment, from_json, to_json

R = TypeVar("R")

# Made on first use: most stores never drop anything. `dropped` is the database's own table of ranges that are gone.
_DDL: Final = """
CREATE TABLE IF NOT EXISTS segments(
    first INTEGER PRIMARY KEY,
    extent TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    sealed INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS holds(name TEXT PRIMARY KEY, hold TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
# Versions up to 0.1 sealed a Parquet file and an MCAP file, which repeats its payloads.
_FROM_PARQUET: Final = """
ALTER TABLE segments RENAME COLUMN parquet TO file;
ALTER TABLE segments RENAME COLUMN parquet_sha256 TO sha256;
ALTER TABLE segments DROP COLUMN mcap;
ALTER TABLE segments DROP COLUMN mcap_sha256;
"""


class SqliteCatalogue:
    """See `retention.Catalogue`.

    Args:
        connection: gives a connection that reads.
        run: does some work durably in the writer's transaction.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractContextManager[apsw.Connection]],
        run: Callable[[Callable[[apsw.Connection], Any]], Any],
    ) -> None:
        self._connection, self._run = connection, run

    def segments(self) -> list[Segment]:
        with self._connection() as connection:
            return load_segments(connection)

    def add(self, segment: Segment) -> None:
        row = (
            segment.extent.first,
            to_json(segment.extent),
            segment.file,
            segment.sha256,
            segment.sealed,
            int(segment.dropped),
        )
        self._write(lambda connection: connection.execute("INSERT INTO segments VALUES (?,?,?,?,?,?)", row))

    def drop(self, segment: Segment, holds: Sequence[Hold]) -> bool:
        def work(connection: apsw.Connection) -> bool:
            if load_holds(connection) != list(holds):
                return False
            _drop(connection, segment)
            return True

        return self._write(work)

    def holds(self) -> list[Hold]:
        with self._connection() as connection:
            return load_holds(connection)

    def place(self, hold: Hold) -> None:
        def work(connection: apsw.Connection) -> None:
            if connection.execute("SELECT 1 FROM holds WHERE name = ?", (hold.name,)).get:
                raise ValueError(f"name = {hold.name!r}: a hold of that name is there already; lift it first")
            connection.execute("INSERT INTO holds VALUES (?, ?)", (hold.name, json.dumps(asdict(hold))))

        self._write(work)

    def lift(self, name: str) -> None:
        def work(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM holds WHERE name = ?", (name,))
            if not connection.changes():
                raise ValueError(f"name = {name!r}: there is no hold of that name")

        self._write(work)

    def _write(self, work: Callable[[apsw.Connection], R]) -> R:
        def made(connection: apsw.Connection) -> R:
            connection.execute(_DDL)
            if _has_parquet(connection):
                connection.execute(_FROM_PARQUET)
            return work(connection)

        result: R = self._run(made)
        return result


def load_floor(connection: apsw.Connection) -> int:
    """Last position that was dropped; 0 if none was."""
    floor: int = connection.execute("SELECT coalesce(max(last), 0) FROM dropped").get
    return floor


def load_segments(connection: apsw.Connection) -> list[Segment]:
    """All segments, in order of positions."""
    if not _exists(connection, "segments"):
        return []
    file = "parquet, parquet_sha256" if _has_parquet(connection) else "file, sha256"
    rows = connection.execute(f"SELECT extent, {file}, sealed, dropped FROM segments ORDER BY first")
    return [Segment(from_json(row[0]), row[1], row[2], row[3], bool(row[4])) for row in rows]


def load_holds(connection: apsw.Connection) -> list[Hold]:
    """All holds, sorted by name."""
    if not _exists(connection, "holds"):
        return []
    return [_hold(text) for (text,) in connection.execute("SELECT hold FROM holds ORDER BY name")]


def _drop(connection: apsw.Connection, segment: Segment) -> None:
    extent = segment.extent
    if extent.first != load_floor(connection) + 1:
        raise ValueError(f"segment from {extent.first}: only the oldest events can be dropped")
    connection.execute("DELETE FROM events WHERE position BETWEEN ? AND ?", (extent.first, extent.last))
    if connection.changes() != extent.events:
        raise StoreCorrupt(f"events between {extent.first} and {extent.last} are missing", extent.first)
    connection.executemany(
        "UPDATE streams SET dropped = ? WHERE name = ?", [(last, name) for name, (_, last) in extent.streams.items()]
    )
    connection.execute(
        "INSERT INTO dropped VALUES (?, ?, ?, ?)", (extent.first, extent.last, extent.recorded_end, extent.hash)
    )
    connection.execute("UPDATE segments SET dropped = 1 WHERE first = ?", (extent.first,))


def _has_parquet(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM pragma_table_info('segments') WHERE name = 'parquet'").get is not None


def _exists(connection: apsw.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).get is not None


def _hold(text: str) -> Hold:
    values = json.loads(text)
    return Hold(**{**values, "streams": tuple(values["streams"])})
