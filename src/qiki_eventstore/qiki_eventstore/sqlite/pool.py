"""Connections that read, apart from the one that writes."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from weakref import WeakSet

import apsw

from qiki_eventstore.engine import spans
from qiki_eventstore.engine.selection import Dialect
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.sqlite.schema import AtRest, has_log, open_reader

SQLITE: Final = Dialect(
    by_position="NOT INDEXED",
    by_version="INDEXED BY events_stream",
    by_correlation="INDEXED BY events_correlation",
    time_ranges=spans.intervals,
)


_CLOSED: Final = "the store is closed: open it again"
_END: Final = 5.0
"""s that closing waits for a read that cannot be interrupted, such as a backup."""


@contextmanager
def damage() -> Iterator[None]:
    """Raise SQLite's errors about a damaged file as `StoreCorrupt`."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"the database is damaged ({error}): restore a backup, or export what is whole") from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) != apsw.SQLITE_IOERR_SHORT_READ:
            raise
        raise StoreCorrupt("the database's log was cut short by another program: open the store again") from error


class Readers:
    """A pool of connections that only read.

    Args:
        path: the database.
        displaced: reason for which the file of that name is not the store's any more; empty if it is.
    """

    def __init__(self, path: Path, displaced: Callable[[], str]) -> None:
        self._path, self._displaced = path, displaced
        self._idle: list[apsw.Connection] = []
        self._used: set[apsw.Connection] = set()
        self._lock = threading.Condition()
        self._closed = False
        _pools.add(self)

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """One that nobody else uses meanwhile."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable(_CLOSED)
            connection = self._idle.pop() if self._idle else None
        if isinstance(connection, AtRest) and has_log(self._path):  # a writer has come
            connection.close()
            connection = None
        with damage():
            if connection is None:
                connection = self._open()
            try:
                with self._lock:
                    self._used.add(connection)
                yield connection
            except apsw.InterruptError as error:
                raise StoreUnavailable(_CLOSED) from error
            finally:
                with self._lock:
                    self._used.discard(connection)
                    if self._closed:
                        connection.close()
                        self._lock.notify_all()
                    else:
                        self._idle.append(connection)

    def _open(self) -> apsw.Connection:
        try:
            connection = open_reader(self._path)
        except apsw.CantOpenError as error:
            raise StoreUnavailable(self._displaced() or f"{self._path} cannot be opened: {error}") from error
        if reason := self._displaced():  # it would read the events of another store
            connection.close()
            raise StoreUnavailable(f"{reason}: put it back, or open the store again")
        return connection

    def close(self) -> None:
        """Close all; what is being read is interrupted, and waited for."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for connection in self._used:
                connection.interrupt()
            self._lock.wait_for(lambda: not self._used, _END)
        for connection in idle:
            connection.close()


_pools: Final[WeakSet[Readers]] = WeakSet()


def _after_fork() -> None:
    """SQLite's connections must not be used in a child process, nor closed."""
    for pool in _pools:
        pool._lock, pool._closed = threading.Condition(), True


os.register_at_fork(after_in_child=_after_fork)


class OneReader(Readers):
    """One open connection in place of a pool, for one thread; its opener closes it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        with damage():
            yield self._connection
