"""How far the order of events is decided: woken by NOTIFY, and by looking now and then.

Transactions take their ids and positions in one order but commit in any. Everything up to the last event whose
transaction is older than all that still run is decided: nothing can appear before it any more. Who asks instead for
"positions above the last one I saw" skips what commits late.
"""

import logging
import time
from threading import Condition, Thread

import psycopg
from psycopg import sql

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.connection import Connection, Connector

_log = logging.getLogger(__name__)

_POLL = 0.5
"""s between looks when no notification comes."""

_UNDECIDED_POLL = 0.01
"""s between looks while committed events wait for older transactions, which may end without a notification."""

_HORIZON = "(SELECT tx_base + pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM store)"

DECIDED = f"SELECT position FROM events WHERE tx < {_HORIZON} ORDER BY position DESC LIMIT 1"
"""The last position that is decided."""

_DECIDED_AND_LAST = f"SELECT ({DECIDED}), (SELECT position FROM events ORDER BY position DESC LIMIT 1)"


def channel(schema: str) -> sql.Identifier:
    """The NOTIFY channel of a store."""
    return sql.Identifier(f"qiki_eventstore_{schema}")


class Tail:
    """Follows `decided` in a thread of its own, started with the first follower.

    Args:
        connector: makes the connection.
        patience: s without a server after which followers are told.
    """

    def __init__(self, connector: Connector, patience: float) -> None:
        self._connector, self._patience = connector, patience
        self._condition = Condition()
        self._decided = 0
        self._error: StoreUnavailable | None = None
        self._closed = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start following, if nobody has."""
        with self._condition:
            if self._thread is None and not self._closed:
                self._thread = Thread(target=self._run, name="eventstore-tail", daemon=True)
                self._thread.start()

    def wait(self, after: int, deadline: float | None) -> int:
        """The last decided position, once it is above `after`; else what it is at the deadline, or when woken.

        Args:
            after: position.
            deadline: of `time.monotonic`; None: wait for ever.

        Raises:
            StoreUnavailable: the server has not been reached for `patience` s, or the store is closed.
        """
        with self._condition:
            if self._decided <= after and self._error is None:
                self._condition.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if self._error is not None:
                raise StoreUnavailable(str(self._error))
            return self._decided

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._condition:
            self._condition.notify_all()

    def stop(self) -> None:
        """End all waiting, and the thread as soon as it looks again."""
        with self._condition:
            self._closed = True
            self._error = StoreUnavailable("the store is closed")
            self._condition.notify_all()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        lost = time.monotonic()
        while not self._closed:
            try:
                with self._connector.connect(durable=False) as connection:
                    connection.execute(sql.SQL("LISTEN {}").format(channel(self._connector.schema)))
                    while not self._closed:
                        waiting = self._look(connection)
                        lost = time.monotonic()
                        for _ in connection.notifies(timeout=_UNDECIDED_POLL if waiting else _POLL, stop_after=1):
                            pass
            except (StoreUnavailable, psycopg.Error) as error:
                if time.monotonic() - lost > self._patience:
                    self._tell(StoreUnavailable(f"events cannot be followed: {error}"))
                _log.warning("following PostgreSQL was interrupted: %s", error)
                time.sleep(0.1)

    def _look(self, connection: Connection) -> bool:
        """Whether committed events wait for older transactions."""
        row = connection.execute(_DECIDED_AND_LAST, prepare=True).fetchone()
        assert row is not None
        decided, last = row[0] or 0, row[1] or 0
        with self._condition:
            if not self._closed:
                self._error = None
            if decided > self._decided:
                self._decided = decided
                self._condition.notify_all()
        return bool(last > decided)

    def _tell(self, error: StoreUnavailable) -> None:
        with self._condition:
            if not self._closed:
                self._error = error
                self._condition.notify_all()
