"""Connections to the server: TLS and password from outside the URL, hosts tried in turn, patience with a bound."""

import logging
import re
import time
from collections.abc import Callable
from copy import copy
from pathlib import Path
from threading import Event as Flag
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.arrays import register_arrays

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_log = logging.getLogger(__name__)

_DEFAULTS = {
    # The old primary of a fail-over may come back as a replica: only one that takes writes will do.
    "target_session_attrs": "read-write",
    "connect_timeout": "5",
    "application_name": "qiki_eventstore",
    # A host that vanished without a word is given up after about 15 s, idle or in the middle of a commit.
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

_OLDEST_SERVER = 130_000
"""pg_current_xact_id()."""

_SESSION_LOST = re.compile("08...|57P0.|25006|53300")
"""Connection errors, shutdown, crash, "starting up", read-only (a demoted primary), too many connections."""


class Connector:
    """Makes connections to one store on one server.

    Args:
        url: libpq's URL or `key=value` form; `host=a,b` for fail-over, `sslmode`, `sslrootcert`, `passfile` as libpq
            documents them.
        schema: PostgreSQL schema that holds the store's tables.
        password_file: file with nothing but the password; read anew for each connection, so that it may change.

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
        options = f"{given.pop('options', '') or ''} -c search_path={schema} -c jit=off".strip()
        self._parameters: dict[str, Any] = {**_DEFAULTS, **given, "options": options}
        self._password_file = password_file
        self.schema = schema

    def __str__(self) -> str:
        """Where the store is, without secrets."""
        hosts = self._parameters.get("hostaddr") or self._parameters.get("host") or "local socket"
        return f"{hosts}, database {self._parameters.get('dbname') or 'of the user'!r}, schema {self.schema!r}"

    def parameters(self) -> dict[str, Any]:
        """Connection parameters of libpq, password included.

        Raises:
            StoreUnavailable: the password file cannot be read.
        """
        if self._password_file is None:
            return self._parameters
        try:
            return {**self._parameters, "password": self._password_file.read_text().rstrip("\r\n")}
        except OSError as error:
            raise StoreUnavailable(f"password_file {str(self._password_file)!r}: {error.strerror}") from None

    def in_order(self) -> "Connector":
        """One whose connections read pages in the order of an index.

        Left to itself the planner may read and sort all that is left for each page, in a young table for want of
        statistics.
        """
        other = copy(self)
        options = f"{self._parameters['options']} -c enable_sort=off -c enable_bitmapscan=off"
        other._parameters = {**self._parameters, "options": options}
        return other

    def connect(self, *, durable: bool = True) -> Connection:
        """One connection, each host tried once.

        Args:
            durable: commits wait until they are on disk (and on the synchronous replica, if the server has one).

        Raises:
            StoreUnavailable: no host answers as it must, or the server does not keep what it commits.
        """
        try:
            connection: Connection = psycopg.connect(**self.parameters(), autocommit=True)
        except psycopg.OperationalError as error:
            raise StoreUnavailable(f"PostgreSQL at {self} cannot be reached: {_last_line(error)}") from None
        try:
            register_arrays(connection)
            _prepare(connection, durable)
        except psycopg.Error as error:
            connection.close()
            raise StoreUnavailable(f"PostgreSQL at {self} cannot be used: {_last_line(error)}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_patiently(self, patience: float, give_up: Flag | None = None, *, durable: bool = True) -> Connection:
        """Try until a server answers, for `patience` s at most, or until `give_up` is set."""
        return with_patience(lambda: self.connect(durable=durable), patience, give_up)


def with_patience(connect: Callable[[], Connection], patience: float, give_up: Flag | None = None) -> Connection:
    """Call `connect` until it succeeds; its last StoreUnavailable after `patience` s."""
    deadline = time.monotonic() + patience
    pause = 0.05
    while True:
        try:
            return connect()
        except StoreUnavailable as error:
            if time.monotonic() + pause > deadline or (give_up is not None and give_up.is_set()):
                raise
            _log.warning("%s; trying again", error)
        time.sleep(pause)
        pause = min(1.0, pause * 2)


def is_lost(error: psycopg.Error, connection: Connection) -> bool:
    """Whether the connection, not the statement, is at fault: on another one the statement may succeed."""
    return connection.closed or connection.broken or bool(_SESSION_LOST.fullmatch(error.sqlstate or ""))


def _prepare(connection: Connection, durable: bool) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise StoreUnavailable(f"the server is PostgreSQL {connection.info.server_version // 10_000}: 13 is needed")
    row = connection.execute(
        "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')"
    ).fetchone()
    assert row is not None
    fsync, full_pages, commit = row
    if fsync != "on" or full_pages != "on":
        raise StoreUnavailable(
            f"the server runs with fsync={fsync}, full_page_writes={full_pages}: a power cut could lose acknowledged "
            "events; both must be on"
        )
    if not durable:
        connection.execute("SET synchronous_commit = off")
    elif commit in ("off", "local"):
        connection.execute("SET synchronous_commit = on")


def _last_line(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
