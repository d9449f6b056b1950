"""The events of a database, for `verification.verify`."""

from collections.abc import Callable, Iterator
from typing import Any

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Dialect, Pool, Selector
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.store import Query
from qiki_eventstore.verification import Bounds


class StoredEvents:
    """See `verification.Content`; engines add `damage`.

    Args:
        pool: connections to the database.
        dialect: of the engine.
        store_id: reads the 16 bytes of the store's id.
    """

    def __init__(self, pool: Pool, dialect: Dialect, store_id: Callable[[Any], bytes]) -> None:
        self._pool, self._store_id = pool, store_id
        # Names of its own: those that were read before may have been changed since.
        self._selector = Selector(pool, dialect, Names())

    def bounds(self) -> Bounds:
        with self._pool.connection() as connection:
            dropped = connection.execute("SELECT first, last, recorded, hash FROM dropped")
            return Bounds(
                store=self._store_id(connection),
                head=load_head(connection).position,
                dropped={row[0]: (row[1], row[2], row[3]) for row in dropped},
                versions=dict(connection.execute("SELECT name, dropped FROM streams")),
            )

    def events(self, query: Query) -> Iterator[RecordedEvent]:
        return self._selector.all(query)
