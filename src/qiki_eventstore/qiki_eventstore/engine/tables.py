"""Snapshots and checkpoints, which every engine keeps in the same tables."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from qiki_events import Projection
from qiki_eventstore.engine.backend import Backend, Connection


class Tables:
    """Reads over the backend's connections and writes in the writer's transactions.

    Args:
        run: does some work in the writer's transaction, see `Writer.run`.
    """

    def __init__(self, backend: Backend, run: Callable[[Callable[[Connection], Any]], Any]) -> None:
        self._backend, self._run = backend, run

    def snapshot(self, projection: Projection[Any], stream: str, last: int) -> tuple[int, Mapping[str, Any]] | None:
        """Position and state of the newest snapshot at or before a position; `stream` may be a pattern."""
        rows = self._read(
            "SELECT position, state FROM snapshots WHERE projection = $1 AND version = $2 AND stream = $3"
            " AND position <= $4 ORDER BY position DESC LIMIT 1",
            (projection.name, projection.version, stream, last),
        )
        return None if not rows else (rows[0][0], json.loads(rows[0][1]))

    def keep_snapshots(self, snapshots: list[tuple[Projection[Any], str, Any]], position: int) -> None:
        """Keep states of projections over streams, or patterns, up to a position."""
        parameters = [
            (p.name, p.version, stream, position, json.dumps(p.dump(state), allow_nan=False, ensure_ascii=False))
            for p, stream, state in snapshots
        ]

        def work(connection: Connection) -> None:
            for row in parameters:
                connection.execute(
                    "INSERT INTO snapshots (projection, version, stream, position, state) VALUES ($1, $2, $3, $4, $5)"
                    " ON CONFLICT (projection, version, stream, position) DO UPDATE SET state = excluded.state",
                    row,
                )

        self._run(work)

    def checkpoint(self, name: str) -> int:
        """Position that a subscription has remembered; 0 if none."""
        rows = self._read("SELECT position FROM checkpoints WHERE name = $1", (name,))
        return int(rows[0][0]) if rows else 0

    def keep_checkpoint(self, name: str, position: int) -> None:
        """Remember a position under the name of a subscription."""

        def work(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO checkpoints (name, position) VALUES ($1, $2)"
                " ON CONFLICT (name) DO UPDATE SET position = excluded.position",
                (name, position),
            )

        self._run(work)

    def _read(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._backend.reading() as connection:
            return list(connection.execute(sql, parameters))
