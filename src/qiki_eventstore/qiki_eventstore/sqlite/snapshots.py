"""Snapshots of projections in the database."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import apsw

from qiki_eventstore.sqlite.reader import Reader


class SqliteSnapshots:
    """See `reconstruction.Snapshots`."""

    def __init__(self, reader: Reader, run: Callable[[Callable[[apsw.Connection], None]], None]) -> None:
        self._reader, self._run = reader, run

    def newest(self, name: str, version: int, stream: str, last: int) -> tuple[int, Mapping[str, Any]] | None:
        with self._reader.connection() as connection:
            row = connection.execute(
                "SELECT position, state FROM snapshots WHERE projection = ? AND version = ? AND stream = ?"
                " AND position <= ? ORDER BY position DESC LIMIT 1",
                (name, version, stream, last),
            ).get
        return None if row is None else (row[0], json.loads(row[1]))

    def keep(self, name: str, version: int, stream: str, position: int, state: Mapping[str, Any]) -> None:
        row = (name, version, stream, position, json.dumps(state, allow_nan=False, ensure_ascii=False))

        def insert(connection: apsw.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)", row)

        self._run(insert)
