"""What goes on behind the writer: telling followers, sealing the chain, making partitions."""

import logging
import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

import psycopg
from psycopg import sql

from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.postgres.connection import Connector
from qiki_eventstore.postgres.readers import Reader
from qiki_eventstore.postgres.schema import make_partitions
from qiki_eventstore.postgres.sealing import Seal, seal
from qiki_eventstore.postgres.tail import channel

_log = logging.getLogger(__name__)

_BETWEEN_NOTIFICATIONS = 0.002
_BETWEEN_PARTITIONS = 3600.0
_AFTER_TROUBLE = 0.5


class Herald:
    """Sends NOTIFY after commits, in a transaction of its own.

    Within the writer's transaction it would make all writers of all processes commit one after the other: PostgreSQL
    holds one lock from the NOTIFY to the end of the commit, disk and replica included.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._due = Flag()
        self._closed = False
        self._thread = Thread(target=self._run, name="eventstore-herald", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """Something was committed: followers are told soon."""
        self._due.set()

    def close(self) -> None:
        """Tell what is due, then end."""
        self._closed = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        notify = sql.SQL("NOTIFY {}").format(channel(self._connector.schema))
        while not self._closed:
            try:
                with self._connector.connect(durable=False) as connection:
                    while not self._closed:
                        self._due.wait()
                        self._due.clear()
                        connection.execute(notify)
                        time.sleep(_BETWEEN_NOTIFICATIONS)
            except (StoreUnavailable, psycopg.Error) as error:
                # Followers also look by themselves.
                _log.warning("followers could not be told of events: %s", error)
                time.sleep(_AFTER_TROUBLE)


class Keeper:
    """Seals and makes partitions, at intervals.

    Args:
        connector: makes its connection.
        interval: s between looks for events to seal.
        sealed: called with the end of the chain after each look; with True the last time.
    """

    def __init__(self, connector: Connector, interval: float, sealed: Callable[[Seal, bool], None]) -> None:
        self._connector, self._interval, self._sealed = connector, interval, sealed
        self._closed = Flag()
        self._thread = Thread(target=self._run, name="eventstore-keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Seal what can be sealed now, then end."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                # Seals follow from the events: if a crash takes them, they are computed again.
                with self._connector.in_order().connect(durable=False) as connection:
                    self._keep(Reader(connection))
                    return
            except StoreCorrupt as error:
                _log.error("events cannot be sealed: %s", error)
            except (StoreUnavailable, psycopg.Error) as error:
                _log.warning("sealing was interrupted: %s", error)
            if self._closed.wait(_AFTER_TROUBLE):
                return

    def _keep(self, reader: Reader) -> None:
        partitions_due = time.monotonic()
        last = False
        while not last:
            last = self._closed.wait(self._interval)
            more = True
            while more:
                end, more = seal(reader)
            self._sealed(end, last)
            if time.monotonic() >= partitions_due:
                make_partitions(reader.connection)
                partitions_due = time.monotonic() + _BETWEEN_PARTITIONS
