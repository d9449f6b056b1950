"""Connections that read, apart from the one that writes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from qiki_eventstore.engine import spans
from qiki_eventstore.engine.selection import Dialect
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.sqlite.schema import open_reader

SQLITE: Final = Dialect(
    by_position="NOT INDEXED",
    by_version="INDEXED BY events_stream",
    by_correlation="INDEXED BY events_correlation",
    time_ranges=spans.intervals,
)


@contextmanager
def damage() -> Iterator[None]:
    """Raise SQLite's errors about a damaged file as `StoreCorrupt`."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"the database is damaged ({error}): restore a backup, or export what is whole") from error


class Readers:
    """A pool of connections that only read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """One that nobody else uses meanwhile."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed: open it again")
            connection = self._idle.pop() if self._idle else None
        with damage():
            if connection is None:
                connection = open_reader(self._path)
            try:
                yield connection
            finally:
                with self._lock:
                    keep = not self._closed
                    if keep:
                        self._idle.append(connection)
                if not keep:
                    connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class OneReader(Readers):
    """One open connection in place of a pool, for one thread; its opener closes it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        with damage():
            yield self._connection
