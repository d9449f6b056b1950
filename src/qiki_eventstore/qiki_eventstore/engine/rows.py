"""Rows of the database as recorded events, and names as numbers."""

from collections.abc import Iterable
from typing import Any, Final

from qiki_eventstore.engine import batch
from qiki_eventstore.engine.backend import Connection
from qiki_eventstore.engine.batch import CONTENT_TYPES
from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.ids import as_uuid
from qiki_eventstore.store import matcher

COLUMNS: Final = ", ".join(batch.COLUMNS)


class Names:
    """The tables streams, types and sources, which only ever grow: read once, and again what is new."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Read every name again: after a fail-over a number may mean another name."""
        self._tables: dict[str, dict[int, str]] = {"streams": {}, "types": {}, "sources": {}}

    def matching(self, connection: Connection, table: str, patterns: Iterable[str]) -> list[int]:
        """Numbers of the names that one of the patterns matches; a trailing `*` matches any rest."""
        names = self._refreshed(connection, table)
        wanted = [matcher(pattern) for pattern in patterns]
        return [number for number, name in list(names.items()) if any(match(name) for match in wanted)]

    def all(self, connection: Connection, table: str) -> list[str]:
        """Every name, sorted."""
        return sorted(self._refreshed(connection, table).values())

    def events(self, connection: Connection, rows: list[tuple[Any, ...]]) -> list[RecordedEvent]:
        """The events of rows with `COLUMNS`."""
        try:
            return _events(rows, *self._tables.values())
        except (LookupError, ValueError):  # most likely new names
            tables = [self._refreshed(connection, table) for table in tuple(self._tables)]
        try:
            return _events(rows, *tables)
        except (LookupError, ValueError) as error:
            raise StoreCorrupt(
                f"an event from {rows[0][0]} to {rows[-1][0]} has a field that cannot be ({error!r}): restore a backup"
            ) from error

    def _refreshed(self, connection: Connection, table: str) -> dict[int, str]:
        known = self._tables[table]  # which another thread may have forgotten when it is read
        # Numbers run without gap, so that their count is the last that is known.
        known.update(list(connection.execute(f"SELECT id, name FROM {table} WHERE id > $1", (len(known),))))
        return known


def _events(
    rows: list[tuple[Any, ...]], streams: dict[int, str], types: dict[int, str], sources: dict[int, str]
) -> list[RecordedEvent]:
    return [
        RecordedEvent(
            row[0],
            streams[row[1]],
            row[2],
            as_uuid(row[3]),
            types[row[4]],
            sources[row[5]],
            row[6],
            row[7],
            row[8],
            row[9],
            row[10],
            CONTENT_TYPES[row[11]],
            row[12],
            row[13],
        )
        for row in rows
    ]
