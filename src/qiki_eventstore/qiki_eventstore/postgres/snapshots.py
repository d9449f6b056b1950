"""Snapshots of projections in the database."""

import json
from collections.abc import Mapping
from typing import Any

from qiki_eventstore.postgres.readers import Readers


class PostgresSnapshots:
    """See `reconstruction.Snapshots`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def newest(self, name: str, version: int, stream: str, last: int) -> tuple[int, Mapping[str, Any]] | None:
        row = self._readers.run(
            lambda reader: reader.connection.execute(
                "SELECT position, state FROM snapshots WHERE projection = %s AND version = %s AND stream = %s"
                " AND position <= %s ORDER BY position DESC LIMIT 1",
                [name, version, stream, last],
            ).fetchone()
        )
        return None if row is None else (row[0], json.loads(row[1]))

    def keep(self, name: str, version: int, stream: str, position: int, state: Mapping[str, Any]) -> None:
        row = [name, version, stream, position, json.dumps(state, allow_nan=False)]
        self._readers.run(
            lambda reader: reader.connection.execute(
                "INSERT INTO snapshots (projection, version, stream, position, state) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (projection, version, stream, position) DO UPDATE SET state = excluded.state",
                row,
            )
        )
