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
        self._refresh(connection, table)
        wanted = [matcher(pattern) for pattern in patterns]
        return [number for number, name in list(self._tables[table].items()) if any(match(name) for match in wanted)]

    def all(self, connection: Connection, table: str) -> list[str]:
        """Every name, sorted."""
        self._refresh(connection, table)
        return sorted(self._tables[table].values())

    def events(self, connection: Connection, rows: list[tuple[Any, ...]]) -> list[RecordedEvent]:
        """The events of rows with `COLUMNS`."""
        try:
            return self._events(rows)
        except (LookupError, ValueError):  # most likely new names
            for table in tuple(self._tables):
                self._refresh(connection, table)
        try:
            return self._events(rows)
        except (LookupError, ValueError) as error:
            raise StoreCorrupt(
                f"an event from {rows[0][0]} to {rows[-1][0]} has a field that cannot be ({error!r}): restore a backup"
            ) from error

    def _events(self, rows: list[tuple[Any, ...]]) -> list[RecordedEvent]:
        streams, types, sources = self._tables.values()
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

    def _refresh(self, connection: Connection, table: str) -> None:
        known = self._tables[table]
        # Numbers run without gap, so that their count is the last that is known.
        known.update(connection.execute(f"SELECT id, name FROM {table} WHERE id > $1", (len(known),)))
