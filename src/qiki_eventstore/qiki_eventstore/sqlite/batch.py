"""What one transaction stores: versions, positions, recording times and hashes of the calls that were queued.

Plain computing on what the writer knows by heart; the database is asked only for ids that may have been stored before.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from qiki_eventstore.chain import link_texts
from qiki_eventstore.errors import PayloadError, VersionConflict
from qiki_eventstore.events import ANY, NO_STREAM
from qiki_eventstore.ids import as_uuid
from qiki_eventstore.preparation import Prepared
from qiki_eventstore.sqlite.heads import Head, Heads
from qiki_eventstore.sqlite.intake import Call
from qiki_eventstore.sqlite.schema import CONTENT_TYPES

Found: TypeAlias = dict[bytes, tuple[int, str]]
"""Position and stream of ids that are stored."""

_CONTENT = {name: number for number, name in enumerate(CONTENT_TYPES)}


class Batch:
    """The outcome of appending calls one after the other; nothing of it is true before it is committed.

    Args:
        heads: state before; `advance` makes it the state after.
        clock: ns since the Unix epoch.
        lookup: finds stored ids.
        careful: look every id up before it is appended, instead of only where a version does not fit. Without it a
            retry breaks the unique index on ids, and the batch has to be done again with care.

    Attributes:
        rows: rows of the table `events`.
        new_streams, new_types, new_sources: numbers and names to be inserted.
        conflicts: calls that met another version.
        duplicates: events that had been stored before.
    """

    def __init__(
        self, heads: Heads, clock: int, lookup: Callable[[Iterable[bytes]], Found], *, careful: bool = False
    ) -> None:
        self._heads, self._clock, self._lookup, self._careful = heads, clock, lookup, careful
        self._position, self._hash, self._recorded = heads.head.position, heads.head.hash, heads.head.recorded
        self._versions: dict[str, int] = {}
        self._pending: Found = {}
        self.rows: list[tuple[Any, ...]] = []
        self.new_streams: dict[str, int] = {}
        self.new_types: dict[str, int] = {}
        self.new_sources: dict[str, int] = {}
        self.conflicts = 0
        self.duplicates = 0

    @property
    def head(self) -> Head:
        return Head(self._position, self._hash, self._recorded)

    def add(self, call: Call) -> None:
        """Give the call its positions, or the error for which it alone fails."""
        stream = call.stream
        actual = self._versions.get(stream)
        if actual is None:
            actual = self._heads.versions.get(stream, NO_STREAM)
        fits = call.expected in (ANY, actual)
        if (self._careful or not fits) and call.events and self._repeated(call):
            return
        if not fits:
            self.conflicts += 1
            call.error = VersionConflict(stream, call.expected, actual)
            return
        call.positions = self._append(stream, actual, call.events)

    def advance(self) -> None:
        """The batch is committed: its end is the new state."""
        heads = self._heads
        heads.head = self.head
        heads.versions.update(self._versions)
        heads.streams.update(self.new_streams)
        heads.types.update(self.new_types)
        heads.sources.update(self.new_sources)

    def _append(self, stream: str, version: int, events: list[Prepared]) -> list[int]:
        if not events:
            return []
        number = _number(stream, self._heads.streams, self.new_streams)
        position, hash, recorded = self._position, self._hash, self._recorded
        first = position + 1
        for event in events:
            position += 1
            version += 1
            # Strictly ascending, so that a moment of recording time names one position, also if the clock jumps back.
            recorded = max(self._clock, recorded + 1)
            time = recorded if event.time is None else event.time
            hash = link_texts(
                hash,
                position=position,
                version=version,
                time=time,
                recorded=recorded,
                schema_version=event.schema_version,
                id=event.id,
                texts=event.texts,
                payload_digest=event.digest,
            )
            self.rows.append(
                (
                    position,
                    number,
                    version,
                    event.id,
                    _number(event.type, self._heads.types, self.new_types),
                    _number(event.source, self._heads.sources, self.new_sources),
                    time,
                    recorded,
                    event.correlation,
                    event.causation,
                    event.schema_version,
                    _CONTENT[event.content_type],
                    event.payload,
                    hash,
                )
            )
            self._pending[event.id] = (position, stream)
        self._position, self._hash, self._recorded = position, hash, recorded
        self._versions[stream] = version
        return list(range(first, position + 1))

    def _repeated(self, call: Call) -> bool:
        """Whether the call ends here, because ids of it are stored."""
        ids = [event.id for event in call.events]
        found = self._lookup(ids)
        found.update((id, self._pending[id]) for id in ids if id in self._pending)
        if not found:
            return False
        elsewhere = next(((id, place) for id, place in found.items() if place[1] != call.stream), None)
        if elsewhere is not None:
            id, (position, stream) = elsewhere
            call.error = PayloadError(
                f"id {as_uuid(id)} is stored already at position {position} in stream {stream!r}, not in"
                f" {call.stream!r}: an event needs an id of its own"
            )
        elif len(found) < len(ids):
            call.error = PayloadError(
                f"{len(found)} of the {len(ids)} ids are stored already, {as_uuid(next(iter(found)))} for one: appends"
                " are stored as a whole, so this cannot be a retry; a retry repeats the whole call"
            )
        else:
            self.duplicates += len(ids)
            call.positions = [found[id][0] for id in ids]
        return True


def _number(name: str, known: dict[str, int], new: dict[str, int]) -> int:
    number = known.get(name)
    if number is None and (number := new.get(name)) is None:
        # Names are never removed, so that numbers run from 1 without gap.
        number = new[name] = len(known) + len(new) + 1
    return number
