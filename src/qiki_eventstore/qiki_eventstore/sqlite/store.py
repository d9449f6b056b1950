"""The event store in one SQLite database."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

import apsw

from qiki_events import Projection
from qiki_eventstore import reconstruction, verification
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.events import ANY, Event, Moment, RecordedEvent
from qiki_eventstore.preparation import check_name, prepare
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.sqlite import copying, schema
from qiki_eventstore.sqlite.intake import Call
from qiki_eventstore.sqlite.location import beside, parse_url
from qiki_eventstore.sqlite.options import Options, options_from
from qiki_eventstore.sqlite.reader import Reader
from qiki_eventstore.sqlite.restoring import restore_events
from qiki_eventstore.sqlite.rows import matcher
from qiki_eventstore.sqlite.segments import SqliteCatalogue
from qiki_eventstore.sqlite.snapshots import SqliteSnapshots
from qiki_eventstore.sqlite.subscription import PolledTail, SqliteSubscription
from qiki_eventstore.sqlite.verification import SqliteContent
from qiki_eventstore.sqlite.writing import Writing
from qiki_eventstore.store import Delivery, EventStore, Query, Stats, Subscription, Verification

S = TypeVar("S")
R = TypeVar("R")

_EVERYTHING = Query()
_READ_ONLY = "opened with mode=ro"


class SqliteStore(EventStore):
    """See `EventStore`. One process writes (`open` takes a lock), any number may read with `?mode=ro`.

    Files, for a database `events.db`: `events.db-wal` and `events.db-shm` (SQLite's, while it is open),
    `events.db.lock` (process that writes), `events.db.heads` (signed heads), `events.db.key` and `events.db.pub`
    (keys), `events.db.segments` (folder of what retention dropped).
    """

    def __init__(self, path: Path, options: Options, *, read_only: bool) -> None:
        self.path = path
        self._options = options
        self._closed = False
        self._subscriptions: set[SqliteSubscription] = set()
        try:
            if read_only:
                connection = schema.open_reader(path)
                schema.check(connection, path)
                connection.close()
            self._writing = None if read_only else Writing(path, options)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise StoreCorrupt(f"{path} is damaged or no event store ({error}): restore a backup") from error
        except apsw.Error as error:
            raise StoreUnavailable(f"{path} cannot be opened: {error}") from error
        self._reader = Reader(path)
        self._tail = PolledTail(self._reader, options.poll) if self._writing is None else self._writing.tail
        self._snapshots = SqliteSnapshots(self._reader, self.run)

    @classmethod
    def open(cls, url: str, **options: Any) -> Self:
        """Open a store, creating it if it is new and not `?mode=ro`.

        Args:
            url: `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`, with `?mode=ro` to only read.
            options: see `Options`.

        Raises:
            ValueError: not such a URL or option.
            StoreUnavailable: held by another writer, or it cannot be opened.
            StoreCorrupt: it is damaged, or no event store.
        """
        path, read_only = parse_url(url)
        return cls(path, options_from(options), read_only=read_only)

    # Writing --------------------------------------------------------------------------------------------------------

    def submit(
        self, stream: str, events: Sequence[Event], expected_version: int = ANY, delivery: Delivery = Delivery.AUDIT
    ) -> Receipt:
        writing = self._writable()
        call = Call(stream, prepare(stream, events, expected_version), expected_version)
        if not writing.put(call, delivery):
            call.settle([])
        return call

    def run(self, work: Callable[[apsw.Connection], R], *, moves_head: bool = False) -> R:
        """Do some work durably in a transaction of the writer, between appends. If it raises, it alone is undone.

        Args:
            work: takes the writer's connection; must not begin or end transactions.
            moves_head: it changes events at the end of the store or versions of streams.
        """
        return self._writable().run(work, moves_head=moves_head)

    @property
    def store_id(self) -> str:
        """UUID that tells this store from others; its backups and what was restored from its exports have it too."""
        with self._reader.connection() as connection:
            return str(UUID(bytes=schema.store_id(connection)))

    def restore(self, events: Iterable[RecordedEvent], store_id: str) -> int:
        """Become a copy of the store of that id: see `transfer.Restorable`."""
        writing, own = self._writable(), UUID(self.store_id).bytes

        def work(connection: apsw.Connection) -> int:
            count = restore_events(connection, events, UUID(store_id).bytes)
            # Before the writer tells of the new end, which is then signed.
            writing.adopt(UUID(store_id).bytes)
            return count

        try:
            return self.run(work, moves_head=True)
        except BaseException:
            writing.adopt(own)
            raise

    # Reading --------------------------------------------------------------------------------------------------------

    def read(self, stream: str, start: int = 0, end: int | None = None) -> list[RecordedEvent]:
        return self._reader.stream(stream, start, end)

    def read_all(self, query: Query = _EVERYTHING) -> Iterator[RecordedEvent]:
        return self._reader.all(query)

    def version(self, stream: str) -> int:
        return self._reader.version(stream)

    def streams(self, pattern: str = "*") -> list[str]:
        match = matcher(pattern)
        return [name for name in self._reader.streams() if match(name)]

    def head(self) -> int:
        return self._reader.head()

    def settled(self) -> int:
        return self._reader.head()

    def subscribe(
        self,
        after: int | None = None,
        *,
        name: str | None = None,
        types: Sequence[str] = (),
        streams: Sequence[str] = (),
    ) -> Subscription:
        if name is not None:
            check_name("name", name)
        if after is None and name is not None:
            after = self._checkpoint(name)

        def remember(event: RecordedEvent) -> None:
            if name is None:
                raise ValueError("the subscription has no name to keep a checkpoint under: subscribe with name=…")
            self.run(
                lambda connection: connection.execute(
                    "INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", (name, event.position)
                )
            )

        query = Query(after=after, types=tuple(types), streams=tuple(streams))
        subscription = SqliteSubscription(self._reader, self._tail, query, remember, self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def _checkpoint(self, name: str) -> int:
        with self._reader.connection() as connection:
            position = connection.execute("SELECT position FROM checkpoints WHERE name = ?", (name,)).get
        return 0 if position is None else int(position)

    # The past -------------------------------------------------------------------------------------------------------

    def reconstruct(self, projection: Projection[S], stream: str, at: Moment | None = None) -> S:
        return reconstruction.reconstruct(self, self._snapshots, projection, stream, at)

    def snapshot(self, projection: Projection[Any], stream: str) -> int:
        return reconstruction.take_snapshot(self, self._snapshots, projection, stream)

    # Care -----------------------------------------------------------------------------------------------------------

    def verify(self) -> Verification:
        heads = Path(self._options.heads or beside(self.path, ".heads"))
        return verification.verify(SqliteContent(self._reader.readers), heads)

    def backup(self, path: Path) -> None:
        heads = Path(self._options.heads or beside(self.path, ".heads"))
        copying.backup(self._reader, path, heads)

    @property
    def catalogue(self) -> SqliteCatalogue:
        """Its sealed segments and legal holds."""
        return SqliteCatalogue(self._reader.connection, self.run)

    @property
    def segments_folder(self) -> Path:
        """Where the files of its segments are."""
        return beside(self.path, ".segments")

    def stats(self) -> Stats:
        head, streams, gone = self._reader.counts()
        disk = os.statvfs(self.path.absolute().parent)
        writing = self._writing
        return Stats(
            engine="sqlite",
            events=head - gone,
            streams=streams,
            head=head,
            bytes=sum(file.stat().st_size for file in (self.path, beside(self.path, "-wal")) if file.exists()),
            queued=0 if writing is None else writing.intake.events,
            appended=0 if writing is None else writing.writer.appended,
            commits=0 if writing is None else writing.writer.commits,
            conflicts=0 if writing is None else writing.writer.conflicts,
            duplicates=0 if writing is None else writing.writer.duplicates,
            dropped=0 if writing is None else writing.dropped,
            read_only=_READ_ONLY if writing is None else writing.writer.read_only,
            last_checkpoint=math.nan if writing is None else writing.last_checkpoint,
            free_bytes=float(disk.f_bavail * disk.f_frsize),
        )

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for subscription in list(self._subscriptions):
            subscription.close()
        self._reader.close()
        if self._writing is not None:
            self._writing.close()

    def _writable(self) -> Writing:
        if self._writing is None:
            raise StoreUnavailable(f"{self.path} was {_READ_ONLY}: append through the process that writes")
        return self._writing
