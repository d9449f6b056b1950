"""Checkpoints of the write-ahead log, beside the writer."""

import logging
import math
import threading
import time
from pathlib import Path
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
        path: the database.
        gate: held by the writer during each transaction.

    Attributes:
        connection: used by `run` alone.
        last: Unix time, s, of the last checkpoint; NaN if there was none.
        last_steady: the same by `time.monotonic`.
        abandoned: the log is left as it is at closing.
    """

    def __init__(self, path: Path, gate: threading.Lock) -> None:
        self.connection, self._gate = apsw.Connection(str(path)), gate
        try:
            self.connection.execute("PRAGMA wal_autocheckpoint = 0")
            self.connection.set_busy_timeout(0)
            # A connection that has not read yet does not know of the log, and its checkpoints silently do nothing.
            self.connection.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018
        except BaseException:
            self.connection.close()
            raise
        self.last = self.last_steady = math.nan
        self.abandoned = False
        self.held_since: float | None = None
        """Time (`time.monotonic`) since which readers keep every checkpoint from its end; None: they do not."""

    def run(self) -> None:
        """One checkpoint. A reader that still needs the log leaves a part of it for the next time."""
        try:
            before = 0
            for _ in range(5):
                frames, _done = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if frames - before <= _CLOSE_BY:
                    break
                before = frames
            with self._gate:
                frames, done = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if done < frames:
                self.held_since = self.held_since or time.monotonic()
            else:
                self.held_since, self.last, self.last_steady = None, time.time(), time.monotonic()
        except apsw.BusyError:
            pass
        except apsw.Error as error:
            # The log keeps everything; the writer says it loudly when it cannot write either.
            _log.error("checkpoint failed: %s", error)

    def close(self) -> None:
        """Empty the log and leave the database in one file; the writer has ended."""
        if not self.abandoned:
            try:
                self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.Error as error:
                _log.error("the last checkpoint failed, the log is kept: %s", error)
        self.connection.close()
