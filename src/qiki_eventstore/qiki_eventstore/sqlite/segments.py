"""Segments and holds of a SQLite store, which has tables for them from their first use on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import apsw

from qiki_eventstore.retention.catalogue import Change, StoreCatalogue, load_holds, load_segments
from qiki_eventstore.retention.policy import Hold
from qiki_eventstore.retention.segment import Segment

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
# Version 0.1 sealed a Parquet file, and an MCAP file that repeated its payloads.
_FROM_PARQUET: Final = """
ALTER TABLE segments RENAME COLUMN parquet TO file;
ALTER TABLE segments RENAME COLUMN parquet_sha256 TO sha256;
ALTER TABLE segments DROP COLUMN mcap;
ALTER TABLE segments DROP COLUMN mcap_sha256;
"""
_PARQUET: Final = "(SELECT first, extent, parquet AS file, parquet_sha256 AS sha256, sealed, dropped FROM segments)"


class SqliteCatalogue(StoreCatalogue):
    """See `StoreCatalogue`.

    Args:
        connection: gives a connection that reads.
        run, store: as of `StoreCatalogue`.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractContextManager[apsw.Connection]],
        run: Callable[[Callable[[apsw.Connection], Change[Any]]], Any] | None = None,
        store: str = "",
    ) -> None:
        super().__init__(connection, run, store, make_tables)

    def segments(self) -> list[Segment]:
        with self._connection() as connection:
            columns = _columns(connection, "segments")
            return load_segments(connection, _PARQUET if "parquet" in columns else "segments") if columns else []

    def holds(self) -> list[Hold]:
        with self._connection() as connection:
            return load_holds(connection) if _columns(connection, "holds") else []


def make_tables(connection: apsw.Connection) -> None:
    """Make the tables of segments and holds where there are none yet."""
    connection.execute(_DDL)
    if "parquet" in _columns(connection, "segments"):
        connection.execute(_FROM_PARQUET)


def _columns(connection: apsw.Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
