"""PostgreSQL as a backend: one session that writes and holds the writer's lock, and a pool that reads."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg

from qiki_eventstore import verification
from qiki_eventstore.engine.backend import Connection as AnyConnection
from qiki_eventstore.engine.backend import Counts, Stale
from qiki_eventstore.engine.batch import COLUMNS, Batch, Found, Heads
from qiki_eventstore.engine.content import StoredEvents
from qiki_eventstore.engine.heads import load_heads
from qiki_eventstore.engine.queue import Task
from qiki_eventstore.engine.selection import Dialect
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.postgres.arrays import bytea_array, int8_array, text_array, uuid_array
from qiki_eventstore.postgres.connection import Connection, Connector, Readers, is_lost
from qiki_eventstore.postgres.dump import dump
from qiki_eventstore.postgres.options import Options
from qiki_eventstore.postgres.reading import PatientReader, again
from qiki_eventstore.postgres.schema import check, migrate, migrations
from qiki_eventstore.postgres.session import WriterSession
from qiki_eventstore.retention import evidence
from qiki_eventstore.retention.archive import Archive
from qiki_eventstore.retention.catalogue import StoreCatalogue
from qiki_eventstore.store import Verification

T = TypeVar("T")


def _time_ranges(connection: AnyConnection, start: int, last: int, low: int, high: int) -> list[tuple[int, int]]:
    """First and last position of an event time range, by the index over times."""
    # OFFSET 0 keeps the planner from looking for the ends along the positions, past everything outside of the range.
    ((first, final),) = connection.execute(
        "SELECT min(position), max(position) FROM (SELECT position FROM events WHERE time >= $1 AND time <= $2"
        " AND position >= $3 AND position <= $4 OFFSET 0) AS found",
        (start, last, low, high),
    )
    return [] if first is None else [(first, final)]


POSTGRES: Final = Dialect(time_ranges=_time_ranges)

_ARRAYS: Final[dict[str, Callable[[Any], Any]]] = {
    "id": uuid_array,
    "correlation": text_array,
    "causation": text_array,
    "payload": bytea_array,
    "hash": bytea_array,
}
_COLUMNS: Final[list[Callable[[Any], Any]]] = [_ARRAYS.get(name, int8_array) for name in COLUMNS]
_INSERT: Final = (
    f"INSERT INTO events ({', '.join(COLUMNS)})"
    f" SELECT * FROM unnest({', '.join(f'${number}' for number in range(1, len(COLUMNS) + 1))})"
)
_FIND: Final = (
    "SELECT e.id, e.position, s.name FROM events AS e JOIN streams AS s ON s.id = e.stream WHERE e.id = ANY($1)"
)


class PostgresBackend:
    """See `engine.backend.Backend`.

    Args:
        connector: makes connections.
        options: of the store.
        read_only: another process writes.

    Raises:
        StoreUnavailable: the server cannot be reached or does not sync to disk, another writer holds the store, or its
            tables are newer than this program, or, to be read only, older.
    """

    name = "postgresql"

    def __init__(self, connector: Connector, options: Options, *, read_only: bool) -> None:
        self._connector, self._options = connector, options
        self._folder = None if options.segments is None else Path(options.segments)
        self._session = WriterSession(connector, options.reconnect_patience)
        if not read_only:
            self._session.open(options.standby)
            try:
                migrate(self._session.connection(), connector.schema)
            except psycopg.Error as error:
                self._session.close()
                raise StoreUnavailable(f"the tables at {connector} cannot be used: {error}") from error
            except BaseException:
                self._session.close()
                raise
        self.readers = Readers(connector, options.reconnect_patience, self._forget_names)
        self.reader = PatientReader(self.readers, POSTGRES, self._archive)
        if read_only:
            try:
                self._require_tables()
            except BaseException:
                self.readers.close()
                raise

    def _forget_names(self) -> None:
        """On each new connection: after a fail-over a number may stand for another name."""
        self.reader.names.forget()

    # Writing --------------------------------------------------------------------------------------------------------

    def load(self) -> Heads:
        deadline = time.monotonic() + self._options.reconnect_patience
        while True:
            if self._session.reopen(deadline):
                self.reader.names.forget()
            try:
                return load_heads(self._session.connection())
            except psycopg.Error as error:
                if not self._session.is_lost(error) or time.monotonic() > deadline:
                    raise StoreUnavailable(f"PostgreSQL at {self._connector} cannot be used: {error}") from error

    def find(self, ids: Sequence[bytes], surely: bool) -> Found:
        if not surely:
            return {}
        try:
            rows = self._session.connection().execute(_FIND, (uuid_array(ids),))
        except psycopg.Error as error:
            self._session.fail(error)
        return {id: (position, stream) for id, position, stream in rows}

    def commit(self, batch: Batch, tasks: Sequence[Task]) -> None:
        session = self._session.connection()
        try:
            if batch.new_names or tasks or (batch.duplicates and not batch.values):
                with session.transaction():
                    self.insert(batch)
                    for task in tasks:
                        self._perform(session, task)
            elif batch.values:
                self._insert(session, batch)  # one statement is a transaction
        except psycopg.Error as error:
            self._session.fail(error)
        self._session.works()

    def insert(self, batch: Batch) -> None:
        session = self._session.connection()
        new = {"streams": batch.new_streams, "types": batch.new_types, "sources": batch.new_sources}
        for table, names in new.items():
            if not names:
                continue
            session.execute(
                f"INSERT INTO {table} (name, id) SELECT * FROM unnest($1, $2)",
                (text_array(list(names)), int8_array(list(names.values()))),
            )
        if batch.values:
            self._insert(session, batch)
        elif batch.duplicates:
            # "Stored before" must be as durable as "stored": a commit waits for disk and replica only if it wrote.
            self.touch(session)

    @staticmethod
    def _insert(session: Connection, batch: Batch) -> None:
        columns = [array(batch.values[place :: len(_COLUMNS)]) for place, array in enumerate(_COLUMNS)]
        session.execute(_INSERT, columns, prepare=True)

    def _perform(self, session: Connection, task: Task) -> None:
        """A task that fails is undone alone; a disk that fails ends the transaction."""
        task.error = None
        try:
            with session.transaction():
                task.result = task.work(session)
        except psycopg.Error as error:
            if is_lost(error, session) or isinstance(error, psycopg.errors.DiskFull):
                raise
            task.error = StoreUnavailable(f"PostgreSQL refused it: {error}")
        except Stale:  # the session was lost inside of it
            raise
        except Exception as error:
            task.error = error

    def touch(self, connection: Any) -> None:
        connection.execute("UPDATE store SET id = id")

    def wants_upkeep(self) -> bool:
        return False

    def upkeep(self) -> None:
        """Nothing: the server does it."""

    # Reading --------------------------------------------------------------------------------------------------------

    def reading(self) -> AbstractContextManager[AnyConnection]:
        return self.readers.connection()

    def counts(self) -> Counts:
        return again(self._counts)

    def _counts(self) -> Counts:
        head, streams, gone = self.reader.counts()
        with self.readers.connection() as connection:
            ((left_out, size, checkpoint, age),) = connection.execute(
                "SELECT left_out, (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
                " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'),"
                " extract(epoch FROM checkpoint_time)::float8, extract(epoch FROM now() - checkpoint_time)::float8"
                " FROM store, pg_control_checkpoint()"
            )
            events = head - gone
            if left_out:
                ((events,),) = connection.execute("SELECT count(*) FROM events")
        return Counts(events, streams, head, size, math.nan, checkpoint, age)

    def watch(self, advance: Callable[[int], None], ended: threading.Event) -> None:
        while not ended.is_set():
            with suppress(StoreUnavailable):  # a fail-over: the next look sees it
                advance(self.reader.head())
            ended.wait(self._options.poll)

    def _archive(self) -> Archive:
        return Archive(self._folder, StoreCatalogue(self.readers.connection, None).segments())

    def _require_tables(self) -> None:
        known = migrations()
        with self.readers.connection() as connection:
            if connection.execute("SELECT to_regclass('migrations')::text").fetchone() == (None,):
                raise StoreUnavailable(f"there is no store at {self._connector}: open it for writing once")
            if len(check(connection, self._connector.schema, known)) < len(known):
                raise StoreUnavailable(f"the tables at {self._connector} are older: open it for writing once")

    # Care -----------------------------------------------------------------------------------------------------------

    def store_id(self) -> bytes:
        with self.readers.connection() as connection:
            return _store_id(connection)

    def verify(self, heads: Path | None) -> Verification:
        catalogue = StoreCatalogue(self.readers.connection, None)
        content = StoredEvents(self.readers, POSTGRES, _store_id)
        return verification.verify(
            content, heads, care=lambda record, bounds: evidence.finding(record, bounds, catalogue, self._folder)
        )

    def backup(self, path: Path, heads: Path | None) -> None:  # noqa: ARG002 - signed heads stay where they are
        dump(self._connector, path)

    def close(self) -> None:
        self.readers.close()
        self._session.close()


def _store_id(connection: Connection) -> bytes:
    ((id,),) = connection.execute("SELECT id FROM store")
    return bytes(id)
