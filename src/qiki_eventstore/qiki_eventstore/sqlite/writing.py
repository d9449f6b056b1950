"""The side of a store that writes: lock, queue, writer, checkpoints and signed heads, opened and closed together."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import apsw

from qiki_eventstore.errors import StoreFull
from qiki_eventstore.heads import HeadSigner
from qiki_eventstore.sqlite import schema
from qiki_eventstore.sqlite.heads import Head
from qiki_eventstore.sqlite.intake import Call, Intake, Task
from qiki_eventstore.sqlite.location import WriterLock, beside
from qiki_eventstore.sqlite.options import Options
from qiki_eventstore.sqlite.subscription import LiveTail
from qiki_eventstore.sqlite.upkeep import Checkpointer, Upkeep
from qiki_eventstore.sqlite.writer import Writer
from qiki_eventstore.store import Delivery

R = TypeVar("R")

_log = logging.getLogger(__name__)


class Writing:
    """Everything that only the one writing store of a database has."""

    def __init__(self, path: Path, options: Options) -> None:
        self.tail = LiveTail()
        self.dropped = 0
        self._counting = threading.Lock()
        self._options = options
        self._lock = WriterLock(path)
        try:
            connection = schema.open_writer(path, options.synchronous)
            page_size = schema.pragma(connection, "page_size")
            self._most_pages = max(1, options.checkpoint_bytes // page_size)
            self._pages = 0
            connection.set_wal_hook(self._logged)
            self._gate = threading.Lock()
            self.intake = Intake(options.max_events, options.max_bytes)
            self.writer = Writer(
                connection,
                path,
                self.intake,
                committed=self._committed,
                gate=self._gate,
                reserve_bytes=options.reserve_bytes,
                probe=options.probe,
                clock=options.clock,
            )
            self._connection = connection
            self._path = path
            self.adopt(schema.store_id(connection))
            self._checkpointer = Checkpointer(apsw.Connection(str(path)), self._gate)
        except BaseException:
            self._lock.release()
            raise
        self._head = Head()
        self._signed_at = time.monotonic()
        self._upkeep = Upkeep(min(1.0, options.sign_seconds), self._jobs)
        self.writer.start()

    @property
    def last_checkpoint(self) -> float:
        return self._checkpointer.last

    def put(self, call: Call, delivery: Delivery) -> bool:
        """Queue a call; False if it was telemetry that had to be dropped."""
        if delivery is Delivery.TELEMETRY:
            if self.intake.put(call, 0.0):
                return True
            with self._counting:
                self.dropped += len(call.events)
            return False
        if not self.intake.put(call, self._options.patience):
            raise StoreFull(
                f"the queue stayed full for {self._options.patience} s ({self.intake.events} events wait):"
                " append less, or wait and try again"
            )
        return True

    def run(self, work: Callable[[apsw.Connection], R], *, moves_head: bool = False) -> R:
        """Do some work durably in the writer's next transaction. If it raises, it alone is undone."""
        future: Future[Any] = Future()
        task = Task(work, lambda _task: future.set_result(None), moves_head)
        self.intake.put_task(task)
        future.result()
        if task.error is not None:
            raise task.error
        result: R = task.result
        return result

    def adopt(self, store: bytes) -> None:
        """Sign heads as the store of this id from now on."""
        heads = Path(self._options.heads or beside(self._path, ".heads"))
        self.signer = HeadSigner(heads, Path(self._options.key or beside(self._path, ".key")), store)

    def close(self) -> None:
        self.intake.close()
        self.writer.join()
        self._upkeep.close()
        try:
            self._sign()
            self._connection.close()
            self._checkpointer.close()
        finally:
            self._lock.release()

    def _committed(self, head: Head) -> None:
        self._head = head
        self.tail.advance(head.position)
        if head.position - self.signer.position >= self._options.sign_events or self._pages >= self._most_pages:
            self._upkeep.ask()

    def _logged(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _jobs(self) -> None:
        if self._pages >= self._most_pages:
            self._checkpointer.run()
        due = time.monotonic() - self._signed_at >= self._options.sign_seconds
        if due or self._head.position - self.signer.position >= self._options.sign_events:
            self._sign()

    def _sign(self) -> None:
        head = self._head
        self._signed_at = time.monotonic()
        if head.position > self.signer.position:
            try:
                self.signer.sign(head.position, head.hash, head.recorded)
            except OSError as error:
                _log.error(
                    "a head could not be signed, the next attempt is in %s s: %s", self._options.sign_seconds, error
                )
