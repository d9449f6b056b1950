"""The one thread that writes: whatever is queued goes into one transaction (group commit)."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import apsw

from qiki_eventstore.errors import EventStoreError, StoreCorrupt, StoreFull, StoreUnavailable
from qiki_eventstore.sqlite.batch import Batch, Found
from qiki_eventstore.sqlite.heads import Head, load_heads
from qiki_eventstore.sqlite.intake import Call, Intake, Task

_MOST_EVENTS: Final = 2000
"""Events of one transaction, about: more would gain nothing and make those behind them wait."""

_INSERT: Final = f"INSERT INTO events VALUES ({','.join('?' * 14)})"
_FULL: Final = (apsw.FullError, apsw.IOError)
_CORRUPT: Final = (apsw.CorruptError, apsw.NotADBError)


class Writer:
    """Runs from its making to `close`.

    Args:
        connection: used by this thread alone from now on.
        path: of the database.
        intake: what is to be stored.
        committed: called with the new head after each commit, before the callers are told.
        gate: held during each transaction.
        reserve_bytes: free space below which nothing more is taken.
        probe: s between attempts to write again after the disk was full.
        clock: ns since the Unix epoch.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        path: Path,
        intake: Intake,
        *,
        committed: Callable[[Head], None],
        gate: threading.Lock,
        reserve_bytes: int,
        probe: float,
        clock: Callable[[], int],
    ) -> None:
        self._connection, self._folder, self._intake = connection, path.absolute().parent, intake
        self._committed, self._gate, self._clock = committed, gate, clock
        self._reserve_bytes, self._probe_interval = reserve_bytes, probe
        self._heads = load_heads(connection)
        self._corrupt = False
        self._attempt = 0.0
        self.read_only = ""
        self.appended = self.commits = self.conflicts = self.duplicates = 0
        self._thread = threading.Thread(target=self._run, name="eventstore-writer", daemon=True)

    def start(self) -> None:
        self._committed(self._heads.head)
        self._thread.start()

    def join(self) -> None:
        """Wait until everything that was queued is stored or has failed; the intake is closed."""
        self._thread.join()

    def _run(self) -> None:
        while (taken := self._intake.take(_MOST_EVENTS, self._probe_interval if self.read_only else None)) is not None:
            calls, tasks = taken
            if self.read_only and not self._may_try():
                self._fail(calls, tasks, self._refusal)
            elif calls or tasks:
                self._store(calls, tasks)
            elif self.read_only:
                self._probe()

    def _store(self, calls: list[Call], tasks: list[Task]) -> None:
        try:
            self._check_space()
            with self._gate:
                try:
                    batch = self._commit(calls, tasks, careful=False)
                except apsw.ConstraintError:
                    batch = self._commit(calls, tasks, careful=True)
        except Exception as error:
            self._give_up(calls, tasks, error)
            return
        self.read_only = ""
        self.commits += 1
        self.appended += len(batch.rows) + batch.duplicates
        self.conflicts += batch.conflicts
        self.duplicates += batch.duplicates
        self._committed(self._heads.head)
        for call in calls:
            call.settle(call.positions, call.error)
        for task in tasks:
            task.done(task)

    def _commit(self, calls: list[Call], tasks: list[Task], *, careful: bool) -> Batch:
        batch = Batch(self._heads, self._clock(), self._lookup, careful=careful)
        for call in calls:
            call.error = None
            batch.add(call)
        execute, executemany = self._connection.execute, self._connection.executemany
        if self._connection.in_transaction:  # a rollback failed with the disk
            execute("ROLLBACK")
        execute("BEGIN IMMEDIATE")
        try:
            for table, new in (
                ("streams", batch.new_streams),
                ("types", batch.new_types),
                ("sources", batch.new_sources),
            ):
                if new:
                    executemany(f"INSERT INTO {table}(name, id) VALUES (?, ?)", new.items())
            executemany(_INSERT, batch.rows)
            for task in tasks:
                self._perform(task)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        batch.advance()
        if any(task.moves_head for task in tasks):
            self._heads = load_heads(self._connection)
        return batch

    def _perform(self, task: Task) -> None:
        """A task that fails is undone alone; a disk that fails ends the transaction."""
        try:
            with self._connection:
                task.result = task.work(self._connection)
        except (*_FULL, *_CORRUPT):
            raise
        except Exception as error:
            task.error = error

    def _lookup(self, ids: Iterable[bytes]) -> Found:
        sql = "SELECT position, name FROM events JOIN streams ON streams.id = stream WHERE events.id = ?"
        rows = ((id, self._connection.execute(sql, (id,)).get) for id in ids)
        return {id: row for id, row in rows if row is not None}

    # When it cannot be stored ---------------------------------------------------------------------------------------

    def _check_space(self) -> None:
        if self._reserve_bytes:
            disk = os.statvfs(self._folder)
            free = disk.f_bavail * disk.f_frsize
            if free < self._reserve_bytes:
                raise StoreFull(f"only {free} bytes are free at {self._folder}, {self._reserve_bytes} are kept free")

    def _give_up(self, calls: list[Call], tasks: list[Task], error: Exception) -> None:
        if isinstance(error, _CORRUPT):
            self._corrupt = True
            self.read_only = f"the database is damaged ({error}): restore a backup, or export what was recorded before"
        elif isinstance(error, (StoreFull, OSError, *_FULL)):
            self.read_only = f"the disk is full or failed: {error}"
        else:
            failure = error if isinstance(error, EventStoreError) else StoreUnavailable(f"not stored: {error!r}")
            self._fail(calls, tasks, lambda: type(failure)(*failure.args))
            return
        self._attempt = time.monotonic()
        self._fail(calls, tasks, self._refusal)

    def _refusal(self) -> EventStoreError:
        if self._corrupt:
            return StoreCorrupt(self.read_only)
        return StoreFull(f"{self.read_only}: free space; the store goes on by itself")

    def _fail(self, calls: list[Call], tasks: list[Task], error: Callable[[], EventStoreError]) -> None:
        for call in calls:
            call.error = error()
            call.settle(call.positions, call.error)
        for task in tasks:
            task.error = error()
            task.done(task)

    def _may_try(self) -> bool:
        return not self._corrupt and time.monotonic() - self._attempt >= self._probe_interval

    def _probe(self) -> None:
        """Write something, so that `read_only` ends when space is back, also if nobody appends."""
        self._store([], [Task(_touch, done=lambda _task: None)])


def _touch(connection: apsw.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(65536))")
    connection.execute("DELETE FROM meta WHERE key = 'probe'")
