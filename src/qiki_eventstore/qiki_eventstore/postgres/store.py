"""The store on PostgreSQL: for fleets, where many processes on many machines write."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Self, TypeVar

import psycopg

from qiki_events import Projection
from qiki_eventstore.engine import reconstruction
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.events import ANY, NO_STREAM, Event, Moment, RecordedEvent
from qiki_eventstore.postgres.background import Herald, Keeper
from qiki_eventstore.postgres.batch import Appender, Call
from qiki_eventstore.postgres.connection import Connection, Connector
from qiki_eventstore.postgres.dump import dump
from qiki_eventstore.postgres.options import Options, options_from
from qiki_eventstore.postgres.queue import AppendQueue
from qiki_eventstore.postgres.readers import ConnectionLost, Reader, Readers
from qiki_eventstore.postgres.rows import SELECT, like_any, select, to_events
from qiki_eventstore.postgres.schema import make_partitions, migrate
from qiki_eventstore.postgres.sealing import seal
from qiki_eventstore.postgres.signing import Signing
from qiki_eventstore.postgres.snapshots import PostgresSnapshots
from qiki_eventstore.postgres.subscription import PostgresSubscription
from qiki_eventstore.postgres.tail import DECIDED, Tail
from qiki_eventstore.postgres.verification import Inspection
from qiki_eventstore.postgres.writer import Writer
from qiki_eventstore.preparation import check_name, prepare
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.store import Delivery, EventStore, Query, Stats, Subscription, Verification

S = TypeVar("S")

_READ_TRIES = 2
"""Connections that may be lost one after the other before anything is read."""

_PAGE = 2_000


class PostgresStore(EventStore):
    """See `EventStore`; options in `Options`."""

    def __init__(self, connector: Connector, connection: Connection, options: Options) -> None:
        row = connection.execute("SELECT id FROM store").fetchone()
        assert row is not None
        self._connector = connector
        self._signing = Signing(options, row[0])
        self._queue = AppendQueue(options.max_events, options.max_bytes, options.patience)
        self._readers = Readers(connector, options.reconnect_patience)
        self._pages = Readers(connector.in_order(), options.reconnect_patience)
        self._snapshots = PostgresSnapshots(self._readers)
        self._tail = Tail(connector, options.reconnect_patience)
        self._herald = Herald(connector)
        self._keeper = Keeper(connector, options.seal_seconds, self._signing.sealed)
        self._writer = Writer(
            Appender(connection), connector, self._queue, options.reconnect_patience, self._herald.committed
        )
        self._subscriptions: set[Subscription] = set()
        self._lock = Lock()
        self._closed = False

    @classmethod
    def open(cls, url: str, **options: Any) -> Self:
        """Open a store, making or migrating its tables.

        Args:
            url: of libpq: `postgresql://user@host1,host2:5432/database?sslmode=verify-full&sslrootcert=/path/ca.pem`.
                The first host that takes writes is used. A password is best given by `passfile=` or `password_file`.
            options: see `Options`.

        Raises:
            ValueError: an option is unknown or out of range, or the URL is none.
            StoreUnavailable: the server cannot be reached or does not sync to disk, or the tables are newer than this
                program.
        """
        chosen = options_from(options)
        password_file = None if chosen.password_file is None else Path(chosen.password_file)
        connector = Connector(url, chosen.schema, password_file)
        connection = connector.connect()
        try:
            migrate(connection, chosen.schema, chosen.partition_days)
            make_partitions(connection)
            return cls(connector, connection, chosen)
        except psycopg.Error as error:
            connection.close()
            raise StoreUnavailable(f"the tables at {connector} cannot be used: {error}") from error
        except BaseException:
            connection.close()
            raise

    # Writing --------------------------------------------------------------------------------------------------------

    def submit(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> Receipt:
        """See `EventStore.submit`. A batch whose connection is lost is repeated with the same ids on the next one."""
        prepared = prepare(stream, events, expected_version)
        call = Call(stream, prepared, expected_version, sum(len(event.payload) for event in prepared))
        self._writer.refuse_if_full()
        if not self._queue.put(call, delivery):
            call.receipt.settle([])
        return call.receipt

    # Reading --------------------------------------------------------------------------------------------------------

    def read(self, stream: str, start: int = 0, end: int | None = None) -> list[RecordedEvent]:
        """See `EventStore.read`."""
        statement = (
            f"{SELECT} WHERE e.stream = (SELECT id FROM streams WHERE name = %(stream)b)"
            " AND e.version >= %(start)b AND e.version < %(end)b ORDER BY e.version"
        )
        parameters = {"stream": stream, "start": start, "end": 2**63 - 1 if end is None else end}

        def rows(reader: Reader) -> list[RecordedEvent]:
            cursor = reader.connection.execute(statement.encode(), parameters, binary=True)
            return to_events(reader, cursor.fetchall())

        return self._readers.run(rows)

    def read_all(self, query: Query = Query()) -> Iterator[RecordedEvent]:
        """See `EventStore.read_all`: what is committed when the first event is asked for, in one snapshot.

        While it is read, it keeps a connection; if that is lost, it goes on behind the last event with a new one, and a
        new snapshot. An event that commits later may have a lower position than the last one read; only `subscribe`
        waits for those.
        """
        tries = _READ_TRIES
        while True:
            last, count = None, 0
            try:
                for event in self._read_snapshot(query):
                    yield event
                    last, count = event, count + 1
                return
            except ConnectionLost:
                tries = _READ_TRIES if last is not None else tries - 1
                if not tries:
                    raise
                query = _behind(query, last, count)

    def _read_snapshot(self, query: Query) -> Iterator[RecordedEvent]:
        statement, parameters = select(query)
        with self._readers.reader() as reader, reader.connection.transaction():
            if query.limit is None:
                # All rows will be wanted, not the first ones soon: choose the plan for that.
                reader.connection.execute("SET LOCAL cursor_tuple_fraction = 1")
            with reader.connection.cursor("reading", binary=True) as cursor:
                cursor.execute(statement.encode(), parameters)
                while rows := cursor.fetchmany(_PAGE):
                    yield from to_events(reader, rows)

    def version(self, stream: str) -> int:
        """See `EventStore.version`."""
        found = self._value("SELECT version FROM streams WHERE name = %b", [stream])
        return NO_STREAM if found is None else int(found)

    def streams(self, pattern: str = "*") -> list[str]:
        """See `EventStore.streams`."""
        statement = "SELECT name FROM streams WHERE name LIKE ANY(%b) AND version >= 0 ORDER BY name"
        return self._readers.run(
            lambda reader: [name for (name,) in reader.connection.execute(statement, [like_any([pattern])]).fetchall()]
        )

    def head(self) -> int:
        """See `EventStore.head`."""
        return int(self._value("SELECT position FROM events ORDER BY position DESC LIMIT 1") or 0)

    def settled(self) -> int:
        """See `EventStore.settled`."""
        return int(self._value(DECIDED) or 0)

    def subscribe(
        self,
        after: int | None = None,
        *,
        name: str | None = None,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Subscription:
        """See `EventStore.subscribe`. Events come as soon as no transaction that still runs can come before them."""
        if name is not None:
            check_name("name", name)
        if after is None:
            found = None if name is None else self._value("SELECT position FROM checkpoints WHERE name = %b", [name])
            after = int(found or 0)
        self._tail.start()
        subscription = PostgresSubscription(
            self._pages,
            self._tail,
            after=after,
            name=name,
            types=types,
            streams=streams,
            closed=self._forget_subscription,
        )
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._subscriptions.add(subscription)
        return subscription

    # The past -------------------------------------------------------------------------------------------------------

    def reconstruct(self, projection: Projection[S], stream: str, at: Moment | None = None) -> S:
        """See `EventStore.reconstruct`."""
        state: S = self.reconstruct_all([projection], stream, at)[0]
        return state

    def reconstruct_all(
        self, projections: Sequence[Projection[Any]], stream: str, at: Moment | None = None
    ) -> list[Any]:
        """See `EventStore.reconstruct_all`."""
        return reconstruction.reconstruct(self, self._snapshots, projections, stream, at)

    def snapshot(self, projection: Projection[Any], stream: str) -> int:
        """See `EventStore.snapshot`; of what is decided: later commits come after it."""
        decided = int(self._value(DECIDED) or 0)
        return reconstruction.take_snapshot(self, self._snapshots, projection, stream, decided)

    # Care -----------------------------------------------------------------------------------------------------------

    def verify(self) -> Verification:
        """See `EventStore.verify`.

        Seals first what can be sealed. Events that are still above the seals (a transaction runs that may come before
        them) are checked for their place but not for their hash.
        """

        heads = self._signing.read()

        def seal_all(reader: Reader) -> None:
            while seal(reader)[1]:
                pass

        def inspect(pooled: Reader) -> Inspection:
            reader = Reader(pooled.connection)  # one that has not met the names yet: they may have been changed, too
            inspection = Inspection(frozenset(head.position for head in heads))
            inspection.run(reader)
            return inspection

        with suppress(StoreCorrupt):  # the inspection will find it, too
            self._pages.run(seal_all)
        found = self._readers.run(inspect)
        signed = self._signing.compare(heads, found)
        return Verification(not found.reason, found.checked, found.first_bad, found.reason, found.head, signed)

    def backup(self, path: Path) -> None:
        """Write the store with `pg_dump`, for `pg_restore` into another database. See `dump.dump`."""
        dump(self._connector, path)

    def stats(self) -> Stats:
        """See `EventStore.stats`. Events and sizes are of the whole store, the other counts of this process."""
        row = self._readers.run(
            lambda reader: reader.connection.execute(
                "SELECT coalesce(sum(version + 1), 0)::bigint, count(*) FILTER (WHERE version >= 0),"
                " (SELECT coalesce(max(position), 0) FROM events),"
                " (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class"
                "  WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'),"
                " (SELECT extract(epoch FROM checkpoint_time)::float8 FROM pg_control_checkpoint())"
                " FROM streams"
            ).fetchone()
        )
        assert row is not None
        counts = self._writer.counts
        return Stats(
            engine="postgresql",
            events=row[0],
            streams=row[1],
            head=row[2],
            bytes=row[3],
            queued=self._queue.events,
            appended=counts.appended,
            commits=counts.commits,
            conflicts=counts.conflicts,
            duplicates=counts.duplicates,
            dropped=self._queue.dropped,
            read_only=self._writer.read_only,
            last_checkpoint=row[4],
            free_bytes=math.nan,
        )

    def close(self) -> None:
        """See `EventStore.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()
        self._queue.close()
        self._writer.close()
        self._tail.stop()
        self._herald.close()  # its last notification wakes the tail
        self._tail.join()
        self._keeper.close()
        self._readers.close()
        self._pages.close()

    def _value(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        row = self._readers.run(lambda reader: reader.connection.execute(statement.encode(), parameters).fetchone())
        return None if row is None else row[0]

    def _forget_subscription(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)


def _behind(query: Query, last: RecordedEvent | None, count: int) -> Query:
    """What is left of a query after some events of it."""
    if last is None:
        return query
    limit = None if query.limit is None else query.limit - count
    if query.backwards:
        return replace(query, before=last.position, limit=limit)
    return replace(query, after=last.position, limit=limit)
