"""The event store in one SQLite database."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import apsw

from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Selector
from qiki_eventstore.engine.store import EngineStore
from qiki_eventstore.events import Event, RecordedEvent
from qiki_eventstore.retention import log
from qiki_eventstore.retention.catalogue import insert_hold
from qiki_eventstore.sqlite.backend import SqliteBackend
from qiki_eventstore.sqlite.location import beside, parse_url, resolved
from qiki_eventstore.sqlite.options import Options
from qiki_eventstore.sqlite.pool import SQLITE, OneReader
from qiki_eventstore.sqlite.restoring import restore_events
from qiki_eventstore.sqlite.segments import SqliteCatalogue, make_tables
from qiki_eventstore.store import Query, Verification


class SqliteStore(EngineStore):
    """See `EventStore`. One process writes (`open` takes a lock), any number may read with `?mode=ro`.

    Files, for a database `events.db`: `events.db-wal` and `events.db-shm` (SQLite's, while it is open),
    `events.db.lock` (process that writes), `events.db.heads` (signed heads), `events.db.key` and `events.db.pub`
    (keys), `events.db.segments` (folder of what retention dropped).
    """

    def __init__(self, path: Path, options: Options, *, read_only: bool) -> None:
        self.path = path = resolved(path)
        backend = SqliteBackend(path, options, read_only=read_only)
        self._readers, self._database = backend.readers, backend
        try:
            super().__init__(
                backend,
                options,
                heads=Path(options.heads or beside(path, ".heads")).absolute(),
                key=Path(options.key or beside(path, ".key")).absolute(),
                read_only="opened with mode=ro" if read_only else "",
            )
        except BaseException:
            backend.close()  # and with it the writer's lock
            raise

    @classmethod
    def open(cls, url: str, **options: Any) -> Self:
        """Open a store, creating it if it is new and not `?mode=ro`.

        Args:
            url: `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`, with `?mode=ro` to only read.
            options: see `Options`.

        Raises:
            ValueError: not such a URL or option.
            StoreUnavailable: held by another writer, or it cannot be opened.
            StoreFull: no room on the disk to open it; it can be tried again.
            StoreCorrupt: it is damaged, or no event store.
        """
        path, read_only = parse_url(url)
        return cls(path, Options.of(options), read_only=read_only)

    def verify_alone(self) -> Verification:
        """`verify`, but for the files of its segments, as for a backup that has none beside it."""
        return self._database.verify(self._heads, files=False)

    def restore(self, events: Iterable[RecordedEvent], store_id: str, sha256: str) -> int:
        """Become a copy of the store of that id: see `transfer.Restorable`."""
        new, own = UUID(store_id).bytes, UUID(self.store_id).bytes

        def work(connection: apsw.Connection) -> tuple[int, list[Event]]:
            count = restore_events(connection, events, new)
            make_tables(connection)
            own = Selector(OneReader(connection), SQLITE, Names()).all(Query(streams=(log.STREAM,)))
            for hold in log.of_store(new).of(own).holds.values():
                insert_hold(connection, hold)
            # Before the writer reports the new end, which is then signed.
            self._adopt(new)
            return count, [log.imported(store_id, sha256, count, 0, verbatim=True)] if count else []

        try:
            return self.record(work)
        except BaseException:
            self._adopt(own)
            raise

    @property
    def catalogue(self) -> SqliteCatalogue:
        """Its sealed segments and legal holds."""
        return SqliteCatalogue(self._readers.connection, self.record, self.store_id)

    @property
    def segments_folder(self) -> Path:
        """Folder of the files of its segments."""
        return beside(self.path, ".segments")
