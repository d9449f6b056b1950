"""The events of a query, read in pages, so that no long read holds a long transaction."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any, Final, Protocol, TypeAlias

from qiki_eventstore.engine.backend import Connection
from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.engine.rows import COLUMNS, Names
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.retention.catalogue import load_floor
from qiki_eventstore.store import Query

_PAGE: Final = 1000
"""Events of one page."""

_FIRST: Final = -(2**63)
LAST: Final = 2**63 - 1
"""Largest position, version or time."""

_Conditions: TypeAlias = list[tuple[str, Any]]


class Pool(Protocol):
    """Connections that only read."""

    def connection(self) -> AbstractContextManager[Connection]:
        """One that nobody else uses meanwhile."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words in which engines differ.

    Attributes:
        time_ranges: first and last positions, between two, where there may be events between two event times.
        by_position, by_version, by_correlation: hints behind the table `events`, naming the index to use.
    """

    time_ranges: Callable[[Connection, int, int, int, int], list[tuple[int, int]]]
    by_position: str = ""
    by_version: str = ""
    by_correlation: str = ""


class Dropped(Exception):  # noqa: N818
    """Retention dropped events while they were read: look for them in their files."""


class Selector:
    """Reads what is in the database.

    Args:
        pool: connections to the database.
        dialect: of the engine.
        names: names that were read before.
        floor: position up to which events are looked for elsewhere. `Dropped` is raised when there is a higher one by
            now, as something may have been missed.
    """

    def __init__(self, pool: Pool, dialect: Dialect, names: Names, floor: int = LAST) -> None:
        self._pool, self._dialect, self._names, self._floor = pool, dialect, names, floor

    def all(self, query: Query) -> Iterator[RecordedEvent]:
        """Events that match, in order of positions; `query.limit` only says how many are worth a page."""
        with self._pool.connection() as connection:
            plan = self._plan(connection, query)
        if plan is not None:
            yield from plan
        with self._pool.connection() as connection:
            self._check_floor(connection)

    def stream(self, name: str, start: int, end: int | None) -> Iterator[RecordedEvent]:
        """Events of one stream by version."""
        with self._pool.connection() as connection:
            numbers = self._names.matching(connection, "streams", [name]) if not name.endswith("*") else []
        if numbers:
            last = LAST if end is None else min(end - 1, LAST)
            yield from self._by_version(numbers[0], max(start, 0), last, [], Query())

    def _check_floor(self, connection: Connection) -> None:
        if load_floor(connection) > self._floor:
            raise Dropped

    # How a query is answered ----------------------------------------------------------------------------------------

    def _plan(self, connection: Connection, query: Query) -> Iterator[RecordedEvent] | None:
        low, high = self._positions(connection, query)
        conditions: _Conditions = []
        streams = types = None
        if query.types and "*" not in query.types:
            types = self._names.matching(connection, "types", query.types)
            conditions.append((f"+type IN ({','.join(map(str, types))})", None))
        if query.streams and "*" not in query.streams:
            streams = self._names.matching(connection, "streams", query.streams)
        if low > high or types == [] or streams == []:
            return None
        parts = [(low, high)]
        if query.start is not None or query.end is not None:
            start = _FIRST if query.start is None else _clamp(query.start)
            last = LAST if query.end is None else _clamp(query.end - 1)
            parts = self._dialect.time_ranges(connection, start, last, low, high)
            if not parts:
                return None
            conditions += [("+time >= ?", start), ("+time <= ?", last)]
            low, high = parts[0][0], parts[-1][1]
        if query.correlation is None and streams is not None and len(streams) == 1:
            first, final = self._versions(connection, streams[0], low, high)
            if final - first <= sum(end - begin for begin, end in parts):
                return self._by_version(streams[0], first, final, conditions, query)
        if streams is not None:
            conditions.append((f"+stream IN ({','.join(map(str, streams))})", None))
        if query.correlation is not None:
            conditions.append(("correlation = ?", query.correlation))
            return self._by_position(self._dialect.by_correlation, low, high, conditions, query)
        return self._by_positions(parts, conditions, query)

    def _positions(self, connection: Connection, query: Query) -> tuple[int, int]:
        """First and last position that can match; events that come later do not."""
        low = 1 if query.after is None else _clamp(max(query.after + 1, 1))
        high = load_head(connection).position
        if query.before is not None:
            high = min(high, max(query.before - 1, 0))
        if query.recorded_start is not None:
            low = max(low, _bisect(connection, query.recorded_start, low, high))
        if query.recorded_end is not None:
            high = min(high, _bisect(connection, query.recorded_end, low, high) - 1)
        return low, high

    def _versions(self, connection: Connection, stream: int, low: int, high: int) -> tuple[int, int]:
        """The versions of a stream between two positions: versions rise with positions, so bisection finds them."""
        # Each alone, as SQLite finds only one end by the index at a time.
        ((last,),) = connection.execute("SELECT max(version) FROM events WHERE stream = $1", (stream,))
        ((first,),) = connection.execute("SELECT min(version) FROM events WHERE stream = $1", (stream,))
        if last is None:
            return 0, -1
        return self._first_from(connection, stream, low, first, last), (
            self._first_from(connection, stream, high + 1, first, last) - 1
        )

    def _first_from(self, connection: Connection, stream: int, position: int, low: int, high: int) -> int:
        """Lowest version at or after a position; `high` + 1 if there is none."""
        sql = "SELECT version, position FROM events WHERE stream = $1 AND version >= $2 ORDER BY version LIMIT 1"
        high += 1
        while low < high:
            middle = (low + high) // 2
            rows = list(connection.execute(sql, (stream, middle)))
            if rows and rows[0][1] < position:  # none if retention drops them now, which `_check_floor` finds
                low = rows[0][0] + 1
            else:
                high = middle
        return low

    # Pages ----------------------------------------------------------------------------------------------------------

    def _by_positions(
        self, parts: list[tuple[int, int]], conditions: _Conditions, query: Query
    ) -> Iterator[RecordedEvent]:
        for low, high in reversed(parts) if query.backwards else parts:
            yield from self._by_position(self._dialect.by_position, low, high, conditions, query)

    def _by_position(
        self, index: str, low: int, high: int, conditions: _Conditions, query: Query
    ) -> Iterator[RecordedEvent]:
        order, page = ("DESC" if query.backwards else "ASC"), _page(query.limit)
        where = " AND ".join(["position >= ?", "position <= ?", *(text for text, _ in conditions)])
        values = [value for _, value in conditions if value is not None]
        sql = f"SELECT {COLUMNS} FROM events {index} WHERE {where} ORDER BY position {order} LIMIT {page}"
        while low <= high:
            events = self._fetch(sql, [low, high, *values])
            yield from events
            if len(events) < page:
                return
            if query.backwards:
                high = events[-1].position - 1
            else:
                low = events[-1].position + 1

    def _by_version(
        self, stream: int, low: int, high: int, conditions: _Conditions, query: Query
    ) -> Iterator[RecordedEvent]:
        order, page = ("DESC" if query.backwards else "ASC"), _page(query.limit)
        where = " AND ".join(["stream = ?", "version >= ?", "version <= ?", *(text for text, _ in conditions)])
        values = [value for _, value in conditions if value is not None]
        sql = (
            f"SELECT {COLUMNS} FROM events {self._dialect.by_version} WHERE {where}"
            f" ORDER BY version {order} LIMIT {page}"
        )
        while low <= high:
            events = self._fetch(sql, [stream, low, high, *values])
            yield from events
            if len(events) < page:
                return
            if query.backwards:
                high = events[-1].version - 1
            else:
                low = events[-1].version + 1

    def _fetch(self, sql: str, bindings: list[Any]) -> list[RecordedEvent]:
        with self._pool.connection() as connection:
            events = self._names.events(connection, list(connection.execute(_numbered(sql), bindings)))
            self._check_floor(connection)
        return events


@lru_cache(256)
def _numbered(sql: str) -> str:
    """Placeholders `?` as `$1`, `$2`, …"""
    number = count(1)
    return re.sub(r"\?", lambda _: f"${next(number)}", sql)


def _page(limit: int | None) -> int:
    return _PAGE if limit is None else max(1, min(limit, _PAGE))


def _clamp(value: int) -> int:
    return max(_FIRST, min(value, LAST))


def _bisect(connection: Connection, recorded: int, low: int, high: int) -> int:
    """Lowest position from `low` recorded at or after a time, which never falls; `high` + 1 if there is none."""
    sql = "SELECT position, recorded FROM events WHERE position >= $1 ORDER BY position LIMIT 1"
    high += 1
    while low < high:
        middle = (low + high) // 2
        rows = list(connection.execute(sql, (middle,)))
        if rows and rows[0][1] < recorded:
            low = rows[0][0] + 1
        else:
            high = middle
    return min(low, high)
