"""All events, or those of a query, as a file of JSON lines, and back into a store.

A file is a header line, one line per event, and a trailer line with the count, the last position and hash, and the
SHA-256 of all lines before it: a file that was cut off or changed is noticed before anything is stored. A
complete export shows by its chain which line was changed; the trailer of any other has a digit group for each line.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Protocol, runtime_checkable

from qiki_eventstore import jsonl
from qiki_eventstore.chain import GENESIS, link_event
from qiki_eventstore.engine.queue import Call
from qiki_eventstore.engine.store import EngineStore
from qiki_eventstore.events import ANY, Encoded, Event, RecordedEvent
from qiki_eventstore.files import new_file, require_regular
from qiki_eventstore.jsonl import FieldError, TransferError
from qiki_eventstore.preparation import prepare
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.retention import log
from qiki_eventstore.retention.archive import Archive
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.store import EventStore, Query

FORMAT: Final = "qiki-events"
FORMAT_VERSION: Final = 1
EVERYTHING: Final = Query()
_HEADER: Final = {"format": str, "version": int, "store": str, "head": int, "complete": bool}
_TRAILER: Final = {"end": bool, "events": int, "head": int, "hash": str, "sha256": str}
_DIGITS: Final = 8
"""Of the digest of each line."""
_PAGE: Final = 200
"""Events stored at one time during an import."""
_LONGEST: Final = 2**28
"""Bytes of a line."""
_IN_FLIGHT: Final = 1000
"""Appends that wait for the store at one time during an import."""


@runtime_checkable
class Restorable(Protocol):
    """A store whose hash chain runs in order of positions, so that an empty one can become a copy of another."""

    @property
    def store_id(self) -> str:
        """Identity of the store; empty for one that cannot become a copy."""

    def restore(self, events: Iterable[RecordedEvent], store_id: str, sha256: str) -> int:
        """Store events verbatim, all or none, and take over the id; how many. An event with the SHA-256 records it.

        Raises:
            StoreUnavailable: the store is not empty, or takes nothing.
        """


@dataclass(frozen=True, slots=True)
class Exported:
    """Result of an export.

    Attributes:
        events: how many.
        head: position of the last event, 0 if none.
        hash: its chain hash, empty if none.
    """

    events: int
    head: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Imported:
    """Result of an import.

    Attributes:
        stored: events that are new in the store.
        known: events whose ids the store had already.
        verbatim: positions, recording times and hashes are those of the file.
    """

    stored: int
    known: int
    verbatim: bool


def export_events(store: EventStore, path: Path, query: Query = EVERYTHING) -> Exported:
    """Write the events that match to a new file, durably.

    Raises:
        FileExistsError: the file is there already.
        StoreFull: no room for it; nothing is left of it.
        ValueError: the query is backwards: a file is always in order of positions.
    """
    if query.backwards:
        raise ValueError("query.backwards = True: an export is always in order of positions")
    with new_file(path) as file:
        return _write(store, file, query)


def import_events(store: EventStore, path: Path) -> Imported:
    """Check a whole file, then store its events.

    A complete export goes into an empty SQLite store verbatim: positions, recording times, hashes, store id. Otherwise
    the events are appended in their order, as new events with their ids and event times, all or none; those whose ids
    are known are left out, so that an import can be repeated. An event of the store's own stream records the import.

    Over the graph the events are appended one after the other: an import that fails keeps those before, and is finished
    by repeating it.

    Raises:
        TransferError: a bad line, or an id that is stored with other content, naming file, line and field; nothing of
            the file was stored.
        PayloadError: over the graph, an id that is stored in another stream.
        StoreUnavailable: the file of a segment that retention dropped, which is asked for known ids, is not there.
    """
    header, digest = check_export(path)
    if header["complete"] and isinstance(store, Restorable) and store.head() == 0:
        return Imported(store.restore(_events(path), header["store"], digest), 0, verbatim=True)
    return _append_all(store, path, digest) if isinstance(store, EngineStore) else _append(store, path)


# Writing ------------------------------------------------------------------------------------------------------------


def _write(store: EventStore, file: IO[bytes], query: Query) -> Exported:
    head = store.head()
    store_id = store.store_id if isinstance(store, Restorable) else ""
    complete = query == EVERYTHING and bool(store_id)
    if query.before is None or query.before > head + 1:
        # Events that are committed meanwhile are for the next export.
        query = replace(query, before=head + 1)
    digest = hashlib.sha256()
    count, last, sums = 0, (0, b""), ""

    def put(line: bytes) -> None:
        digest.update(line)
        file.write(line)

    put(
        jsonl.dumps(
            {"format": FORMAT, "version": FORMAT_VERSION, "store": store_id, "head": head, "complete": complete}
        )
    )
    for event in store.read_all(query):
        put(jsonl.encode(event))
        sums += "" if complete else _sum(digest)
        count, last = count + 1, (event.position, event.hash)
    trailer = {"end": True, "events": count, "head": last[0], "hash": last[1].hex(), "sha256": digest.hexdigest()}
    if sums:
        trailer["sums"] = sums
    file.write(jsonl.dumps(trailer))
    return Exported(count, *last)


# Reading ------------------------------------------------------------------------------------------------------------


@dataclass
class _Checker:
    """Conditions that hold from line to line."""

    complete: bool
    count: int = 0
    position: int = 0
    hash: bytes = GENESIS
    ids: set[bytes] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)

    def look(self, event: RecordedEvent) -> None:
        if event.position <= self.position:
            raise FieldError(
                "position", f"{event.position}: allowed: more than {self.position}, that of the line before"
            )
        if event.id.bytes in self.ids:
            raise FieldError("id", f"{event.id}: another line has it")
        self.ids.add(event.id.bytes)
        last = self.versions.get(event.stream)
        if last is not None and event.version <= last:
            raise FieldError("version", f"{event.version}: allowed: more than {last}, the stream's version before")
        if self.complete:
            self._look_at_order(event, -1 if last is None else last)
        follows = event.position == self.position + 1 and event.hash and self.hash
        if (follows or self.complete) and event.hash != link_event(self.hash, event):
            raise FieldError("hash", "is not the hash of this line and those before: something in them was changed")
        self.versions[event.stream] = event.version
        self.position, self.hash, self.count = event.position, event.hash, self.count + 1

    def _look_at_order(self, event: RecordedEvent, last: int) -> None:
        if event.position != self.position + 1:
            raise FieldError("position", f"{event.position}: allowed in a complete export: {self.position + 1}")
        if event.version != last + 1:
            raise FieldError("version", f"{event.version}: allowed in a complete export: {last + 1}")


def check_export(path: Path) -> tuple[dict[str, Any], str]:
    """The header of a file that is right from the first line to the last, and the SHA-256 of its lines.

    Raises:
        TransferError: a bad line; names file, line and field.
    """
    digest = hashlib.sha256()
    header: dict[str, Any] = {}
    trailer: dict[str, Any] = {}
    checker = _Checker(complete=False)
    sums: list[str] = []
    for number, line, value in _lines(path):
        try:
            if trailer:
                raise FieldError("end", "a line follows the trailer")
            if number == 1:
                header = _header(value)
                checker.complete = header["complete"]
            elif "end" in value:
                if changed := _changed(sums, value.get("sums", "")):
                    number = changed  # noqa: PLW2901
                    raise FieldError("sums", "the digest of the lines up to this one is another: it was changed")
                trailer = _trailer(value, checker, digest.hexdigest())
            else:
                checker.look(jsonl.decode(value))
        except FieldError as error:
            raise TransferError(f"{path}, line {number}: {error}") from None
        digest.update(line)
        sums.append("" if number == 1 or trailer or header["complete"] else _sum(digest))
    if not header:
        raise TransferError(f"{path}: is empty: not an export of events")
    if not trailer:
        raise TransferError(f"{path}, line {number}: no trailer follows: the file was cut off; export it again")
    return header, trailer["sha256"]


def _sum(digest: Any) -> str:
    """Digits of the digest of all lines so far."""
    return str(digest.hexdigest()[:_DIGITS])


def _changed(sums: list[str], written: object) -> int:
    """Number of the first line whose digest is not the one in the trailer; 0 if there is none."""
    parts = [str(written)[place : place + _DIGITS] for place in range(0, len(str(written)), _DIGITS)]
    differ = (number for number, (own, part) in enumerate(zip(sums[1:], parts, strict=False), 2) if own != part)
    return next(differ, 0)


def _header(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("format") != FORMAT:
        raise FieldError("format", f"{value.get('format')!r}: allowed: {FORMAT}")
    if value.get("version") != FORMAT_VERSION:
        raise FieldError("version", f"{value.get('version')!r}: allowed: {FORMAT_VERSION}; a newer program wrote it")
    return _typed(value, _HEADER)


def _trailer(value: dict[str, Any], checker: _Checker, digest: str) -> dict[str, Any]:
    value = _typed(value, _TRAILER)
    expected = {
        "events": checker.count,
        "head": checker.position,
        "hash": checker.hash.hex() if checker.count else "",
        "sha256": digest,
    }
    for name, wanted in expected.items():
        if value[name] != wanted:
            raise FieldError(name, f"{value[name]!r}, but the lines before give {wanted!r}: some were changed or lost")
    return value


def _typed(value: dict[str, Any], kinds: dict[str, type]) -> dict[str, Any]:
    for name, kind in kinds.items():
        if type(value.get(name)) is not kind:
            raise FieldError(name, f"{value.get(name)!r}: allowed: of type {kind.__name__}")
    return value


def _lines(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    try:
        require_regular(path)  # it is read twice
    except ValueError as error:
        raise TransferError(str(error)) from None
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST + 1), b""), start=1):
            if len(line) > _LONGEST:
                raise TransferError(f"{path}, line {number}: is longer than {_LONGEST} bytes")
            try:
                value = json.loads(line.decode())
            except (ValueError, RecursionError) as error:
                raise TransferError(f"{path}, line {number}: not JSON: {error}") from None
            if not isinstance(value, dict):
                raise TransferError(f"{path}, line {number}: not an object")
            yield number, line, value


def _numbered(path: Path) -> Iterator[tuple[int, RecordedEvent]]:
    for number, _, value in _lines(path):
        if number > 1 and "end" not in value:
            yield number, jsonl.decode(value)


def _events(path: Path) -> Iterator[RecordedEvent]:
    return (event for _, event in _numbered(path))


def _append_all(store: EngineStore, path: Path, digest: str) -> Imported:
    """Append the events in one transaction."""
    dropped = _dropped_ids(store)

    def work(connection: Any) -> tuple[Imported, list[Event]]:
        stored = known = 0
        lines = _numbered(path)
        while page := list(islice(lines, _PAGE)):
            new = [
                (number, event) for number, event in page if event.id.bytes not in dropped and not _own(store, event)
            ]
            calls = [Call(event.stream, prepare(event.stream, [as_new(event)], own=True), ANY) for _, event in new]
            before = store.insert(connection, calls)
            for (number, event), call in zip(new, calls, strict=True):
                if call.error is not None:
                    raise TransferError(f"{path}, line {number}: {call.error}")
                if call.positions[0] <= before and not _is_stored(store, event, call.positions[0]):
                    raise TransferError(f"{path}, line {number}: field id: {event.id}: is stored with other content")
                stored += call.positions[0] > before
            known += len(page)
        record = [log.imported(store.store_id, digest, stored, known - stored, verbatim=False)] if stored else []
        return Imported(stored, known - stored, verbatim=False), record

    return store.record(work)


def _own(store: EngineStore, event: RecordedEvent) -> bool:
    """True for the record of what was done to this very store in another copy of it, which was not done to this one."""
    return event.stream == log.STREAM and event.data.get("store") == store.store_id


def _is_stored(store: EventStore, event: RecordedEvent, position: int) -> bool:
    """True if the event at a position is this one, but for its place and recording time."""
    found = store.read_all(Query(after=position - 1, before=position + 1))
    return any(as_new(one) == as_new(event) for one in found)


def _append(store: EventStore, path: Path) -> Imported:
    head, dropped = store.head(), _dropped_ids(store)
    stored = known = 0
    waiting: deque[Receipt] = deque()
    for event in _events(path):
        # What was done to the other store is no event of this one; its own record of it is only copied verbatim.
        if event.id.bytes in dropped or event.stream == log.STREAM:
            known += 1
            continue
        waiting.append(store.submit(event.stream, [as_new(event)]))
        if len(waiting) < _IN_FLIGHT:
            continue
        stored, known = _count(waiting.popleft(), head, stored, known)
    for receipt in waiting:
        stored, known = _count(receipt, head, stored, known)
    return Imported(stored, known, verbatim=False)


def _dropped_ids(store: EventStore) -> set[bytes]:
    """Ids that the store itself does not know any more."""
    if not isinstance(store, Retainable):
        return set()
    return Archive(store.segments_folder, store.catalogue.segments()).ids()


def _count(receipt: Receipt, head: int, stored: int, known: int) -> tuple[int, int]:
    (position,) = receipt.result()
    return (stored + 1, known) if position > head else (stored, known + 1)


def as_new(event: RecordedEvent) -> Event:
    """A stored event as one to be appended again, with the same id, event time and payload bytes."""
    return Event(
        event.type,
        Encoded(event.content_type, event.payload),
        id=event.id,
        time=event.time,
        source=event.source,
        correlation=event.correlation,
        causation=event.causation,
        schema_version=event.schema_version,
    )


__all__ = [
    "Exported",
    "Imported",
    "Restorable",
    "TransferError",
    "as_new",
    "check_export",
    "export_events",
    "import_events",
]
