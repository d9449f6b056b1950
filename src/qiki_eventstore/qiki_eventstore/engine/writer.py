"""Group commit: whichever thread writes stores everything that is queued in one transaction."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from qiki_eventstore.engine.backend import Backend, Stale
from qiki_eventstore.engine.batch import Batch, Head, Heads
from qiki_eventstore.engine.queue import Call, Queue, Task
from qiki_eventstore.errors import EventStoreError, StoreCorrupt, StoreFull, StoreUnavailable
from qiki_eventstore.store import Delivery

_log = logging.getLogger(__name__)


class Writer:
    """Stores calls and tasks, in a caller's thread if nobody else writes, else in its own.

    Args:
        backend: its writing side is used by one thread at a time.
        queue: what is to be stored.
        committed: called with the new head after each commit, before the callers return.
        probe: s between attempts to write again after the disk was full.
        clock: ns since the Unix epoch.

    Attributes:
        read_only: why nothing is stored; empty if something is.
        corrupt: nothing will be stored until the store is opened again.
    """

    def __init__(
        self,
        backend: Backend,
        queue: Queue,
        *,
        committed: Callable[[Head], None],
        probe: float,
        clock: Callable[[], int],
    ) -> None:
        self._backend, self._queue, self._committed = backend, queue, committed
        self._probe_interval, self._clock = probe, clock
        self._heads: Heads | None = None
        self.corrupt = False
        self._attempt = 0.0
        self.read_only = ""
        self.appended = self.commits = self.conflicts = self.duplicates = 0
        self._thread = threading.Thread(target=self._run, name="eventstore-writer", daemon=True)

    def start(self) -> None:
        """Load the state of the store and begin to store.

        Raises:
            EventStoreError: what `Backend.load` raises.
        """
        self._committed(self._load().head)
        self._thread.start()

    def append(self, call: Call, delivery: Delivery) -> list[int]:
        """Store a call and wait for it; see `EventStore.append`."""
        calls = None
        try:
            calls = self._queue.put_or_lead(call, delivery)
            if calls is not None:
                self._store(calls, [])
                self._queue.next()
        except BaseException:
            self._interrupted(calls or [])
            self._queue.abandon(call)
            raise
        return call.result()

    def run(self, work: Callable[[Any], Any], *, moves_head: bool = False) -> Any:
        """Do some work durably in the next transaction. If it raises, it alone is undone."""
        future: Future[None] = Future()

        def done(_task: Task) -> None:
            if not future.done():
                future.set_result(None)

        task = Task(work, done, moves_head)
        self._queue.put_task(task)
        future.result()
        if task.error is not None:
            raise task.error
        return task.result

    def refuse(self, reason: str) -> None:
        """Store nothing until the store is opened again."""
        self.corrupt, self.read_only = True, reason

    @property
    def is_running_this(self) -> bool:
        """True in a call that the writer's own thread makes."""
        return threading.current_thread() is self._thread

    def join(self) -> None:
        """Wait until everything that was queued is stored or has failed; the queue is closed."""
        self._thread.join()

    def _run(self) -> None:
        while (taken := self._queue.take(self._probe_interval if self.read_only else None)) is not None:
            try:
                self._store(*taken)
            except BaseException:  # without this thread, later appends would wait for ever
                _log.exception("the writer failed")
                self._interrupted(taken[0])
                self._heads = None
                for task in taken[1]:
                    if task.error is None:
                        task.error = StoreUnavailable("interrupted; it is not known whether it is done")
                    task.done(task)
            finally:
                self._queue.next()

    def _load(self) -> Heads:
        if self._heads is None:
            self._heads = self._backend.load()
        return self._heads

    def _store(self, calls: list[Call], tasks: list[Task]) -> None:
        if self.read_only:
            if self.corrupt or time.monotonic() - self._attempt < self._probe_interval:
                self._fail(calls, tasks, self._refusal)
                return
            if not calls and not tasks:  # so that `read_only` ends when there is room, also if nobody appends
                tasks = [Task(self._backend.touch, lambda _task: None)]
        elif not calls and not tasks:
            return
        try:
            batch, repeated = self._commit(calls, tasks)
        except Exception as error:
            self._give_up(calls, tasks, error)
            return
        self.read_only = ""
        self.commits += 1
        self.appended += len(batch.ids) + batch.duplicates
        self.conflicts += batch.conflicts
        # What a repeated batch finds stored, its first attempt stored.
        self.duplicates += 0 if repeated else batch.duplicates
        head = self._load().head
        try:
            self._committed(head)
        except Exception:  # what listens to commits says nothing about them
            _log.exception("a commit could not be announced")
        for call in calls:
            call.settle(call.positions, call.error)
        for task in tasks:
            task.done(task)

    def _commit(self, calls: Sequence[Call], tasks: Sequence[Task]) -> tuple[Batch, bool]:
        careful = repeated = False
        while True:
            batch = Batch(self._load(), self._clock(), self._backend.find, careful=careful)
            try:
                for call in calls:
                    call.error = None
                    batch.add(call)
                self._backend.commit(batch, tasks)
            except Stale as stale:
                if careful and not stale.moved:
                    raise StoreUnavailable(f"not stored: {stale}") from stale
                careful, repeated = True, repeated or stale.moved
                if stale.moved:
                    self._heads = None
                continue
            batch.advance()
            if tasks and any(task.moves_head for task in tasks):
                self._heads = None
                self._load()
            return batch, repeated

    # When it cannot be stored ---------------------------------------------------------------------------------------

    def _give_up(self, calls: Sequence[Call], tasks: Sequence[Task], error: Exception) -> None:
        self._heads = None  # the batch may be stored all the same: it is the acknowledgement that is refused
        if isinstance(error, StoreCorrupt | StoreFull):
            self.corrupt = isinstance(error, StoreCorrupt)
            self.read_only = str(error)
            self._attempt = time.monotonic()
            self._queue.nudge()  # so that the writer's thread begins to try again
            self._fail(calls, tasks, self._refusal)
        else:
            failure = error if isinstance(error, EventStoreError) else StoreUnavailable(f"not stored: {error!r}")
            self._fail(calls, tasks, lambda: type(failure)(*failure.args))

    def _interrupted(self, calls: Sequence[Call]) -> None:
        """A signal struck the caller that stored them: whether they are stored is not known.

        Followers learn it from a task that reads the head again.
        """
        if calls:
            self._heads = None
            with suppress(StoreUnavailable):  # closed: nobody follows any more
                self._queue.put_task(Task(lambda _connection: None, lambda _task: None, moves_head=True))
        for call in calls:
            if not call.done():
                reason = "interrupted; it is not known whether it is stored: append it again with the same ids"
                call.settle([], StoreUnavailable(reason))

    def _refusal(self) -> EventStoreError:
        if self.corrupt:
            return StoreCorrupt(self.read_only)
        return StoreFull(self.read_only)

    def _fail(self, calls: Sequence[Call], tasks: Sequence[Task], error: Callable[[], EventStoreError]) -> None:
        for call in calls:
            call.settle([], error())
        for task in tasks:
            task.error = error()
            task.done(task)
