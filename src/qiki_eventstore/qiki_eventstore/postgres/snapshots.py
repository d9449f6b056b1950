"""Snapshots of projections in the database."""

import json
from collections.abc import Mapping
from typing import Any

from qiki_events import Projection
from qiki_eventstore.postgres.readers import Readers


class PostgresSnapshots:
    """See `engine.reconstruction.Kept`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def snapshot(self, projection: Projection[Any], stream: str, last: int) -> tuple[int, Mapping[str, Any]] | None:
        """See `engine.reconstruction.Kept`."""
        row = self._readers.run(
            lambda reader: reader.connection.execute(
                "SELECT position, state FROM snapshots WHERE projection = %s AND version = %s AND stream = %s"
                " AND position <= %s ORDER BY position DESC LIMIT 1",
                [projection.name, projection.version, stream, last],
            ).fetchone()
        )
        return None if row is None else (row[0], json.loads(row[1]))

    def keep_snapshots(self, snapshots: list[tuple[Projection[Any], str, Any]], position: int) -> None:
        """See `engine.reconstruction.Kept`."""
        for projection, stream, state in snapshots:
            text = json.dumps(projection.dump(state), allow_nan=False)
            self._keep([projection.name, projection.version, stream, position, text])

    def _keep(self, row: list[Any]) -> None:
        self._readers.run(
            lambda reader: reader.connection.execute(
                "INSERT INTO snapshots (projection, version, stream, position, state) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (projection, version, stream, position) DO UPDATE SET state = excluded.state",
                row,
            )
        )
