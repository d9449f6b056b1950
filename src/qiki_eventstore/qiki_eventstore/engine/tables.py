"""Snapshots and checkpoints, which every engine keeps in the same tables."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from qiki_events import Projection
from qiki_eventstore.engine.backend import Backend, Connection

_SNAPSHOTS: Final = "SELECT projection, version, stream, position, state FROM snapshots"


class Snapshot(NamedTuple):
    """State of a projection up to a position, as it was dumped, and the events left out of it."""

    position: int
    state: Mapping[str, Any]
    skipped: int


class Tables:
    """Reads over the backend's connections and writes in the writer's transactions.

    Args:
        run: does some work in the writer's transaction, see `Writer.run`.
    """

    def __init__(self, backend: Backend, run: Callable[[Callable[[Connection], Any]], Any]) -> None:
        self._backend, self._run = backend, run

    def snapshot(self, projection: Projection[Any], stream: str, last: int) -> Snapshot | None:
        """The newest snapshot at or before a position that is as it was taken; `stream` may be a pattern."""
        place = (projection.name, projection.version, stream)
        before = last + 1
        while rows := self._read(f"{_SNAPSHOTS} WHERE (projection, version, stream) = ($1, $2, $3) AND position < $4"
                                 " ORDER BY position DESC LIMIT 1", (*place, before)):  # fmt: skip
            before = rows[0][3]
            with self._backend.reading() as connection:
                if (found := _believed(connection, rows[0])) is not None:
                    return found
        return None

    def snapshots(self) -> list[tuple[str, int, str, Snapshot | None]]:
        """Projection, version, stream and content of all, by position; None for one that is not believed."""
        rows = self._read(f"{_SNAPSHOTS} ORDER BY position", ())
        with self._backend.reading() as connection:
            return [(*row[:3], _believed(connection, row)) for row in rows if _envelope(row[4]) is not None]

    def keep_snapshots(self, snapshots: list[tuple[Projection[Any], str, Any, int]], position: int) -> None:
        """Keep states of projections over streams, or patterns, up to a position, with the events left out of each."""

        def work(connection: Connection) -> None:
            hash = _hash_at(connection, position)
            for p, stream, state, skipped in snapshots:
                # As it will be read: JSON has texts for keys.
                content = json.loads(
                    json.dumps({"hash": hash, "skipped": skipped, "state": p.dump(state)}, allow_nan=False)
                )
                digest = _digest(p.name, p.version, stream, position, content)
                text = json.dumps({**content, "sha256": digest}, allow_nan=False, ensure_ascii=False)
                connection.execute(
                    "INSERT INTO snapshots (projection, version, stream, position, state) VALUES ($1, $2, $3, $4, $5)"
                    " ON CONFLICT (projection, version, stream, position) DO UPDATE SET state = excluded.state",
                    (p.name, p.version, stream, position, text),
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


def _envelope(text: str) -> dict[str, Any] | None:
    """Content of a snapshot; None for one of a version that kept nothing to check it by."""
    content = json.loads(text)
    return content if isinstance(content, dict) and "sha256" in content else None


def _believed(connection: Connection, row: tuple[Any, ...]) -> Snapshot | None:
    """A snapshot, if its digest fits and its event is the one at which it was taken; None otherwise."""
    projection, version, stream, position, text = row
    content = _envelope(text)
    if content is None or content.pop("sha256") != _digest(projection, version, stream, position, content):
        return None
    if content.keys() != {"hash", "skipped", "state"}:
        return None
    # An event that retention dropped since has its hash in a segment.
    if _hash_at(connection, position) not in ("", content["hash"]):
        return None
    return Snapshot(position, content["state"], content["skipped"])


def _digest(projection: str, version: int, stream: str, position: int, content: Mapping[str, Any]) -> str:
    return sha256(json.dumps([projection, version, stream, position, content], sort_keys=True).encode()).hexdigest()


def _hash_at(connection: Connection, position: int) -> str:
    sql = "SELECT hash FROM events WHERE position <= $1 ORDER BY position DESC LIMIT 1"
    return next((bytes(hash).hex() for (hash,) in connection.execute(sql, (position,))), "")
