"""A batch of appends as one statement: each succeeds or fails alone, all that succeed are durable together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from qiki_eventstore.errors import EventStoreError, PayloadError, VersionConflict
from qiki_eventstore.postgres.arrays import (
    bytea_array,
    int8_array,
    int8_or_null_array,
    text_array,
    uuid_array,
)
from qiki_eventstore.postgres.connection import Connection
from qiki_eventstore.postgres.names import Ids
from qiki_eventstore.preparation import Prepared
from qiki_eventstore.receipt import Receipt

_LOCK_SLOTS = 128
"""Streams share this many locks: a batch holds no more, however many streams it has (the server's lock table is
small), and two processes wait for each other only where their streams' ids agree modulo this."""

_STORED, _DUPLICATE, _CONFLICT = 0, 1, 2

Outcome: TypeAlias = list[int] | EventStoreError


@dataclass(slots=True)
class Call:
    """One append that waits for the writer."""

    stream: str
    events: list[Prepared]
    expected: int
    bytes: int
    receipt: Receipt = field(default_factory=Receipt)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a batch.

    Attributes:
        outcomes: of each call: its positions, or what it is refused with.
        stored: events stored.
        duplicates: events that had been stored before.
        conflicts: calls refused with VersionConflict.
    """

    outcomes: list[Outcome]
    stored: int
    duplicates: int
    conflicts: int


class Appender:
    """Appends batches over one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._names = Ids(connection, "names")
        self._streams = Ids(connection, "streams")

    def append(self, calls: Sequence[Call]) -> Result:
        """Append calls, no id twice among them. When this returns, what it says is durable.

        Raises:
            psycopg.Error: nothing, or everything, of the batch was stored: repeat it on a connection that works.
        """
        events = [event for call in calls for event in call.events]
        self._streams.prepare(frozenset(call.stream for call in calls))
        self._names.prepare(
            frozenset(text for event in events for text in (event.type, event.source, event.content_type))
        )
        names = self._names
        places: dict[int, int] = {}
        call_stream = [places.setdefault(self._streams[call.stream], len(places) + 1) for call in calls]
        counts = [len(call.events) for call in calls]
        row = self.connection.execute(
            "SELECT * FROM append_batch(" + ", ".join(["%b"] * 16) + ")",
            [
                int8_array(sorted({id % _LOCK_SLOTS for id in places})),
                int8_array(list(places)),
                int8_array(call_stream),
                int8_array([call.expected for call in calls]),
                int8_array(counts),
                int8_array([number for number, count in enumerate(counts, 1) for _ in range(count)]),
                int8_array([place for count in counts for place in range(count)]),
                uuid_array([event.id for event in events]),
                int8_array([names[event.type] for event in events]),
                int8_array([names[event.source] for event in events]),
                int8_array([names[event.content_type] for event in events]),
                int8_array([event.schema_version for event in events]),
                int8_or_null_array([event.time for event in events]),
                text_array([event.correlation for event in events]),
                text_array([event.causation for event in events]),
                bytea_array([event.payload for event in events]),
            ],
            prepare=True,
        ).fetchone()
        assert row is not None
        return self._result(calls, *row)

    def _result(self, calls: Sequence[Call], status: list[int], actual: list[int], first: list[int]) -> Result:
        outcomes: list[Outcome] = []
        stored = duplicates = conflicts = 0
        for call, verdict, version, position in zip(calls, status, actual, first, strict=True):
            if verdict == _STORED:
                stored += len(call.events)
                outcomes.append(list(range(position, position + len(call.events))))
            elif verdict == _CONFLICT:
                conflicts += 1
                outcomes.append(VersionConflict(call.stream, call.expected, version))
            elif verdict == _DUPLICATE:
                duplicates += len(call.events)
                known = self._known(call)
                outcomes.append([known[event.id][0] for event in call.events])
            else:
                outcomes.append(_misplaced(call, self._known(call)))
        return Result(outcomes, stored, duplicates, conflicts)

    def _known(self, call: Call) -> dict[bytes, tuple[int, str]]:
        """Position and stream of those ids of a call that are stored."""
        rows = self.connection.execute(
            "SELECT k.id, k.position, s.name FROM event_ids AS k JOIN streams AS s ON s.id = k.stream"
            " WHERE k.id = ANY(%b)",
            [uuid_array([event.id for event in call.events])],
        )
        return {id.bytes: (position, stream) for id, position, stream in rows.fetchall()}


def _misplaced(call: Call, known: dict[bytes, tuple[int, str]]) -> PayloadError:
    for id, (position, stream) in known.items():
        if stream != call.stream:
            return PayloadError(
                f"id {UUID(bytes=id)} is stored already at position {position} in stream {stream!r}, not in"
                f" {call.stream!r}: an event needs an id of its own"
            )
    return PayloadError(
        f"{len(known)} of the {len(call.events)} ids are stored already, {UUID(bytes=next(iter(known)))} for one:"
        " appends are stored as a whole, so this cannot be a retry; a retry repeats the whole call"
    )
