"""Peers of benchmarks/event_store.py: each stores the same 300-byte protobuf events, durably, in its own way."""

import os
import sqlite3
import struct
import sys
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.wrappers_pb2 import BytesValue

from qiki_eventstore import Event, EventStore, open_store
from qiki_eventstore.ids import new_uuid

ROOT = Path(__file__).resolve().parent.parent
PAYLOAD = BytesValue(value=bytes(range(256)) + bytes(41))
"""300 bytes when serialized."""

STREAMS = 8


def make_events(count: int) -> list[Event]:
    """New events of one call; time moves on by 1 us each, from now."""
    now = time.time_ns()
    return [Event("benchmark.sampled", PAYLOAD, time=now + i * 1_000, source="/bench") for i in range(count)]


class Peer(ABC):
    """Something that stores events. `append` may be called by many threads and returns when they are durable."""

    name: str

    @abstractmethod
    def append(self, stream: int, count: int) -> None:
        """Make that many events and store them in stream number `stream`."""

    @abstractmethod
    def close(self) -> None: ...


class Ours(Peer):
    """An `EventStore` of ours."""

    def __init__(self, name: str, store: EventStore) -> None:
        self.name, self.store = name, store
        self._names = [f"bench/{number}" for number in range(1000)]

    def append(self, stream: int, count: int) -> None:
        self.store.append(self._names[stream], make_events(count))

    def close(self) -> None:
        self.store.close()


class Eventsourcing(Peer):
    """The `eventsourcing` library's SQLite recorder, in WAL mode with SQLite's default synchronous=FULL."""

    name = "eventsourcing"

    def __init__(self, folder: Path) -> None:
        from eventsourcing.persistence import StoredEvent
        from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

        self._stored_event = StoredEvent
        self._datastore = SQLiteDatastore(str(folder / "eventsourcing.db"))
        self.recorder = SQLiteApplicationRecorder(self._datastore)
        self.recorder.create_table()
        self._streams = [(uuid.uuid4(), threading.Lock()) for _ in range(1000)]
        self._versions = [0] * 1000

    def append(self, stream: int, count: int) -> None:
        origin, lock = self._streams[stream]
        with lock:
            version = self._versions[stream]
            stored = [
                self._stored_event(origin, version + i, "benchmark.sampled", PAYLOAD.SerializeToString())
                for i in range(1, count + 1)
            ]
            self.recorder.insert_events(stored)
            self._versions[stream] = version + count

    def read(self, after: int, count: int) -> int:
        return len(self.recorder.select_notifications(after + 1, count))

    def close(self) -> None:
        self._datastore.close()


class RawSqlite(Peer):
    """The statements alone: our tables, the standard library's sqlite3, one lock; no chain, no versions, no checks."""

    def __init__(self, name: str, folder: Path) -> None:
        from qiki_eventstore.sqlite import schema

        self.name = name
        path = folder / f"{name.replace(' ', '-')}.db"
        schema.open_writer(path, "FULL").close()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA cache_size = -32000")
        self._lock = threading.Lock()
        self._versions = [0] * 1000
        self._position = 0

    def append(self, stream: int, count: int) -> None:
        now, hash = time.time_ns(), bytes(32)
        with self._lock:
            position, version = self._position, self._versions[stream]
            rows = [
                (
                    *(position + i, stream + 1, version + i, new_uuid().bytes, 1, 1, now + i * 1_000_000, now),
                    *(None, None, 1, 1, PAYLOAD.SerializeToString(), hash),
                )
                for i in range(1, count + 1)
            ]
            execute = self._connection.execute
            execute("BEGIN IMMEDIATE")
            self._connection.executemany(f"INSERT INTO events VALUES ({','.join('?' * 14)})", rows)
            execute("COMMIT")
            self._position, self._versions[stream] = position + count, version + count

    def close(self) -> None:
        self._connection.close()


class Log(Peer):
    """The limit: length-prefixed records and fdatasync. Nothing can be found in it but by reading it all."""

    name = "log + fdatasync"

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._lock = threading.Lock()

    def append(self, stream: int, count: int) -> None:
        records = []
        for _ in range(count):
            payload = PAYLOAD.SerializeToString()
            records.append(struct.pack(">IQH", len(payload), time.time_ns(), stream) + payload)
        with self._lock:
            os.write(self._file, b"".join(records))
            os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


class RawPostgres(Peer):
    """INSERTs into one table with a sequence and an index on the id, a connection per thread; no versions, no chain."""

    name = "PostgreSQL raw"

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()
        self._connections: list[Any] = []
        self._mine().execute(
            "CREATE TABLE raw_events(position bigserial PRIMARY KEY, stream int, id uuid UNIQUE, type text,"
            " time bigint, payload bytea)"
        )

    def append(self, stream: int, count: int) -> None:
        rows = [
            (stream, uuid.uuid4(), "benchmark.sampled", time.time_ns(), PAYLOAD.SerializeToString())
            for _ in range(count)
        ]
        connection = self._mine()
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO raw_events(stream, id, type, time, payload) VALUES (%s,%s,%s,%s,%s)", rows)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _mine(self) -> Any:
        import psycopg

        if not hasattr(self._local, "connection"):
            self._local.connection = psycopg.connect(self._url, autocommit=True)
            self._connections.append(self._local.connection)
        return self._local.connection


class PostgresServer:
    """A scratch PostgreSQL server, the one that the tests use; `reason` says why there is none."""

    def __init__(self) -> None:
        sys.path.insert(0, str(ROOT / "src" / "qiki_eventstore" / "test"))
        import postgres_server

        self._server: Any = None
        self.reason = "" if postgres_server.find_programs() else postgres_server.HOW_TO_GET_IT
        if not self.reason:
            self._server = postgres_server.Server.create()
            self._server.start()

    def peers(self) -> list[tuple[str, Callable[[], Peer]]]:
        """The two that need the server, in databases of their own."""
        if self._server is None:
            return []
        return [
            ("PostgreSQL ours", lambda: Ours("PostgreSQL ours", open_store(self._database()))),
            ("PostgreSQL raw", lambda: RawPostgres(self._database())),
        ]

    def close(self) -> None:
        if self._server is not None:
            self._server.remove()

    def _database(self) -> str:
        import psycopg

        name = f"b{uuid.uuid4().hex}"
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url: str = self._server.url(name)
        return url


def sqlite_peers(folder: Path) -> Sequence[tuple[str, Callable[[], Peer]]]:
    """Name and maker of each peer on files in a folder."""

    def ours(name: str, synchronous: str) -> Peer:
        path = folder / f"{synchronous}-{uuid.uuid4().hex}.db"
        return Ours(name, open_store(f"sqlite:///{path}", synchronous=synchronous))

    def fresh(make: Callable[[Path], Peer]) -> Peer:
        place = folder / uuid.uuid4().hex
        place.mkdir()
        return make(place)

    return [
        ("ours", lambda: ours("ours", "FULL")),
        ("ours NORMAL", lambda: ours("ours NORMAL", "NORMAL")),
        ("eventsourcing", lambda: fresh(Eventsourcing)),
        ("raw sqlite3", lambda: fresh(lambda place: RawSqlite("raw sqlite3", place))),
        ("log + fdatasync", lambda: fresh(Log)),
    ]
