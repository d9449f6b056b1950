"""Old events leave the store for segment files: sealed, verified, recorded, and only then dropped."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qiki_eventstore.chain import GENESIS
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.files import digest_of
from qiki_eventstore.retention.catalogue import StoreCatalogue
from qiki_eventstore.retention.policy import Hold, Policy
from qiki_eventstore.retention.segment import Extent, Retainable, Segment, folder_of
from qiki_eventstore.retention.segment_file import opened, write_segment
from qiki_eventstore.sqlite.pool import OneReader
from qiki_eventstore.sqlite.verification import SqliteContent
from qiki_eventstore.store import EventStore, Query
from qiki_eventstore.verification import verify

if TYPE_CHECKING:
    from qiki_eventstore.events import RecordedEvent

_ONE_AT_A_TIME: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a run of retention.

    Attributes:
        dropped: segments whose events left the store.
        due: position of the last event that the policy does not keep.
        hold: name of the hold at which it stopped; empty if there was none.
    """

    dropped: tuple[Segment, ...]
    due: int
    hold: str = ""


class Retention:
    """Applies a policy to a store.

    Args:
        store: the store.
        catalogue: its segments and holds.
        folder: where the files go; made if it is not there.
        policy: the bounds.
        clock: ns since the Unix epoch.
    """

    def __init__(
        self,
        store: EventStore,
        catalogue: StoreCatalogue,
        folder: Path,
        policy: Policy,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._folder = folder
        self._policy = policy
        self._clock = clock

    @classmethod
    def of(cls, store: EventStore, policy: Policy) -> "Retention":
        """For a store that can drop segments.

        Raises:
            StoreUnavailable: it cannot, or was opened without a folder for segments.
        """
        if not isinstance(store, Retainable):
            raise StoreUnavailable("retention: apply it to the store itself, where it is written")
        return cls(store, store.catalogue, folder_of(store), policy)

    def apply(self, goes_on: Callable[[], bool] = lambda: True) -> Outcome:
        """Seal and drop whole segments that are due, from the oldest on, up to the first with an event under hold.

        It may be interrupted anywhere, and run again. In one process, one run at a time.

        Args:
            goes_on: called before each segment; after False the rest is left to the next run.

        Raises:
            StoreCorrupt: the stored events do not verify; nothing of that segment was dropped.
            OSError: a file cannot be written.
        """
        with _ONE_AT_A_TIME:
            return self._apply(goes_on)

    def _apply(self, goes_on: Callable[[], bool]) -> Outcome:
        segments = self._catalogue.segments()
        floor = max((segment.extent.last for segment in segments if segment.dropped), default=0)
        due = self._policy.due(self._store, self._clock(), floor)
        waiting = [segment for segment in segments if not segment.dropped]
        last, before = (segments[-1].extent.last, segments[-1].extent.hash) if segments else (0, GENESIS)
        dropped: list[Segment] = []
        while goes_on():
            segment = waiting.pop(0) if waiting else None
            events = [] if segment is not None else self._next(last, due)
            if segment is None and not events:
                break
            first = last + 1 if segment is None else segment.extent.first
            end = events[-1].position if segment is None else segment.extent.last
            if end > due:
                break
            holds = self._catalogue.holds()
            hold = self._first_on(holds, first, end)
            if hold:
                return Outcome(tuple(dropped), due, hold)
            if segment is None:
                segment = self._seal(events, first, before)
                self._catalogue.add(segment)
            else:  # it may be as old as a hold that was lifted just now
                verify_file(check_file(self._folder, segment), segment)
            if not self._catalogue.drop(segment, holds):
                waiting = [segment]
                continue
            dropped.append(segment)
            last, before = segment.extent.last, segment.extent.hash
        return Outcome(tuple(dropped), due)

    def _next(self, last: int, due: int) -> "list[RecordedEvent]":
        """The events of the next segment, which spans positions that were left out; empty if there are too few."""
        count = self._policy.segment_events
        events = [] if last + count > due else list(self._store.read_all(Query(after=last, limit=count)))
        return events if len(events) == count else []

    def _seal(self, events: "list[RecordedEvent]", first: int, before: bytes) -> Segment:
        extent = Extent.of(events, before, first, events[-1].position)
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{extent.first:012d}-{extent.last:012d}-{extent.hash.hex()[:12]}.db"
        path = self._folder / name
        write_segment(path, events, extent, self._store.store_id if isinstance(self._store, Retainable) else "")
        segment = Segment(extent, name, digest_of(path), self._clock())
        verify_file(path, segment)
        return segment

    def _first_on(self, holds: Sequence[Hold], first: int, last: int) -> str:
        return next((hold.name for hold in holds if hold.covers(self._store, first, last)), "")


def verify_segments(store: Retainable) -> int:
    """Verify the files of all segments, and that the chain goes on from each to the next; how many events they hold.

    `EventStore.verify` goes on from there: it begins with the hash at the end of the last segment that was dropped.

    Raises:
        StoreCorrupt: a file is missing or not the one that was sealed, or the chain breaks; names it.
    """
    before, count = GENESIS, 0
    for segment in store.catalogue.segments():
        extent = segment.extent
        path = check_file(folder_of(store), segment)
        verify_file(path, segment)
        if extent.before != before:
            raise StoreCorrupt(f"{path}: the chain does not go on from the segment before", extent.first)
        before, count = extent.hash, count + extent.events
    return count


def verify_file(path: Path, segment: Segment) -> None:
    """Verify the events of a segment's file by the walk that verifies a store, and that they are those sealed."""
    extent = segment.extent
    events: list[RecordedEvent] = []
    with opened(path, segment) as connection:
        found = verify(SqliteContent(OneReader(connection)), visit=events.append)
    if not found.ok:
        raise StoreCorrupt(f"{path}: {found.reason}", found.first_bad)
    if not events or Extent.of(events, extent.before, extent.first, extent.last) != extent:
        raise StoreCorrupt(f"{path}: its events are not those that were sealed", extent.first)


def check_file(folder: Path, segment: Segment) -> Path:
    """Path of a segment's file.

    Raises:
        StoreCorrupt: it is missing, or not the one that was sealed; names it.
    """
    path = folder / segment.file
    if not path.is_file() or digest_of(path) != segment.sha256:
        raise StoreCorrupt(
            f"{path} is not the file that was sealed with positions {segment.extent.first} to"
            f" {segment.extent.last}: put it back",
            segment.extent.first,
        )
    return path
