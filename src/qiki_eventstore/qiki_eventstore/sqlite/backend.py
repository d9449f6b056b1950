"""SQLite as a backend: the one connection that writes, and those that read."""

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Final

import apsw

from qiki_eventstore import verification
from qiki_eventstore.engine import spans
from qiki_eventstore.engine.backend import Connection, Counts
from qiki_eventstore.engine.batch import COLUMNS, Batch, Found, Heads
from qiki_eventstore.engine.heads import load_head, load_heads
from qiki_eventstore.engine.queue import Task
from qiki_eventstore.engine.reader import Reader
from qiki_eventstore.errors import StoreCorrupt, StoreFull
from qiki_eventstore.retention import evidence
from qiki_eventstore.retention.archive import Archive
from qiki_eventstore.sqlite import copying, ids, schema, translation
from qiki_eventstore.sqlite.checkpoints import Checkpointer
from qiki_eventstore.sqlite.holding import FileHold
from qiki_eventstore.sqlite.ids import Ids
from qiki_eventstore.sqlite.location import beside
from qiki_eventstore.sqlite.log import Log
from qiki_eventstore.sqlite.options import Options
from qiki_eventstore.sqlite.pool import SQLITE, Readers
from qiki_eventstore.sqlite.segments import SqliteCatalogue
from qiki_eventstore.sqlite.translation import FREE, translated
from qiki_eventstore.sqlite.verification import SqliteContent
from qiki_eventstore.store import Verification

_CHUNK: Final = 64 * len(COLUMNS)
"""Values of the 64 rows of one statement: a row costs less than alone, and SQLite gives up Python's lock once."""
_ROW: Final = f"({','.join('?' * len(COLUMNS))})"
_PLACE: Final = "SELECT position, name FROM events JOIN streams ON streams.id = stream WHERE position = ?"
_LONG_LOG: Final = 3
"""Multiple of `checkpoint_bytes` from which on a log that cannot be moved is reported."""


class SqliteBackend:
    """See `engine.backend.Backend`.

    Raises:
        StoreUnavailable: held by another writer, or it cannot be opened.
        StoreFull: no room on the disk to open it; it can be tried again.
        StoreCorrupt: it is damaged, or no event store.
    """

    name = "sqlite"

    def __init__(self, path: Path, options: Options, *, read_only: bool) -> None:
        self._path, self._options = path, options
        self._folder = path.parent
        self._writes, self._overwritten, self._astray = not read_only, "", False
        self._free = 0.0
        self._closing = ExitStack()
        with ExitStack() as opening:  # so that an opening that fails leaves no lock
            self._hold = FileHold(path, write=not read_only)
            opening.callback(self._hold.release)
            with translation.opening(path):
                if read_only:
                    with closing(schema.open_reader(path)) as connection:
                        schema.check(connection, path)
                else:
                    self._open_writer(opening)
            self.readers = Readers(path, self._hold.displaced)
            opening.callback(self.readers.close)
            self.reader = Reader(self.readers, SQLITE, self._archive)
            self._closing = opening.pop_all()

    def _archive(self) -> Archive:
        return Archive(beside(self._path, ".segments"), SqliteCatalogue(self.readers.connection).segments())

    def _open_writer(self, opening: ExitStack) -> None:
        connection = self._connection = schema.open_writer(self._path, self._options.synchronous)
        opening.callback(connection.close)
        self._page_size = schema.pragma(connection, "page_size")
        self._most_pages = max(1, self._options.checkpoint_bytes // self._page_size)
        self._pages = 0
        self._gate = threading.Lock()
        self._checkpointer = Checkpointer(self._path, self._gate)
        opening.callback(self._checkpointer.close)
        self._hold.know_log()
        self._log = Log(beside(self._path, "-wal"), self._hold.open_index(), self._page_size)
        opening.callback(self._log.close)
        connection.set_wal_hook(self._logged)
        self._look_around()

    # Writing --------------------------------------------------------------------------------------------------------

    def load(self) -> Heads:
        with translated():
            if self._connection.in_transaction:  # a rollback failed with the disk, or a signal struck
                self._connection.execute("ROLLBACK")
            heads = load_heads(self._connection)
            self._ids = Ids(self._connection, heads.head.position)
        self._blocks = spans.full_blocks(heads.head.position)
        return heads

    def find(self, ids: Sequence[bytes], surely: bool) -> Found:  # noqa: ARG002 - it costs little
        with translated():
            found = self._ids.find(ids)
            places = {id: self._connection.execute(_PLACE, (position,)).get for id, position in found.items()}
        return {id: place for id, place in places.items() if place is not None}  # None: retention dropped it

    def commit(self, batch: Batch, tasks: Sequence[Task]) -> None:
        self._check_files()
        head = batch.end
        blocks = spans.full_blocks(head)
        execute, values = self._connection.execute, batch.values
        with translated(), self._gate:
            if 0 < len(values) <= _CHUNK and not tasks and not batch.new_names and blocks == self._blocks:
                execute(_insert(len(values)), values)  # a transaction of its own
            else:
                execute("BEGIN IMMEDIATE")
                try:
                    self.insert(batch)
                    for task in tasks:
                        self._perform(task)
                    execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        execute("ROLLBACK")
                    raise
            self._blocks = blocks
            self._ids.add(batch.ids, head)
        if not self._log.whole():
            self._look_around()

    def insert(self, batch: Batch) -> None:
        for table, new in (("streams", batch.new_streams), ("types", batch.new_types), ("sources", batch.new_sources)):
            if new:
                self._connection.executemany(f"INSERT INTO {table}(name, id) VALUES (?, ?)", new.items())
        for start in range(0, len(batch.values), _CHUNK):
            part = batch.values[start : start + _CHUNK]
            self._connection.execute(_insert(len(part)), part)
        head, before = batch.end, batch.end - len(batch.ids)
        if spans.full_blocks(before) < spans.full_blocks(head):
            spans.extend(self._connection, head)
            ids.extend(self._connection, before, head)

    def _perform(self, task: Task) -> None:
        """A task that fails is undone alone; a disk that fails ends the transaction."""
        task.error = None
        try:
            with self._connection:
                task.result = task.work(self._connection)
        except (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError):
            raise
        except Exception as error:
            task.error = error

    def _check_files(self) -> None:
        if self._overwritten:
            raise StoreCorrupt(self._overwritten)
        if self._astray or not self._hold.in_place() or not self._log.whole():
            self._look_around()
        if self._free < self._options.reserve_bytes:
            self._look_for_room()

    def _look_for_room(self) -> None:
        self._free = self._free_bytes()
        if self._free < self._options.reserve_bytes:
            raise StoreFull(
                f"the disk is full or failed: only {self._free:.0f} bytes are free at {self._folder},"
                f" {self._options.reserve_bytes} are kept free: {FREE}"
            )

    def _look_around(self) -> None:
        if self._log.damage:
            self._overwritten = (
                f"{self._log.damage}: its events that were not in the database yet may be lost; open the store again,"
                " which finds what is left, or restore a backup"
            )
            raise StoreCorrupt(self._overwritten)
        reason = self._hold.displaced()
        self._astray = bool(reason)
        if reason:
            raise StoreFull(f"{reason}: put the store's files back, or open it again; until then nothing is stored")

    def _free_bytes(self) -> float:
        try:
            disk = os.statvfs(self._folder)
        except OSError:  # the folder was moved
            return math.nan
        return float(disk.f_bavail * disk.f_frsize)

    def touch(self, connection: apsw.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(65536))")
        connection.execute("DELETE FROM meta WHERE key = 'probe'")

    def wants_upkeep(self) -> bool:
        return self._pages >= self._most_pages

    def upkeep(self) -> None:
        if not self._overwritten and self._hold.overwritten():
            self._overwritten = (
                f"{self._path} was overwritten by another program while the store had it open: restore a backup under"
                " another name"
            )
        if not self._overwritten:
            self._inspect_log()
        if self._overwritten:
            raise StoreCorrupt(self._overwritten)
        if self.wants_upkeep() or self._hold.displaced():
            # Of a log that was removed: what it alone has is still saved.
            self._checkpointer.run()
        self._look_around()
        self._look_for_room()

    def _inspect_log(self) -> None:
        with self._gate:
            damaged = bool(self._log.look())
        if damaged:
            self._look_around()

    def _logged(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._pages = pages
        self._log.written(pages)
        return apsw.SQLITE_OK

    # Reading --------------------------------------------------------------------------------------------------------

    def reading(self) -> AbstractContextManager[Connection]:
        return self.readers.connection()

    def counts(self) -> Counts:
        head, streams, gone = self.reader.counts()
        log = beside(self._path, "-wal")
        log_bytes = self._pages * self._page_size if self._writes else log.stat().st_size if log.exists() else 0
        return Counts(
            events=head - gone,
            streams=streams,
            head=head,
            bytes=sum(file.stat().st_size for file in (self._path, beside(self._path, "-wal")) if file.exists()),
            free_bytes=self._free_bytes(),
            last_checkpoint=self._checkpointer.last if self._writes else math.nan,
            checkpoint_age=time.monotonic() - self._checkpointer.last_steady if self._writes else math.nan,
            log_bytes=log_bytes,
            warning=self._warning(log_bytes),
        )

    def _warning(self, log_bytes: int) -> str:
        """Report a log that grows because a reader keeps an old moment of the store open."""
        since = self._checkpointer.held_since if self._writes else None
        if since is None or log_bytes < _LONG_LOG * self._options.checkpoint_bytes:
            return ""
        return (
            f"the log has {log_bytes / 2**20:.1f} MiB and grows: for {time.monotonic() - since:.0f} s a reader has kept"
            " it from being moved into the database (a query that was paused, or another program)"
        )

    def watch(self, advance: Callable[[int], None], ended: threading.Event) -> None:
        # The data version is that of one connection, so the watch keeps one.
        with self.readers.connection() as connection:
            seen = None
            while not ended.is_set():
                version = connection.pragma("data_version")
                if version != seen:
                    seen = version
                    advance(load_head(connection).position)
                ended.wait(self._options.poll)

    # Care -----------------------------------------------------------------------------------------------------------

    def store_id(self) -> bytes:
        with self.readers.connection() as connection:
            return schema.store_id(connection)

    def verify(self, heads: Path | None, *, files: bool = True) -> Verification:
        """See `engine.backend.Backend`. `files`: look into the files of segments too."""
        assert heads is not None
        catalogue = SqliteCatalogue(self.readers.connection)
        folder = beside(self._path, ".segments") if files else None
        return verification.verify(
            SqliteContent(self.readers),
            heads,
            care=lambda record, bounds: evidence.finding(record, bounds, catalogue, folder),
        )

    def backup(self, path: Path, heads: Path | None) -> None:
        assert heads is not None
        copying.backup(self.readers, path, heads)

    def close(self) -> None:
        if self._writes and (self._overwritten or self._log.look() or self._hold.displaced()):
            # SQLite deletes its log by the name, which may now be that of another store.
            for connection in (self._connection, self._checkpointer.connection):
                keep = ctypes.c_int(1)
                connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(keep))
                if self._overwritten or self._log.damage:  # a checkpoint would mix the two
                    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                    self._checkpointer.abandoned = True
        self._closing.close()


@cache
def _insert(values: int) -> str:
    return f"INSERT INTO events VALUES {','.join([_ROW] * (values // len(COLUMNS)))}"
