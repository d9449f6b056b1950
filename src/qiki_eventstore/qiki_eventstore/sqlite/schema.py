"""Tables of the database, and how connections to it are opened."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

import apsw

from qiki_eventstore.engine import spans
from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.retention.catalogue import mark_recorded
from qiki_eventstore.sqlite import ids

APPLICATION_ID: Final = 0x51494B49  # "QIKI"
SCHEMA_VERSION: Final = 3
_WRITER: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX

# Streams, types and sources are integers: the B-trees cost more than all else. `dropped` is the last version of the
# stream that retention took out of `events`, and the table `dropped` the ranges it took, with the chain's hash at their
# ends, so that versions and chain go on from there.
_DDL: Final = (
    """
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE streams(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, dropped INTEGER NOT NULL DEFAULT -1) STRICT;
CREATE TABLE types(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE events(
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    version INTEGER NOT NULL,
    id BLOB NOT NULL,
    type INTEGER NOT NULL,
    source INTEGER NOT NULL,
    time INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    correlation TEXT,
    causation TEXT,
    schema_version INTEGER NOT NULL,
    content INTEGER NOT NULL,
    payload BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_stream ON events(stream, version);
CREATE INDEX events_correlation ON events(correlation) WHERE correlation IS NOT NULL;
CREATE TABLE dropped(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, recorded INTEGER NOT NULL, hash BLOB NOT NULL)
    STRICT;
CREATE TABLE checkpoints(name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots(
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY(projection, version, stream, position)
) STRICT, WITHOUT ROWID;
"""
    + spans.DDL
    + ids.DDL
)


def open_writer(path: Path, synchronous: str) -> apsw.Connection:
    """The connection that writes. A new database gets its tables, one of an earlier version is brought up to date.

    It has no lock of its own, which every step of a statement would take: one thread at a time may use it.
    """
    connection = apsw.Connection(str(path), flags=_WRITER)
    try:
        _prepare(connection, path, synchronous)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: apsw.Connection, path: Path, synchronous: str) -> None:
    connection.set_busy_timeout(10_000)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -32000")
    if pragma(connection, "application_id") == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").get:
        with connection:
            connection.execute(_DDL)
            connection.execute("INSERT INTO meta VALUES ('store', ?)", (uuid4().bytes,))
            mark_recorded(connection)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    check(connection, path)
    if (version := pragma(connection, "user_version")) < SCHEMA_VERSION:
        with connection:
            head = load_head(connection).position
            if version == 1:
                connection.execute("DROP INDEX events_time")
                connection.execute(spans.DDL)
                spans.extend(connection, head)
            connection.execute("DROP INDEX events_id")
            connection.execute(ids.DDL)
            ids.extend(connection, 0, head)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads, also where nothing can be written.

    Raises:
        StoreUnavailable: nothing can be written there, and the log of a writer is left.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(10_000)
        connection.execute("PRAGMA cache_size = -8000")
        connection.execute("SELECT 1 FROM sqlite_schema").get  # noqa: B018
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        # The log or its index cannot be made. A database at rest needs neither.
        connection.close()
        if not os.access(path, os.R_OK, effective_ids=True):
            raise
        return _open_at_rest(path)
    except BaseException:
        connection.close()
        raise
    return connection


class AtRest(apsw.Connection):
    """Reads a database of which nothing changes."""


def has_log(path: Path) -> bool:
    """True if a log belongs to the database: it is written to, or its writer was killed."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _open_at_rest(path: Path) -> apsw.Connection:
    if has_log(path):
        raise StoreUnavailable(
            f"{path} cannot be read where it is: its folder cannot be written to, and {path.name}-wal holds events that"
            " are not in the database yet (its writer runs, or was killed): copy both into a folder of yours"
        )
    # SQLite takes no locks for it, and its end would end those of other connections of this process: there are none, as
    # this process could not make them either.
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return AtRest(f"file:{quote(str(path.absolute()))}?immutable=1", flags=flags)


def check(connection: apsw.Connection, path: Path) -> None:
    """Raise unless it is an event store of a version that is known."""
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreCorrupt(f"{path} is not an event store: give another path, or restore a backup")
    version = pragma(connection, "user_version")
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreUnavailable(f"{path} has schema version {version}, this program knows {SCHEMA_VERSION}: update it")


def pragma(connection: apsw.Connection, name: str) -> int:
    """An integer PRAGMA's value."""
    value = connection.execute(f"PRAGMA {name}").get
    assert isinstance(value, int)
    return value


def store_id(connection: apsw.Connection) -> bytes:
    """The 16 bytes that identify this store; its backups have them too."""
    value = connection.execute("SELECT value FROM meta WHERE key = 'store'").get
    assert isinstance(value, bytes)
    return value
