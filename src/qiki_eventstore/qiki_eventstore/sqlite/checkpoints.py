"""Checkpoints of the write-ahead log, beside the writer."""

import logging
import threading
import time
from typing import Final

import apsw

_log = logging.getLogger(__name__)

_CLOSE_BY: Final = 500
"""Pages by which the log grew during a checkpoint, so few that the writer may be held for them: some milliseconds."""


class Checkpointer:
    """Moves the write-ahead log into the database from a connection of its own.

    A passive checkpoint never blocks the writer, but a log that is always written to would never start over.
    So passive ones are repeated until little is left; for that the writer is held between two transactions.

    Args:
        connection: used by `run` alone.
        gate: held by the writer during each transaction.
    """

    def __init__(self, connection: apsw.Connection, gate: threading.Lock) -> None:
        self._connection, self._gate = connection, gate
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.set_busy_timeout(0)
        # A connection that has not read yet does not know of the log, and its checkpoints silently do nothing.
        connection.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018
        self.last = float("nan")

    def run(self) -> None:
        """One checkpoint. A reader that still needs the log leaves a part of it for the next time."""
        try:
            before = 0
            for _ in range(5):
                frames, _done = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if frames - before <= _CLOSE_BY:
                    break
                before = frames
            with self._gate:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self.last = time.time()
        except apsw.BusyError:
            pass
        except apsw.Error as error:
            # The log keeps everything; the writer says it loudly when it cannot write either.
            _log.error("checkpoint failed: %s", error)

    def close(self) -> None:
        """Empty the log and leave the database in one file; the writer has ended."""
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            _log.error("the last checkpoint failed, the log is kept: %s", error)
        self._connection.close()
