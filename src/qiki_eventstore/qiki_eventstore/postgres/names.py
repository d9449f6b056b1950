"""Texts that come again and again, kept as integers.

A cache belongs to one connection: after a fail-over to a replica that lagged behind, an id may mean another name.
"""

from collections.abc import Sequence
from typing import Literal

from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.postgres.arrays import int8_array, text_array
from qiki_eventstore.postgres.connection import Connection

Table = Literal["names", "streams"]


class Ids:
    """Ids of names, for a writer: unknown names are added in a transaction of their own."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection, self._table = connection, table
        self._ids: dict[str, int] = {}

    def prepare(self, names: frozenset[str]) -> None:
        """Make sure that every one of these names has an id."""
        missing = sorted(names - self._ids.keys())
        if missing and (unknown := self._find(missing)):
            self._connection.execute(
                f"INSERT INTO {self._table} (name) SELECT unnest(%b) ON CONFLICT DO NOTHING".encode(),
                [text_array(unknown)],
            )
            self._find(unknown)

    def _find(self, names: list[str]) -> list[str]:
        """Ask for ids; the names that have none."""
        rows = self._connection.execute(
            f"SELECT name, id FROM {self._table} WHERE name = ANY(%b)".encode(), [text_array(names)]
        )
        self._ids.update(rows.fetchall())
        return [name for name in names if name not in self._ids]

    def __getitem__(self, name: str) -> int:
        return self._ids[name]


class Names:
    """Names of ids, for a reader."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection, self._table = connection, table
        self._names: dict[int, str] = {}

    def of(self, ids: Sequence[int]) -> list[str]:
        """The names of ids, in their order.

        Raises:
            StoreCorrupt: an id has no name.
        """
        missing = {id for id in ids if id not in self._names}
        if missing:
            rows = self._connection.execute(
                f"SELECT id, name FROM {self._table} WHERE id = ANY(%b)".encode(), [int8_array(sorted(missing))]
            )
            self._names.update(rows.fetchall())
            if not missing <= self._names.keys():
                lost = min(missing - self._names.keys())
                raise StoreCorrupt(f"table {self._table!r} has no row {lost}, which events refer to: restore a backup")
        return [self._names[id] for id in ids]
