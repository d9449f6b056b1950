"""Connections that only read, kept for the next reader."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

import psycopg

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.connection import Connection, Connector, is_lost
from qiki_eventstore.postgres.names import Names

T = TypeVar("T")

_MOST_IDLE = 4


class ConnectionLost(StoreUnavailable):
    """The connection was lost in the middle of a read."""


class Reader:
    """A connection that reads, and the names that it has met."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.names = Names(connection, "names")
        self.streams = Names(connection, "streams")


class Readers:
    """A pool. A reader is used by one thread at a time.

    Args:
        connector: makes the connections.
        patience: s for which a read is tried again while no server can be reached.
    """

    def __init__(self, connector: Connector, patience: float) -> None:
        self._connector, self._patience = connector, patience
        self._idle: list[Reader] = []
        self._lock = Lock()
        self._closed = False

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """A reader that nobody else uses meanwhile. Its connection may have been lost while it was idle.

        Raises:
            StoreUnavailable: closed, the server cannot be reached, or the connection was lost in the block.
        """
        reader = self._take() or Reader(self._connector.connect_patiently(self._patience))
        try:
            yield reader
        except psycopg.Error as error:
            if not is_lost(error, reader.connection):
                raise
            reader.connection.close()
            raise ConnectionLost(f"the connection to PostgreSQL was lost while reading: {error}") from error
        finally:
            self._give_back(reader)

    def run(self, read: Callable[[Reader], T]) -> T:
        """Do a whole read, once more on a new connection if the first one turns out to be lost.

        Raises:
            StoreUnavailable: as `reader`.
        """
        try:
            with self.reader() as reader:
                return read(reader)
        except ConnectionLost:
            self._forget_idle()  # the others were lost with it
            with self.reader() as reader:
                return read(reader)

    def close(self) -> None:
        """Close idle connections now and the others when they come back."""
        with self._lock:
            self._closed = True
        self._forget_idle()

    def _take(self) -> Reader | None:
        """An idle reader whose connection still stands, as far as can be seen without asking the server."""
        while True:
            with self._lock:
                if self._closed:
                    raise StoreUnavailable("the store is closed")
                if not self._idle:
                    return None
                reader = self._idle.pop()
            if not _said_goodbye(reader.connection):
                return reader
            reader.connection.close()

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            if not self._closed and not reader.connection.closed and len(self._idle) < _MOST_IDLE:
                self._idle.append(reader)
                return
        reader.connection.close()

    def _forget_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.connection.close()


def _said_goodbye(connection: Connection) -> bool:
    """Whether something came while the connection was idle: the server's goodbye, or the end of the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
