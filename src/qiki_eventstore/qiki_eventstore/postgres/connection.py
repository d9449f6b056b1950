"""Connections to the server: TLS and password from outside the URL, hosts tried in turn, a pool for reading."""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Format
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.arrays import register_arrays

_log = logging.getLogger(__name__)
# The pool would log each of five tries per second; readers report the server that is away themselves.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

_DEFAULTS = {
    # The old primary of a fail-over may come back as a replica: only one that takes writes will do.
    "target_session_attrs": "read-write",
    "connect_timeout": "5",
    "application_name": "qiki_eventstore",
    # A host that vanished silently is given up after about 15 s, idle or in the middle of a commit.
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

# The server's side: it ends the session of a writer whose host vanished, and with it frees the writer's lock, in 4 s.
_AS_WRITER = "-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=4000"
# Pages are read in the order of an index. Left to itself the planner may read and sort all that is left for each page,
# in a young table for want of statistics.
_AS_READER = (
    "-c enable_sort=off -c enable_bitmapscan=off -c enable_seqscan=off -c plan_cache_mode=force_custom_plan"
    " -c synchronous_commit=off"
)

_MOST_READERS = 32
_BETWEEN_TRIES = 0.2
"""s between attempts to reach a server."""

_OLDEST_SERVER = 130_000

_SESSION_LOST = re.compile("08...|57P0.|25006|53300")
"""Connection errors, shutdown, crash, "starting up", read-only (a demoted primary), too many connections."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection with placeholders `$1`, `$2`, … and answers in binary form."""

    def execute(self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool = True) -> Any:
        return super().execute(query, params, prepare=prepare, binary=binary)


Parameters: TypeAlias = dict[str, Any]


class ConnectionLost(StoreUnavailable):
    """The connection was lost in the middle of a read."""


class Connector:
    """Makes connections to one store on one server.

    Args:
        url: libpq's URL or `key=value` form; `host=a,b` for fail-over, `sslmode`, `sslrootcert`, `passfile` as libpq
            documents them.
        schema: PostgreSQL schema that holds the store's tables.
        password_file: file with nothing but the password; read again for each connection, so that it may change.

    Raises:
        ValueError: not such a URL or schema name.
    """

    def __init__(self, url: str, schema: str, password_file: Path | None) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", schema):
            raise ValueError(
                f"schema {schema!r}: must be 1 to 41 lower-case letters, digits and underscores, no digit first"
            )
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # The driver's message may quote the URL, password included.
            raise ValueError("the store URL is not a URL of libpq (postgresql://user@host:port/database?…)") from None
        places = (given.get("host"), given.get("hostaddr"), given.get("port"), given.get("dbname"))
        if any("@" in str(place) for place in places if place) or not re.fullmatch(r"[\d,]*", str(places[2] or "")):
            raise ValueError("the store URL has an @, : or / in its password or name: write %40, %3A or %2F instead")
        options = f"{given.pop('options', '') or ''} -c search_path={schema} -c jit=off".strip()
        self._parameters: Parameters = {**_DEFAULTS, **given, "options": options}
        self._password_file = password_file
        self.schema = schema

    def __str__(self) -> str:
        """Location of the store, without secrets."""
        hosts = self._parameters.get("hostaddr") or self._parameters.get("host") or "local socket"
        return f"{hosts}, database {self._parameters.get('dbname') or 'of the user'!r}, schema {self.schema!r}"

    def parameters(self, more_options: str = "") -> Parameters:
        """Connection parameters of libpq, password included.

        Raises:
            StoreUnavailable: the password file cannot be read.
        """
        parameters = {**self._parameters, "options": f"{self._parameters['options']} {more_options}".strip()}
        if self._password_file is None:
            return parameters
        try:
            return {**parameters, "password": self._password_file.read_text().rstrip("\r\n")}
        except OSError as error:
            raise StoreUnavailable(f"password_file {str(self._password_file)!r}: {error.strerror}") from None

    def connect(self) -> Connection:
        """One connection for writing, each host tried once. Commits wait for the disk, and for synchronous replicas.

        Raises:
            StoreUnavailable: no host answers as it must, or the server may lose commits.
        """
        try:
            connection = Connection.connect(**self.parameters(_AS_WRITER), **_SESSION)
        except psycopg.OperationalError as error:
            raise StoreUnavailable(f"PostgreSQL at {self} cannot be reached: {_last_line(error)}") from None
        try:
            _adapt(connection)
            _require_durability(connection)
        except psycopg.Error as error:
            connection.close()
            raise StoreUnavailable(f"PostgreSQL at {self} cannot be used: {_last_line(error)}") from None
        except BaseException:
            connection.close()
            raise
        return connection


class Readers:
    """A pool of connections that only read.

    Args:
        patience: s for which a reader waits for a server that can be reached.
        renewed: called for each new connection, which may be to another server than the one before.
    """

    def __init__(self, connector: Connector, patience: float, renewed: Callable[[], object] = lambda: None) -> None:
        self._connector, self._patience = connector, patience

        def configure(connection: Connection) -> None:
            _adapt(connection)
            renewed()

        self._pool: ConnectionPool[Connection] = ConnectionPool(
            connection_class=Connection,
            kwargs=lambda: {**connector.parameters(_AS_READER), **_SESSION},
            min_size=0,
            max_size=_MOST_READERS,
            open=True,
            configure=configure,
            check=ConnectionPool.check_connection,
            # Left to itself the pool tries ever more seldom, and readers would wait on after a fail-over.
            reconnect_timeout=_BETWEEN_TRIES,
            num_workers=1,
        )

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One connection, for this block alone.

        Raises:
            ConnectionLost: in the middle of the block.
            StoreUnavailable: closed, or the server cannot be reached.
        """
        connection = self._take()
        try:
            yield connection
        except psycopg.Error as error:
            if is_lost(error, connection):
                raise ConnectionLost(f"the connection to PostgreSQL was lost while reading: {error}") from error
            raise StoreUnavailable(f"PostgreSQL at {self._connector} cannot be read: {error}") from error
        finally:
            self._pool.putconn(connection)

    def _take(self) -> Connection:
        deadline = time.monotonic() + self._patience
        reported = False
        while True:
            try:
                return self._pool.getconn(2 * _BETWEEN_TRIES)
            except PoolClosed:
                raise StoreUnavailable("the store is closed: open it again") from None
            except PoolTimeout:
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(f"{self._reason()}; given up after {self._patience:g} s") from None
                if not reported:
                    _log.warning("%s; trying for %g s", self._reason(), self._patience)
                    reported = True

    def _reason(self) -> str:
        """Cause for which there is no connection; the pool does not give it."""
        try:
            Connection.connect(**self._connector.parameters(_AS_READER), **_SESSION).close()
        except psycopg.OperationalError as error:
            return f"PostgreSQL at {self._connector} cannot be reached: {_last_line(error)}"
        return f"PostgreSQL at {self._connector}: all {_MOST_READERS} connections of this reader are in use"

    def close(self) -> None:
        self._pool.close()


def split_mode(url: str) -> tuple[str, bool]:
    """A URL without `mode=ro` or `mode=rw`, which libpq does not know, and whether it was `ro`."""
    if not url.startswith("postgres"):  # libpq's key=value form
        return url, False
    # As text: the library's functions do not give back an empty host as it was.
    address, _, query = url.partition("?")
    pairs = query.split("&")
    modes = [pair.removeprefix("mode=") for pair in pairs if pair.startswith("mode=")]
    if modes not in ([], ["ro"], ["rw"]):
        raise ValueError(f"store URL: mode={modes[-1]}: allowed are mode=ro and mode=rw")
    rest = "&".join(pair for pair in pairs if not pair.startswith("mode="))
    return f"{address}?{rest}".removesuffix("?"), modes == ["ro"]


def is_lost(error: psycopg.Error, connection: Connection) -> bool:
    """True if the connection, not the statement, is at fault: on another one the statement may succeed."""
    return connection.closed or connection.broken or bool(_SESSION_LOST.fullmatch(error.sqlstate or ""))


_SESSION: Parameters = {"autocommit": True, "cursor_factory": psycopg.RawCursor}


class _UuidBytes(Loader):
    """A UUID as its 16 bytes."""

    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def _adapt(connection: Connection) -> None:
    connection.adapters.register_loader("uuid", _UuidBytes)
    register_arrays(connection)


def _require_durability(connection: Connection) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise StoreUnavailable(f"the server is PostgreSQL {connection.info.server_version // 10_000}: 13 is needed")
    ((fsync, full_pages, commit),) = connection.execute(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')"
    )
    if fsync != "on" or full_pages != "on":
        raise StoreUnavailable(
            f"the server runs with fsync={fsync}, full_page_writes={full_pages}: a power cut could lose acknowledged "
            "events; both must be on"
        )
    if commit in ("off", "local"):
        connection.execute("SET synchronous_commit = on")


def _last_line(error: psycopg.Error) -> str:
    # A question ("Is the server running on that host …?") follows the reason.
    lines = [line for line in str(error).strip().splitlines() if not line.endswith("?")]
    return lines[-1].strip() if lines else type(error).__name__
