"""The session that writes: it holds the writer's lock, and is opened again when it is lost."""

import logging
import time
from typing import Final, NoReturn

import psycopg

from qiki_eventstore.engine.backend import Stale
from qiki_eventstore.errors import StoreFull, StoreUnavailable
from qiki_eventstore.postgres.connection import Connection, Connector, is_lost

_log = logging.getLogger(__name__)

# The lock is the session's, so that each statement of the session is one of the only writer.
_KEY: Final = "hashtextextended('qiki_eventstore writer ' || $1, 0)"
_HOLDER: Final = (
    "SELECT a.pid, coalesce(host(a.client_addr), 'the server') FROM pg_locks AS l JOIN pg_stat_activity AS a"
    f" ON a.pid = l.pid WHERE l.locktype = 'advisory' AND (l.classid::bigint << 32 | l.objid::bigint) = {_KEY}"
)
_BETWEEN_TRIES: Final = 0.2
"""s between attempts to become the writer, or to reach a server."""

_UNSURE: Final = "whether this append is stored is not known: append it again with the same ids"


class WriterSession:
    """One connection at a time, with the writer's lock.

    Args:
        connector: makes connections.
        patience: s for which a server that takes writes is waited for when the session is lost (fail-over).
    """

    def __init__(self, connector: Connector, patience: float) -> None:
        self._connector, self._patience = connector, patience
        self._connection: Connection | None = None
        self._lost_since: float | None = None

    def connection(self) -> Connection:
        """The connection that writes.

        Raises:
            Stale: it was lost.
        """
        if self._connection is None:
            raise Stale("the connection to PostgreSQL was lost", moved=True)
        return self._connection

    def open(self, standby: float) -> None:
        """Become the writer, waiting up to `standby` s for the end of another one.

        Raises:
            StoreUnavailable: there is another writer, or no server can be reached.
        """
        self._connection = self._become_writer(standby, 0.0)

    def reopen(self, deadline: float) -> bool:
        """Become the writer again if the session was lost; whether it was.

        Args:
            deadline: of `time.monotonic`.

        Raises:
            StoreUnavailable: not until the deadline.
        """
        if self._connection is not None:
            return False
        patience = max(0.0, deadline - time.monotonic())
        try:
            self._connection = self._become_writer(patience, patience)
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{error}; given up after {self._patience:g} s; {_UNSURE}") from None
        return True

    def works(self) -> None:
        """Take note that the session has committed."""
        self._lost_since = None

    def is_lost(self, error: psycopg.Error) -> bool:
        """True if the session is lost; it is closed then."""
        if self._connection is None or not is_lost(error, self._connection):
            return False
        self.close()
        return True

    def fail(self, error: psycopg.Error) -> NoReturn:
        """Raise an error of a batch as that of the event store."""
        if self.is_lost(error):
            now = time.monotonic()
            self._lost_since = self._lost_since or now
            if now - self._lost_since > self._patience:
                raise StoreUnavailable(f"connections to PostgreSQL break: {error}; {_UNSURE}") from error
            _log.warning("connection to PostgreSQL lost (%s): the batch is repeated on the next one", error)
            raise Stale(str(error), moved=True) from error
        if isinstance(error, psycopg.errors.UniqueViolation):
            raise Stale(str(error), moved=error.diag.constraint_name != "events_once") from error
        if isinstance(error, psycopg.errors.DiskFull):
            reason = f"the disk of PostgreSQL is full ({error.diag.message_primary})"
            raise StoreFull(f"{reason}: free space; the store goes on by itself") from error
        raise StoreUnavailable(f"PostgreSQL refused the append: {error}") from error

    def close(self) -> None:
        """End the session, and with it the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _become_writer(self, for_lock: float, for_server: float) -> Connection:
        """A session that holds the writer's lock.

        Args:
            for_lock: s for which another writer's end is waited for.
            for_server: s for which a server that can be reached is waited for.

        Raises:
            StoreUnavailable: none in time.
        """
        begun = time.monotonic()
        waiting = False
        reported = ""
        while True:
            try:
                session = self._connector.connect()
            except StoreUnavailable as error:
                # A process that stands by also waits while the server fails over.
                if time.monotonic() - begun >= (max(for_lock, for_server) if waiting else for_server):
                    raise
                if str(error) != reported:
                    reported = str(error)
                    _log.warning("%s; trying again", error)
                time.sleep(_BETWEEN_TRIES)
                continue
            try:
                while not self._try_lock(session):
                    if time.monotonic() - begun >= for_lock:
                        raise StoreUnavailable(self._held(session))
                    if not waiting:
                        waiting = True
                        _log.warning("standing by: %s", self._held(session))
                    time.sleep(_BETWEEN_TRIES)
                return session
            except psycopg.Error as error:
                lost = is_lost(error, session)  # before it is closed, which would count as lost
                session.close()
                if not lost:
                    raise StoreUnavailable(f"PostgreSQL at {self._connector} cannot be used: {error}") from error
                time.sleep(_BETWEEN_TRIES)
            except BaseException:
                session.close()
                raise

    def _try_lock(self, session: Connection) -> bool:
        ((locked,),) = session.execute(f"SELECT pg_try_advisory_lock({_KEY})", (self._connector.schema,))
        return bool(locked)

    def _held(self, session: Connection) -> str:
        rows = session.execute(_HOLDER, (self._connector.schema,))
        holders = [f"server process {pid} for {host}" for pid, host in rows]
        return (
            f"the store at {self._connector} is held by another writer ({', '.join(holders) or 'it just ended'}):"
            " end it, stand by, or open the store with ?mode=ro"
        )
