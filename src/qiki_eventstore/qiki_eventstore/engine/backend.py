"""The part of a store that each engine implements by itself; everything else is shared.

To make an engine: write a `Backend`, and an `EngineStore` (`engine.store`) whose `open` makes it. Then

- `load` takes the writer's place (SQLite: a file lock; PostgreSQL: an advisory lock) and reads the end of the store;
- the writer computes a `Batch` (positions, versions, times, hashes) in memory and hands it to `commit`, which stores
  rows, names and tasks in one durable transaction, or raises;
- `reading` gives connections to any thread; snapshots and checkpoints are read over them by the shared SQL of
  `engine.tables`, with numbered placeholders (`$1`), which SQLite and psycopg's raw cursors take;
- `watch` says how far others have written, where this process only reads.
"""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qiki_eventstore.engine.batch import Batch, Found, Heads
from qiki_eventstore.engine.queue import Task
from qiki_eventstore.store import Verification

if TYPE_CHECKING:
    from qiki_eventstore.engine.reader import Reader


class Stale(Exception):  # noqa: N818
    """A batch was computed on a state that is not the store's: compute it again, looking up every id.

    Args:
        moved: the end of the store may be another one (connection lost, another writer was active): load it again.
            Otherwise an id of the batch is stored already.
    """

    def __init__(self, reason: str, *, moved: bool = False) -> None:
        super().__init__(reason)
        self.moved = moved


class Connection(Protocol):
    """A connection to the database, as the shared SQL needs it; tuples come back."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Iterable[tuple[Any, ...]]:
        """Rows of a statement whose placeholders are `$1`, `$2`, …"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Contents of a store in numbers; see `Stats`."""

    events: int
    streams: int
    head: int
    bytes: int
    free_bytes: float
    last_checkpoint: float
    checkpoint_age: float
    log_bytes: int = 0
    warning: str = ""

    @classmethod
    def unknown(cls) -> "Counts":
        """Those of a store that cannot be read."""
        return cls(0, 0, 0, 0, math.nan, math.nan, math.nan)


class Backend(Protocol):
    """The database of one store.

    Errors are those of `qiki_eventstore.errors`: `StoreFull` (the disk is), `StoreCorrupt` (damaged) and
    `StoreUnavailable` (server gone, another writer). After the first two the writer stores nothing and says so;
    after `StoreFull` it tries again by itself.

    Attributes:
        name: `sqlite` or `postgresql`.
        reader: reads events, in any thread.
    """

    @property
    def name(self) -> str: ...

    @property
    def reader(self) -> "Reader": ...

    # Writing: one thread at a time ----------------------------------------------------------------------------------

    def load(self) -> Heads:
        """The state of the store, being the only one that writes to it from now on."""

    def find(self, ids: Sequence[bytes], surely: bool) -> Found:
        """Position and stream of those of some ids, at least one, that are stored.

        If not `surely`, it may find none where asking costs much, and leave it to `commit` to raise `Stale`.
        """

    def commit(self, batch: Batch, tasks: Sequence[Task]) -> None:
        """Store a batch and do the tasks in one transaction; when this returns, it is durable.

        Sets `result` or `error` of each task; a task that raises is undone alone (a savepoint).

        Raises:
            Stale: nothing is stored, or it is not known whether everything is: compute the batch again.
            EventStoreError: nothing is stored.
        """

    def insert(self, batch: Batch) -> None:
        """Store a batch in the transaction of a task, called by the task."""

    def touch(self, connection: Any) -> None:
        """Work of a task that writes something, to see whether there is room."""

    def wants_upkeep(self) -> bool:
        """True if `upkeep` should run now; called after each commit."""

    def upkeep(self) -> None:
        """Checkpoints and the like: called about every second, in a thread of its own.

        Raises:
            EventStoreError: `commit` would raise it; so that it is seen also while nobody appends.
        """

    # Reading: any thread --------------------------------------------------------------------------------------------

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that only reads and that nobody else uses meanwhile."""

    def counts(self) -> Counts:
        """See `Stats`."""

    def watch(self, advance: Callable[[int], None], ended: threading.Event) -> None:
        """Call `advance` with the head whenever another process has moved it, until `ended` is set.

        Runs in a thread of its own, and only where this store does not write.
        """

    # Care -----------------------------------------------------------------------------------------------------------

    def store_id(self) -> bytes:
        """The 16 bytes of the UUID that identifies this store; its backups have them too."""

    def verify(self, heads: Path | None) -> Verification:
        """See `EventStore.verify`. `heads`: file of signed heads."""

    def backup(self, path: Path, heads: Path | None) -> None:
        """See `EventStore.backup`. `heads`: file of signed heads, copied up to the end of the backup."""

    def close(self) -> None:
        """Release everything; nobody uses it any more."""
