"""The chain recomputed, and compared with the stored one and with the signed heads: one walk for every engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from qiki_eventstore import chain
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.heads import SignedHead, read_heads
from qiki_eventstore.retention.log import STREAM, Record, of_store
from qiki_eventstore.store import Query, Verification

if TYPE_CHECKING:
    from qiki_eventstore.engine.content import StoredEvents


@dataclass(frozen=True, slots=True)
class Bounds:
    """The extent of a store, as it is recorded beside the events.

    Attributes:
        store: 16 bytes of the store's id.
        head: position of the last event.
        dropped: ranges of positions without events, by their first: last position, and recording time and hash there.
        versions: last version of each stream that was dropped; -1: none.
        recorded: version of the last event by which the store records its own care; -1: none.
    """

    store: bytes
    head: int
    dropped: dict[int, tuple[int, int, bytes]]
    versions: dict[str, int]
    recorded: int


Care: TypeAlias = Callable[[Record, Bounds], tuple[int | None, str] | None]


@dataclass(slots=True)
class _Check:
    """State of the walk."""

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


def verify(
    content: "StoredEvents",
    heads: Path | None = None,
    visit: Callable[[RecordedEvent], object] = lambda _event: None,
    care: Care = lambda _record, _bounds: None,
) -> Verification:
    """See `EventStore.verify`; reads everything, a page at a time.

    Args:
        content: the events.
        heads: file of signed heads; None: the events are compared with the chain alone.
        visit: called with each event that was verified; from the first again if retention drops events meanwhile.
        care: finds what is wrong with segments and holds, given their record in the events; None: nothing.
    """
    check = _Check()
    newest = head = 0
    bounds: Bounds | None = None
    try:
        # Signed heads first, so that none is newer than the end found next.
        claims = [] if heads is None else _claims(heads)
        bounds = content.bounds()
        head = bounds.head
        check.versions.update(bounds.versions)
        signed = _own(claims, bounds.store, check)
        record = of_store(bounds.store)

        def look(event: RecordedEvent) -> None:
            if event.stream == STREAM:
                record.apply(event)
            visit(event)

        for position, hash in _hashes(content, check, bounds, look):
            for claimed in signed.pop(position, ()):
                if claimed.hash == hash:
                    newest = max(newest, position)
                else:
                    check.fail(position, f"event {position} has another hash than signed head line {claimed.line} says")
            if check.problem is not None:
                break
        if check.problem is None:
            _check_end(check, head, signed, max((gone[0] for gone in bounds.dropped.values()), default=0))
            damage = content.damage()
            if damage:
                check.fail(None, f"the database is damaged: {damage}")
            if (wrong := care(record, bounds)) is not None:
                check.fail(*wrong)
    except StoreCorrupt as error:
        head = check.position
        check.fail(check.position + 1, str(error))
    first_bad, reason = check.problem or check.outside or (None, "")
    if reason and bounds is not None and _has_moved(content, bounds):
        return verify(content, heads, visit, care)
    return Verification(not reason, check.checked, first_bad, reason, head, newest or None)


def _has_moved(content: "StoredEvents", bounds: Bounds) -> bool:
    """True if segments or holds changed since then: the walk may have missed that."""
    try:
        now = content.bounds()
        return (now.dropped, now.recorded) != (bounds.dropped, bounds.recorded)
    except StoreCorrupt:
        return False


def _claims(heads: Path) -> list[tuple[str, SignedHead]]:
    try:
        return [(f"{heads}, line {claim.line}", claim) for claim in read_heads(heads)]
    except OSError as error:
        raise StoreUnavailable(f"signed heads {heads}: cannot be read: {error.strerror}") from error


def _own(claims: list[tuple[str, SignedHead]], store: bytes, check: _Check) -> dict[int, list[SignedHead]]:
    """Signed heads by position; wrong ones are problems."""
    found: dict[int, list[SignedHead]] = {}
    for place, head in claims:
        if head.problem:
            check.fail(None, f"{place} {head.problem}")
        elif head.store != store:
            check.fail(None, f"{place} is of another store")
        else:
            found.setdefault(head.position, []).append(head)
    return found


def _hashes(
    content: "StoredEvents", check: _Check, bounds: Bounds, visit: Callable[[RecordedEvent], object]
) -> Iterator[tuple[int, bytes]]:
    """Positions with the hashes that they should have, up to the first problem."""
    for event in _readable(content, check, bounds.head):
        yield from _step_over(check, bounds)
        _check_event(check, event)
        if check.problem is not None:
            return
        visit(event)
        yield check.position, check.hash
    yield from _step_over(check, bounds)


def _readable(content: "StoredEvents", check: _Check, head: int) -> Iterator[RecordedEvent]:
    """All events up to the first that cannot be read."""
    try:
        yield from content.events(Query(before=head + 1))
    except StoreCorrupt:
        # Somewhere in a page: read on one by one, up to the very event.
        yield from content.events(Query(after=check.position, before=head + 1, limit=1))


def _step_over(check: _Check, bounds: Bounds) -> Iterator[tuple[int, bytes]]:
    while (gone := bounds.dropped.get(check.position + 1)) is not None:
        check.position, check.recorded, check.hash = gone
        yield check.position, check.hash


def _check_event(check: _Check, event: RecordedEvent) -> None:
    position = check.position + 1
    version = check.versions.get(event.stream, -1) + 1
    hash = chain.link_event(check.hash, event)
    # Positions may have been left out (PostgreSQL stores of version 0.1 did): the chain shows whether an event is gone.
    if event.position < position or (event.position > position and hash != event.hash):
        check.fail(position, f"event {position} is missing: event {event.position} follows event {position - 1}")
        return
    position = event.position
    if event.version != version:
        check.fail(position, f"event {position} has version {event.version} of stream {event.stream!r}, not {version}")
    elif event.recorded < check.recorded:
        check.fail(position, f"event {position} was recorded before the event before it")
    elif hash != event.hash:
        check.fail(position, f"event {position} is not what was written: its hash does not fit")
    else:
        check.position, check.hash, check.recorded = position, hash, event.recorded
        check.versions[event.stream] = version
        check.checked += 1


def _check_end(check: _Check, head: int, signed: dict[int, list[SignedHead]], floor: int) -> None:
    if check.position != head:
        check.fail(check.position + 1, f"event {check.position + 1} is missing: the store goes up to {head}")
    beyond = max((position for position in signed if position > head), default=0)
    # Heads inside a dropped range are out of reach here.
    signed = {position: heads for position, heads in signed.items() if position > floor}
    if beyond:
        check.fail(None, f"events {head + 1} to {beyond} are missing at the end: a signed head knows them")
    elif signed:
        inside = min(signed)
        check.fail(None, f"signed head line {signed[inside][0].line}: no event of the store ends at position {inside}")
