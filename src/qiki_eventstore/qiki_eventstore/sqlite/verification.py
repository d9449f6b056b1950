"""The chain computed anew, and compared with what is stored and what was signed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from qiki_eventstore import chain
from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.heads import SignedHead, read_heads
from qiki_eventstore.sqlite import schema
from qiki_eventstore.sqlite.heads import load_head
from qiki_eventstore.sqlite.reader import Reader
from qiki_eventstore.store import Query, Verification


@dataclass(slots=True)
class _Check:
    """What is known of the chain so far."""

    hash: bytes = chain.GENESIS
    position: int = 0
    recorded: int = -(2**63)
    versions: dict[str, int] = field(default_factory=dict)
    checked: int = 0
    problem: tuple[int | None, str] | None = None
    outside: tuple[int | None, str] | None = None

    def fail(self, position: int | None, reason: str) -> None:
        """The first problem counts; one at a position counts more than one outside of the events."""
        if position is None:
            self.outside = self.outside or (position, reason)
        else:
            self.problem = self.problem or (position, reason)


def verify(reader: Reader, heads: Path) -> Verification:
    """See `EventStore.verify`; reads the whole database, a page at a time, while appends go on."""
    check = _Check()
    newest = 0
    try:
        claims = list(read_heads(heads))  # first, so that none is newer than the end found next
        with reader.connection() as connection:
            store, head = schema.store_id(connection), load_head(connection).position
            dropped = {row[0]: row[1:] for row in connection.execute("SELECT first, last, recorded, hash FROM dropped")}
            check.versions.update(connection.execute("SELECT name, dropped FROM streams"))
        signed = _own(heads, claims, store, check)
        for position, hash in _hashes(reader, check, head, dropped):
            for claimed in signed.pop(position, ()):
                if claimed.hash == hash:
                    newest = max(newest, position)
                else:
                    check.fail(position, f"event {position} has another hash than signed head line {claimed.line} says")
            if check.problem is not None:
                break
        if check.problem is None:
            _check_end(check, head, signed, max((gone[0] for gone in dropped.values()), default=0))
            with reader.connection() as connection:
                _check_database(connection, check)
    except StoreCorrupt as error:
        head = check.position
        check.fail(check.position + 1, str(error))
    first_bad, reason = check.problem or check.outside or (None, "")
    return Verification(not reason, check.checked, first_bad, reason, head, newest or None)


def _own(path: Path, claims: list[SignedHead], store: bytes, check: _Check) -> dict[int, list[SignedHead]]:
    """Signed heads by position; those that are wrong are problems."""
    found: dict[int, list[SignedHead]] = {}
    for head in claims:
        if head.problem:
            check.fail(None, f"{path}, line {head.line} {head.problem}")
        elif head.store != store:
            check.fail(None, f"{path}, line {head.line} is of another store")
        else:
            found.setdefault(head.position, []).append(head)
    return found


def _hashes(
    reader: Reader, check: _Check, head: int, dropped: dict[int, tuple[int, int, bytes]]
) -> Iterator[tuple[int, bytes]]:
    """Positions with the hashes that they should have, up to the first problem."""
    for event in _readable(reader, check, head):
        yield from _step_over(check, dropped)
        _check_event(check, event)
        if check.problem is not None:
            return
        yield check.position, check.hash
    yield from _step_over(check, dropped)


def _readable(reader: Reader, check: _Check, head: int) -> Iterator[RecordedEvent]:
    """All events up to the first that cannot be read."""
    try:
        yield from reader.stored(Query(before=head + 1))
    except StoreCorrupt:
        # Somewhere in a page: read on one by one, up to the very event.
        yield from reader.stored(Query(after=check.position, before=head + 1, limit=1))


def _step_over(check: _Check, dropped: dict[int, tuple[int, int, bytes]]) -> Iterator[tuple[int, bytes]]:
    while (gone := dropped.get(check.position + 1)) is not None:
        check.position, check.recorded, check.hash = gone
        yield check.position, check.hash


def _check_event(check: _Check, event: RecordedEvent) -> None:
    position = check.position + 1
    version = check.versions.get(event.stream, -1) + 1
    if event.position != position:
        check.fail(position, f"event {position} is missing: event {event.position} follows event {position - 1}")
    elif event.version != version:
        check.fail(position, f"event {position} has version {event.version} of stream {event.stream!r}, not {version}")
    elif event.recorded < check.recorded:
        check.fail(position, f"event {position} was recorded before the event before it")
    else:
        hash = chain.link_event(check.hash, event)
        if hash != event.hash:
            check.fail(position, f"event {position} is not what was written: its hash does not fit")
        check.position, check.hash, check.recorded = position, hash, event.recorded
        check.versions[event.stream] = version
        check.checked += 1


def _check_end(check: _Check, head: int, signed: dict[int, list[SignedHead]], floor: int) -> None:
    if check.position != head:
        check.fail(check.position + 1, f"event {check.position + 1} is missing: the store goes up to {head}")
    beyond = max((position for position in signed if position > head), default=0)
    # Heads inside a dropped segment are verified with its file.
    signed = {position: heads for position, heads in signed.items() if position > floor}
    if beyond:
        check.fail(None, f"events {head + 1} to {beyond} are missing at the end: a signed head knows them")
    elif signed:
        inside = min(signed)
        check.fail(None, f"signed head line {signed[inside][0].line}: no event of the store ends at position {inside}")


def _check_database(connection: apsw.Connection, check: _Check) -> None:
    """Indexes agree with tables, so that `read` and retries find what is stored; every name is numbered once."""
    answer = connection.execute("PRAGMA integrity_check(1)").get
    if answer != "ok":
        check.fail(None, f"the database is damaged: {answer}")
