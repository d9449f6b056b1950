"""Content of one transaction: versions, positions, recording times and hashes of the calls that were queued.

Plain computing on the state after the last commit; the database is asked only for ids that may be stored already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

from qiki_events import JSON, PROTOBUF
from qiki_eventstore import chain
from qiki_eventstore.engine.queue import Call
from qiki_eventstore.errors import PayloadError, VersionConflict
from qiki_eventstore.events import ANY, NO_STREAM
from qiki_eventstore.ids import as_uuid

CONTENT_TYPES: Final = (JSON, PROTOBUF)
"""The column `content` is the place in this tuple."""

COLUMNS: Final = (
    "position",
    "stream",
    "version",
    "id",
    "type",
    "source",
    "time",
    "recorded",
    "correlation",
    "causation",
    "schema_version",
    "content",
    "payload",
    "hash",
)
"""Columns of the table `events`, in the order of `Batch.rows`. Streams, types and sources are numbers of names."""

Found: TypeAlias = dict[bytes, tuple[int, str]]
"""Position and stream of ids that are stored."""

_CONTENT: Final = {name: number for number, name in enumerate(CONTENT_TYPES)}


class Head(NamedTuple):
    """The last event of the store."""

    position: int = 0
    hash: bytes = chain.GENESIS
    recorded: int = 0


@dataclass(slots=True)
class Heads:
    """State of the store after a commit.

    Attributes:
        head: the last event.
        versions: version of every stream's last event.
        streams: number of every stream's name.
        types: number of every type's name.
        sources: number of every source's name.
    """

    head: Head = field(default_factory=Head)
    versions: dict[str, int] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)


class Batch:
    """The outcome of appending calls one after the other; nothing of it is true before it is committed.

    Args:
        heads: state before; `advance` makes it the state after.
        clock: ns since the Unix epoch.
        find: finds stored ids, see `Backend.find`.
        careful: look surely for every id before it is appended, instead of only where a version does not fit.

    Attributes:
        values: of the new rows of the table `events`, one row after the other, see `COLUMNS`.
        ids: positions of the ids of the new rows.
        versions: version of the last event of each stream that the batch appends to.
        new_streams, new_types, new_sources: names to be inserted and their numbers, which run from 1 without gap.
        conflicts: calls that met another version.
        duplicates: events that had been stored before.
    """

    def __init__(
        self, heads: Heads, clock: int, find: Callable[[Sequence[bytes], bool], Found], *, careful: bool = False
    ) -> None:
        self._heads, self._clock, self._find, self._careful = heads, clock, find, careful
        self._head = heads.head
        self.values: list[Any] = []
        self.ids: dict[bytes, int] = {}
        self.versions: dict[str, int] = {}
        self.new_streams: dict[str, int] = {}
        self.new_types: dict[str, int] = {}
        self.new_sources: dict[str, int] = {}
        self.conflicts = 0
        self.duplicates = 0

    @property
    def end(self) -> int:
        """Position of the last event of the store after the batch."""
        return self._head.position

    @property
    def new_names(self) -> bool:
        """True if any name is to be inserted."""
        return bool(self.new_streams or self.new_types or self.new_sources)

    def add(self, call: Call) -> None:
        """Give the call its positions, or the error for which it alone fails."""
        stream = call.stream
        actual = self.versions.get(stream)
        if actual is None:
            actual = self._heads.versions.get(stream, NO_STREAM)
        fits = call.expected == ANY or call.expected == actual  # noqa: PLR1714 - for every append
        ids = [id for id, _time, _payload, _tail, _kind in call.events]
        if ids and self._repeated(call, ids, self._careful or not fits):
            return
        if not fits:
            self.conflicts += 1
            call.error = VersionConflict(stream, call.expected, actual)
        elif ids:
            self._append(call, actual)
            self.ids.update(zip(ids, call.positions, strict=True))

    def advance(self) -> Head:
        """The batch is committed: its end is the new state."""
        heads = self._heads
        heads.head = self._head
        heads.versions.update(self.versions)
        if self.new_names:
            heads.streams.update(self.new_streams)
            heads.types.update(self.new_types)
            heads.sources.update(self.new_sources)
        return heads.head

    def _append(self, call: Call, version: int) -> None:
        head, heads, clock, extend = self._head, self._heads, self._clock, self.values.extend
        position, hash, recorded = head
        first = position + 1
        stream = _number(call.stream, heads.streams, self.new_streams)
        last = None
        pack = chain.FIXED.pack
        for id, time, payload, tail, kind in call.events:
            if kind is not last:
                last = kind
                type, source, correlation, causation, schema, content_type = kind
                type_number = _number(type, heads.types, self.new_types)
                source_number = _number(source, heads.sources, self.new_sources)
                content = _CONTENT[content_type]
            position += 1
            version += 1
            # Strictly ascending, so that a moment of recording time names one position, also if the clock jumps back.
            recorded = clock if clock > recorded else recorded + 1
            if time is None:
                time = recorded  # noqa: PLW2901
            hash = sha256(hash + pack(position, version, time, recorded, schema, id) + tail).digest()
            extend(
                (
                    position,
                    stream,
                    version,
                    id,
                    type_number,
                    source_number,
                    time,
                    recorded,
                    correlation,
                    causation,
                    schema,
                    content,
                    payload,
                    hash,
                )
            )
        self._head = Head(position, hash, recorded)
        self.versions[call.stream] = version
        call.positions = list(range(first, position + 1))

    def _repeated(self, call: Call, ids: list[bytes], surely: bool) -> bool:
        """True if the call ends here, because ids of it are stored or come earlier in this batch."""
        found = self._find(ids, surely)
        if not self.ids.keys().isdisjoint(ids):
            names = {
                number: name for names in (self._heads.streams, self.new_streams) for name, number in names.items()
            }
            first = self.values[0]
            for id in self.ids.keys() & set(ids):
                position = self.ids[id]
                found[id] = position, names[self.values[(position - first) * len(COLUMNS) + 1]]
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
