"""The writer: one thread, one connection, one statement for all that is queued."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from threading import Thread

import psycopg

from qiki_eventstore.errors import EventStoreError, PayloadError, StoreFull, StoreUnavailable
from qiki_eventstore.postgres.batch import Appender, Call, Outcome, Result
from qiki_eventstore.postgres.connection import Connector, is_lost
from qiki_eventstore.postgres.queue import AppendQueue

_log = logging.getLogger(__name__)

_BATCH_EVENTS = 2_000
_BATCH_BYTES = 16 * 1024 * 1024
_PROBE_INTERVAL = 1.0
"""s between attempts while the server's disk is full."""

_TRANSIENT = (
    psycopg.errors.UniqueViolation,  # another process stored one of the ids meanwhile: now it will be seen
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)
_TRANSIENT_ATTEMPTS = 5


@dataclass(slots=True)
class Counts:
    """See `Stats`."""

    appended: int = 0
    commits: int = 0
    conflicts: int = 0
    duplicates: int = 0


class Writer:
    """Takes calls from the queue and settles their receipts.

    Args:
        appender: on a connection that works.
        connector: for the next connection when that one is lost.
        queue: where calls come from.
        patience: s for which a batch is repeated while no server can be reached.
        committed: called after each commit that stored something.
    """

    def __init__(
        self,
        appender: Appender,
        connector: Connector,
        queue: AppendQueue,
        patience: float,
        committed: Callable[[], None],
    ) -> None:
        self._appender: Appender | None = appender
        self._connector, self._queue, self._patience, self._committed = connector, queue, patience, committed
        self._full_since = 0.0
        self.read_only = ""
        self.counts = Counts()
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="eventstore-writer", daemon=True)
        self._thread.start()

    def refuse_if_full(self) -> None:
        """Raise StoreFull while the disk is full, but for one attempt a second."""
        if self.read_only and time.monotonic() - self._full_since < _PROBE_INTERVAL:
            raise StoreFull(self.read_only)

    def close(self) -> None:
        """Store what is queued, then end. The queue has been closed before."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while calls := self._queue.take(_BATCH_EVENTS, _BATCH_BYTES):
            try:
                outcomes = self._store(calls)
            except Exception as error:  # no caller may wait for ever
                _log.exception("a batch of %d appends failed", len(calls))
                outcomes = [StoreUnavailable(f"the writer failed: {error}")] * len(calls)
            for call, outcome in zip(calls, outcomes, strict=True):
                if isinstance(outcome, EventStoreError):
                    call.receipt.settle([], outcome)
                else:
                    call.receipt.settle(outcome)
        if self._appender is not None:
            self._appender.connection.close()

    def _store(self, calls: Sequence[Call]) -> list[Outcome]:
        """Store a batch, on as many connections as it takes: with the same ids nothing is stored twice."""
        deadline = time.monotonic() + self._patience
        repeated = False
        transient = 0
        while True:
            if self._appender is None:
                try:
                    self._appender = self._reconnect(deadline)
                except StoreUnavailable as error:
                    return [self._gave_up(error, repeated)] * len(calls)
            try:
                result = self._appender.append(calls)
            except psycopg.Error as error:
                if is_lost(error, self._appender.connection):
                    _log.warning("connection to PostgreSQL lost (%s): the batch is repeated on the next one", error)
                    self._drop_connection()
                    repeated = True
                    if time.monotonic() > deadline:
                        return [
                            self._gave_up(StoreUnavailable(f"connections to PostgreSQL break: {error}"), True)
                        ] * len(calls)
                    continue
                self._release_locks()
                if isinstance(error, psycopg.errors.DiskFull):
                    return [self._disk_full(error)] * len(calls)
                if isinstance(error, _TRANSIENT) and transient < _TRANSIENT_ATTEMPTS:
                    transient += 1
                    continue
                if len(calls) > 1:
                    return [outcome for call in calls for outcome in self._store([call])]
                return [_refused(error)]
            self._count(result, repeated)
            return result.outcomes

    def _reconnect(self, deadline: float) -> Appender:
        patience = max(0.0, deadline - time.monotonic())
        return Appender(self._connector.connect_patiently(patience))

    def _drop_connection(self) -> None:
        if self._appender is not None:
            self._appender.connection.close()
            self._appender = None

    def _release_locks(self) -> None:
        """An error may have struck while the session lock of the order was held."""
        assert self._appender is not None
        try:
            self._appender.connection.execute("SELECT pg_advisory_unlock_all()")
        except psycopg.Error:
            self._drop_connection()

    def _disk_full(self, error: psycopg.Error) -> StoreFull:
        self._full_since = time.monotonic()
        self.read_only = f"the disk of PostgreSQL is full ({error.diag.message_primary}): make room; it then goes on"
        _log.error("%s", self.read_only)
        return StoreFull(self.read_only)

    def _gave_up(self, error: StoreUnavailable, repeated: bool) -> StoreUnavailable:
        unsure = "; whether this append is stored is not known: append it again with the same ids" if repeated else ""
        return StoreUnavailable(f"{error}; given up after {self._patience:g} s{unsure}")

    def _count(self, result: Result, repeated: bool) -> None:
        counts = self.counts
        # What a repeated batch finds stored, its first attempt stored.
        counts.appended += result.stored + (result.duplicates if repeated else 0)
        counts.duplicates += 0 if repeated else result.duplicates
        counts.conflicts += result.conflicts
        if self.read_only and result.stored:
            _log.warning("the disk of PostgreSQL has room again")
            self.read_only = ""
        if result.stored or repeated:
            counts.commits += 1
            self._committed()


def _refused(error: psycopg.Error) -> EventStoreError:
    if isinstance(error, psycopg.DataError):
        return PayloadError(f"PostgreSQL cannot hold an event of this append: {error.diag.message_primary}")
    return StoreUnavailable(f"PostgreSQL refused the append: {error}")
