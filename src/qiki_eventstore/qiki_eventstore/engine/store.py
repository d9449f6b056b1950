"""An event store over a backend: everything that engines share."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID
from weakref import WeakSet

from qiki_events import Projection
from qiki_events.fields import check_name
from qiki_eventstore.engine import reconstruction
from qiki_eventstore.engine.backend import Backend, Counts
from qiki_eventstore.engine.batch import Batch, Head
from qiki_eventstore.engine.following import Follower, Tail, Window
from qiki_eventstore.engine.heads import load_heads
from qiki_eventstore.engine.options import Options
from qiki_eventstore.engine.pump import Given, Pump
from qiki_eventstore.engine.queue import Call, Queue
from qiki_eventstore.engine.snapshots import Snapshots, check_snapshots
from qiki_eventstore.engine.tables import Tables
from qiki_eventstore.engine.upkeep import Signing, Upkeep
from qiki_eventstore.engine.writer import Writer
from qiki_eventstore.errors import EventStoreError, StoreCorrupt, StoreUnavailable
from qiki_eventstore.events import ANY, Event, Moment, RecordedEvent
from qiki_eventstore.preparation import prepare
from qiki_eventstore.receipt import Receipt, callback_errors
from qiki_eventstore.retention.log import STREAM
from qiki_eventstore.store import Delivery, EventStore, Query, Rebuilt, Stats, Subscription, Verification, matcher

R = TypeVar("R")

_log = logging.getLogger(__name__)

_EVERYTHING: Final = Query()


class EngineStore(EventStore):
    """See `EventStore`; engines derive from it and make the backend in their `open`.

    Args:
        backend: the database; closed with the store.
        options: of the engine.
        heads: file of signed heads; None: none are signed or compared.
        key: file of the private key that signs.
        read_only: why it only reads; empty if it writes.

    Raises:
        EventStoreError: what `Backend.load` raises.
    """

    def __init__(
        self, backend: Backend, options: Options, *, heads: Path | None, key: Path | None, read_only: str = ""
    ) -> None:
        self._backend, self._options, self._heads, self._why_read_only = backend, options, heads, read_only
        self._closed = False
        self._tail = Tail()
        self._window = Window(backend.reader.all)
        self._followers: set[Follower] = set()
        self._tables = Tables(backend, self.run)
        self._signing: Signing | None = None
        self._writer: Writer | None = None
        self._queue = Queue(options.max_events, options.max_bytes, options.patience)
        self._snapshots = Snapshots(self, self._tables, list(options.projections), options.snapshot_events)
        self._ended = threading.Event()
        self._watching = False
        self._skipped = 0
        if read_only:
            return
        if heads is not None and key is not None:
            self._signing = Signing(heads, key, backend.store_id(), options.sign_events, options.sign_seconds)
        _written.add(self)
        self._upkeep = Upkeep(min(1.0, options.sign_seconds), self._keep_up, self._take_snapshots, self._sign)
        self._writer = Writer(backend, self._queue, committed=self._committed, probe=options.probe, clock=options.clock)
        try:
            self._writer.start()
            if self._signing is not None and (reason := self._signing.contradiction(backend)):
                _log.error("the store is read-only: %s", reason)
                self._writer.refuse(reason)
                self._signing = None
        except BaseException:
            self._queue.close()
            self._upkeep.close()
            raise

    # Writing --------------------------------------------------------------------------------------------------------

    def submit(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> Receipt:
        self._writing()
        call = Call(stream, prepare(stream, events, expected_version), expected_version)
        if not self._queue.put(call, delivery):
            call.settle([])
        return call

    def append(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> list[int]:
        writer = self._writer or self._writing()
        return writer.append(Call(stream, prepare(stream, events, expected_version), expected_version), delivery)

    def run(self, work: Callable[[Any], R], *, moves_head: bool = False) -> R:
        """Do some work durably in a transaction of the writer, between appends. If it raises, it alone is undone.

        Args:
            work: takes the writer's connection; must not begin or end transactions.
            moves_head: it changes events at the end of the store or versions of streams.
        """
        result: R = self._writing().run(work, moves_head=moves_head)
        return result

    def record(self, work: Callable[[Any], tuple[R, Sequence[Event]]]) -> R:
        """`run`, and append the events that the work gives besides its result to the store's own stream with it.

        A transaction whose answer is lost may be repeated: its events show whether the work is done.
        """
        done: list[tuple[R, list[bytes]]] = []

        def both(connection: Any) -> R:
            for result, ids in done:
                if ids and self._backend.find(ids, True):
                    return result
            result, events = work(connection)
            if events:
                call = Call(STREAM, prepare(STREAM, events, own=True), ANY)
                self.insert(connection, [call])
                done.append((result, [event[0] for event in call.events]))
            return result

        return self.run(both, moves_head=True)

    def insert(self, connection: Any, calls: Sequence[Call]) -> int:
        """Append calls in a task of the writer that moves the head, each with its error or positions; the head before.

        Where one has an error, the task must raise.
        """
        heads = load_heads(connection)
        before = heads.head.position
        batch = Batch(heads, self._options.clock(), self._backend.find, careful=True)
        for call in calls:
            batch.add(call)
        self._backend.insert(batch)
        return before

    # Reading --------------------------------------------------------------------------------------------------------

    @property
    def store_id(self) -> str:
        """UUID that identifies this store; its backups and the stores restored from its exports have it too."""
        return str(UUID(bytes=self._backend.store_id()))

    def read(self, stream: str, start: int = 0, end: int | None = None) -> list[RecordedEvent]:
        return self._backend.reader.stream(stream, start, end)

    def read_all(self, query: Query = _EVERYTHING) -> Iterator[RecordedEvent]:
        return self._backend.reader.all(query)

    def version(self, stream: str) -> int:
        return self._backend.reader.version(stream)

    def streams(self, pattern: str = "*") -> list[str]:
        match = matcher(pattern)
        return [name for name in self._backend.reader.streams() if match(name)]

    def head(self) -> int:
        return self._backend.reader.head()

    def settled(self) -> int:
        return self._backend.reader.head()

    def subscribe(
        self,
        after: int | None = None,
        *,
        name: str | None = None,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Subscription:
        if name is not None:
            check_name("name", name)
        if after is None:
            after = 0 if name is None else self._tables.checkpoint(name)

        def remember(event: RecordedEvent) -> None:
            if name is None:
                raise ValueError("the subscription has no name to keep a checkpoint under: subscribe with name=…")
            self._tables.keep_checkpoint(name, event.position)

        if self._closed:
            raise StoreUnavailable("the store is closed: open it again")
        self._watch()
        query = Query(after=after, types=tuple(types), streams=tuple(streams))
        follower = Follower(self._window, self._tail, query, remember, self._followers.discard)
        self._followers.add(follower)
        return follower

    def pump(self, give: Callable[[Given], None]) -> Pump:
        """One thread that reads for many of this store's subscriptions."""
        return Pump(self._tail, give)

    # The past -------------------------------------------------------------------------------------------------------

    def rebuild(self, projections: Sequence[Projection[Any]], stream: str, at: Moment | None = None) -> list[Rebuilt]:
        found = reconstruction.reconstruct(self, self._tables, projections, stream, at)
        self._skipped += sum(rebuilt.skipped for rebuilt in found)
        return found

    def snapshot(self, projection: Projection[Any], stream: str) -> int:
        return reconstruction.take_snapshot(self, self._tables, projection, stream)

    # Care -----------------------------------------------------------------------------------------------------------

    def verify(self) -> Verification:
        found = self._backend.verify(self._heads)
        wrong = check_snapshots(self, self._tables, self._options.projections) if found.ok else ""
        return replace(found, ok=False, reason=wrong) if wrong else found

    def backup(self, path: Path) -> None:
        self._backend.backup(path, self._heads)

    def stats(self) -> Stats:
        writer = self._writer
        try:
            counts = self._backend.counts()
        except StoreCorrupt:
            if not self._read_only():
                raise
            counts = Counts.unknown()
        return Stats(
            engine=self._backend.name,
            events=counts.events,
            streams=counts.streams,
            head=counts.head,
            bytes=counts.bytes,
            queued=self._queue.events,
            appended=writer.appended if writer else 0,
            commits=writer.commits if writer else 0,
            conflicts=writer.conflicts if writer else 0,
            duplicates=writer.duplicates if writer else 0,
            dropped=self._queue.dropped,
            read_only=self._read_only(),
            last_checkpoint=counts.last_checkpoint,
            free_bytes=counts.free_bytes,
            log_bytes=counts.log_bytes,
            warning=counts.warning or (self._signing.warning if self._signing is not None else ""),
            skipped=self._skipped,
            callback_errors=callback_errors(),
            checkpoint_age=counts.checkpoint_age,
        )

    def close(self) -> None:
        if self._closed:
            return
        if self._writer is not None and self._writer.is_running_this:
            raise RuntimeError(
                "close: called by a callback of a receipt, which it would wait for; allowed: other threads"
            )
        self._closed = True
        self._ended.set()
        for follower in list(self._followers):
            follower.close()
        self._queue.close()
        try:
            if self._writer is not None:
                self._writer.join()
                self._upkeep.close()
                if self._signing is not None:
                    if self._writer.read_only:
                        self._signing.sign_last(damaged=self._writer.corrupt)
                    else:
                        self._signing.sign()
        finally:
            self._backend.close()

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreUnavailable(f"the store was {self._why_read_only}: append through the process that writes")
        return self._writer

    def _adopt(self, store: bytes) -> None:
        """Sign as the store of this id from now on."""
        if self._signing is not None:
            self._signing.adopt(store)

    def _forked(self) -> None:
        """Let a child process leave the store, its queue and its threads alone: they are its parent's."""
        self._why_read_only = f"opened by process {os.getppid()}, of which this one is a fork"
        self._writer, self._closed = None, True

    def _keep_up(self) -> None:
        try:
            self._backend.upkeep()
        except EventStoreError:
            # The writer finds the same, and reports it also while nobody appends.
            with suppress(EventStoreError):
                if not self._read_only():
                    self.run(self._backend.touch)

    def _sign(self) -> None:
        # Of a store that was moved away or rolled back nothing more is signed.
        if self._signing is not None and not self._read_only():
            self._signing.job()

    def _read_only(self) -> str:
        return self._writer.read_only if self._writer is not None else self._why_read_only

    def _take_snapshots(self) -> None:
        try:
            more = self._snapshots.job()
        except Exception:
            if not self._closed:
                _log.exception("no more snapshots are taken until the store is opened again")
                self._snapshots.stop()
            return
        if more:
            self._upkeep.ask()

    def _committed(self, head: Head) -> None:
        self._tail.advance(head.position)
        signed = self._signing is not None and self._signing.committed(head)
        if signed or self._snapshots.due(head.position) or self._backend.wants_upkeep():
            self._upkeep.ask()

    def _watch(self) -> None:
        """Start the thread that watches for commits of another process, once, if this store does not write."""
        if self._writer is None and not self._watching:
            self._watching = True
            self._tail.advance(self._backend.reader.head())
            threading.Thread(target=self._run_watch, name="eventstore-watch", daemon=True).start()

    def _run_watch(self) -> None:
        with suppress(StoreUnavailable):  # closed meanwhile
            self._backend.watch(self._tail.advance, self._ended)


_written: Final[WeakSet[EngineStore]] = WeakSet()


def _after_fork() -> None:
    for store in _written:
        store._forked()


os.register_at_fork(after_in_child=_after_fork)
