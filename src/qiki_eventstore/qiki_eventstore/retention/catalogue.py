"""Segments and holds of a store, and dropping a segment's events: the same tables and statements for every engine.

Events are dropped from the oldest on, so that the store keeps everything after one position, the floor.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, TypeAlias, TypeVar

from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.events import Event
from qiki_eventstore.retention import log
from qiki_eventstore.retention.policy import Hold
from qiki_eventstore.retention.segment import Segment, from_json, to_json

R = TypeVar("R")
Change: TypeAlias = tuple[R, Sequence[Event]]
"""Result of a change, and the events that record it."""


class StoreCatalogue:
    """Records of segments and holds. Each change is one durable transaction.

    Args:
        connection: gives a connection that reads.
        run: does some work durably in the writer's transaction, and appends the events that it gives besides its result
            to the store's own stream; None: it only reads.
        store: UUID of the store.
        prepare: called first in each such transaction; makes the tables where a store has none yet.
    """

    def __init__(
        self,
        connection: Callable[[], AbstractContextManager[Any]],
        run: Callable[[Callable[[Any], tuple[Any, Sequence[Event]]]], Any] | None,
        store: str = "",
        prepare: Callable[[Any], object] = lambda _connection: None,
    ) -> None:
        self._connection, self._run, self._store, self._prepare = connection, run, store, prepare

    def is_recorded(self) -> bool:
        """True if each row has its event: rows of an earlier version have none until the first change."""
        with self._connection() as connection:
            return _is_recorded(connection)

    def segments(self) -> list[Segment]:
        """All, in order of positions."""
        with self._connection() as connection:
            return load_segments(connection)

    def add(self, segment: Segment) -> None:
        """Remember a sealed segment."""
        row = (
            segment.extent.first,
            to_json(segment.extent),
            segment.file,
            segment.sha256,
            segment.sealed,
            int(segment.dropped),
        )
        columns = "first, extent, file, sha256, sealed, dropped"

        def work(connection: Any) -> Change[None]:
            # It is there already where this transaction is repeated because its answer was lost.
            if list(connection.execute(f"SELECT {columns} FROM segments WHERE first = $1", row[:1])) != [row]:
                connection.execute(f"INSERT INTO segments({columns}) VALUES ($1, $2, $3, $4, $5, $6)", row)
            return None, ()

        self._write(work)

    def drop(self, segment: Segment, holds: Sequence[Hold]) -> bool:
        """Take a segment's events out of the store; False, and nothing is done, if the holds are others by now.

        Raises:
            ValueError: it is not the oldest that is left.
            StoreCorrupt: not all of its events are there.
        """

        def work(connection: Any) -> Change[bool]:
            if load_holds(connection) != list(holds):
                return False, ()
            _drop(connection, segment)
            return True, [log.segment_dropped(self._store, segment, holds)]

        return self._write(work)

    def holds(self) -> list[Hold]:
        """All, sorted by name."""
        with self._connection() as connection:
            return load_holds(connection)

    def place(self, hold: Hold) -> None:
        """Remember a hold; a ValueError if there is one of that name."""

        def work(connection: Any) -> Change[None]:
            if _is_placed(connection, hold.name):
                raise ValueError(f"name = {hold.name!r}: a hold of that name is there already; lift it first")
            insert_hold(connection, hold)
            return None, [log.hold_placed(self._store, hold)]

        self._write(work)

    def lift(self, name: str) -> None:
        """Forget a hold; a ValueError if there is none of that name."""

        def work(connection: Any) -> Change[None]:
            if not _is_placed(connection, name):
                raise ValueError(f"name = {name!r}: there is no hold of that name")
            connection.execute("DELETE FROM holds WHERE name = $1", (name,))
            return None, [log.hold_released(self._store, name)]

        self._write(work)

    def _write(self, work: Callable[[Any], Change[R]]) -> R:
        def prepared(connection: Any) -> Change[R]:
            self._prepare(connection)
            adopted: list[Event] = []
            if not _is_recorded(connection):
                adopted = [log.hold_placed(self._store, hold) for hold in load_holds(connection)]
                mark_recorded(connection)
            result, events = work(connection)
            return result, [*adopted, *events]

        if self._run is None:
            raise StoreUnavailable("these segments and holds are only read")
        result: R = self._run(prepared)
        return result


def mark_recorded(connection: Any) -> None:
    """Take note that from now on each row of segments and holds has its event."""
    connection.execute("INSERT INTO checkpoints(name, position) VALUES ($1, 0)", (log.STREAM,))


def _is_recorded(connection: Any) -> bool:
    return bool(list(connection.execute("SELECT 1 FROM checkpoints WHERE name = $1", (log.STREAM,))))


def insert_hold(connection: Any, hold: Hold) -> None:
    """Add a hold's row."""
    connection.execute("INSERT INTO holds(name, hold) VALUES ($1, $2)", (hold.name, json.dumps(asdict(hold))))


def load_floor(connection: Any) -> int:
    """Last position that was dropped; 0 if none was."""
    ((floor,),) = connection.execute("SELECT coalesce(max(last), 0) FROM dropped")
    return int(floor)


def load_segments(connection: Any, table: str = "segments") -> list[Segment]:
    """All segments, in order of positions."""
    rows = connection.execute(f"SELECT extent, file, sha256, sealed, dropped FROM {table} ORDER BY first")
    return [Segment(from_json(row[0]), row[1], row[2], row[3], bool(row[4])) for row in rows]


def load_holds(connection: Any) -> list[Hold]:
    """All holds, sorted by name."""
    return [_hold(text) for (text,) in connection.execute("SELECT hold FROM holds ORDER BY name")]


def _drop(connection: Any, segment: Segment) -> None:
    extent = segment.extent
    first, last = extent.first, extent.last
    if first != load_floor(connection) + 1:
        raise ValueError(f"segment from {first}: only the oldest events can be dropped")
    ((count,),) = connection.execute("SELECT count(*) FROM events WHERE position BETWEEN $1 AND $2", (first, last))
    ends = connection.execute(
        "SELECT hash FROM events WHERE position BETWEEN $1 AND $2 ORDER BY position DESC LIMIT 1", (first, last)
    )
    if count != extent.events or [bytes(hash) for (hash,) in ends] != [extent.hash]:
        raise StoreCorrupt(f"events between {first} and {last} are missing or others than those sealed", first)
    connection.execute("DELETE FROM events WHERE position BETWEEN $1 AND $2", (first, last))
    for name, (_, version) in extent.streams.items():
        connection.execute("UPDATE streams SET dropped = $1 WHERE name = $2", (version, name))
    connection.execute(
        "INSERT INTO dropped(first, last, recorded, hash) VALUES ($1, $2, $3, $4)",
        (first, last, extent.recorded_end, extent.hash),
    )
    connection.execute("UPDATE segments SET dropped = 1 WHERE first = $1", (first,))


def _is_placed(connection: Any, name: str) -> bool:
    return bool(list(connection.execute("SELECT 1 FROM holds WHERE name = $1", (name,))))


def _hold(text: str) -> Hold:
    values = json.loads(text)
    return Hold(**{**values, "streams": tuple(values["streams"])})
