"""From conditions to SQL, and from rows to events."""

from collections.abc import Sequence
from typing import Any

from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.postgres.arrays import TextArray, text_array
from qiki_eventstore.postgres.readers import Reader
from qiki_eventstore.store import Query

_COLUMNS = (
    "SELECT e.position, e.stream, e.version, e.id, e.type, e.source, e.time, e.recorded, e.correlation, e.causation,"
    " e.schema_version, e.content_type, e.payload, {} FROM events AS e"
)
# A subquery, not a join: for a page of events a join may walk over all seals from the first one on.
SELECT = _COLUMNS.format("coalesce((SELECT s.hash FROM seals AS s WHERE s.position = e.position), '\\x')")
"""Columns in the order that `to_events` takes; conditions can follow."""

SELECT_UNSEALED = _COLUMNS.format("'\\x'::bytea")
"""The same for events that have no seal."""


def to_events(reader: Reader, rows: Sequence[tuple[Any, ...]]) -> list[RecordedEvent]:
    """Events of rows that `SELECT` gave."""
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    streams = reader.streams.of(columns[1])
    types, sources, contents = (reader.names.of(columns[number]) for number in (4, 5, 11))
    return [
        RecordedEvent(
            position=row[0], stream=stream, version=row[2], id=row[3], type=type, source=source, time=row[6],
            recorded=row[7], correlation=row[8], causation=row[9], schema_version=row[10], content_type=content,
            payload=row[12], hash=row[13],
        )
        for row, stream, type, source, content in zip(rows, streams, types, sources, contents, strict=True)
    ]  # fmt: skip


def select(query: Query) -> tuple[str, dict[str, Any]]:
    """Statement and parameters of a query."""
    given = {
        "e.position > %(after)b": query.after,
        "e.position < %(before)b": query.before,
        "e.time >= %(start)b": query.start,
        "e.time < %(end)b": query.end,
        "e.recorded >= %(recorded_start)b": query.recorded_start,
        "e.recorded < %(recorded_end)b": query.recorded_end,
        "e.correlation = %(correlation)b": query.correlation,
    }
    conditions = [condition for condition, value in given.items() if value is not None]
    parameters: dict[str, Any] = {
        condition.partition("%(")[2][:-2]: value for condition, value in given.items() if value is not None
    }
    names, name_parameters = matching(query.types, query.streams)
    statement = " WHERE ".join([SELECT, *([" AND ".join(conditions + names)] if conditions + names else [])])
    statement += f" ORDER BY e.position {'DESC' if query.backwards else 'ASC'}"
    if query.limit is not None:
        statement += " LIMIT %(limit)b"
        parameters["limit"] = query.limit
    return statement, parameters | name_parameters


def matching(types: Sequence[str], streams: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Conditions on types and streams, and their parameters."""
    conditions = []
    parameters: dict[str, Any] = {}
    if types:
        conditions.append("e.type = ANY(ARRAY(SELECT id FROM names WHERE name LIKE ANY(%(types)b)))")
        parameters["types"] = like_any(types)
    if streams:
        conditions.append("e.stream = ANY(ARRAY(SELECT id FROM streams WHERE name LIKE ANY(%(streams)b)))")
        parameters["streams"] = like_any(streams)
    return conditions, parameters


def like_any(patterns: Sequence[str]) -> TextArray:
    """Patterns with a trailing `*` as those of LIKE."""
    return text_array([_like(pattern) for pattern in patterns])


def _like(pattern: str) -> str:
    rest = "%" if pattern.endswith("*") else ""
    literal = pattern.removesuffix("*")
    for special in ("\\", "%", "_"):
        literal = literal.replace(special, "\\" + special)
    return literal + rest
