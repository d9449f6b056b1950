"""The events of a database, for `verification.verify`."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Dialect, Pool, Selector
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.preparation import OWN as STREAM
from qiki_eventstore.store import Query
from qiki_eventstore.verification import Bounds

_RECORDED: Final = (
    "SELECT coalesce(max(version), -1) FROM events WHERE stream = (SELECT id FROM streams WHERE name = $1)"
)
_UNUSED: Final = (
    "SELECT name FROM streams WHERE dropped = -1"
    " AND NOT EXISTS (SELECT 1 FROM events WHERE stream = streams.id) LIMIT 1"
)
_BEYOND: Final = (
    "SELECT name, position FROM checkpoints WHERE position < 0 OR position >"
    " (SELECT max(end_) FROM (SELECT coalesce(max(position), 0) AS end_ FROM events"
    " UNION ALL SELECT coalesce(max(last), 0) FROM dropped) AS ends) LIMIT 1"
)


class StoredEvents:
    """Events in the database, as `verify` reads them while appends go on; an engine may add to `damage`.

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
        """The extent at this moment."""
        with self._pool.connection() as connection:
            dropped = connection.execute("SELECT first, last, recorded, hash FROM dropped")
            ((recorded,),) = connection.execute(_RECORDED, (STREAM,))
            return Bounds(
                store=self._store_id(connection),
                head=load_head(connection).position,
                dropped={row[0]: (row[1], row[2], row[3]) for row in dropped},
                versions=dict(connection.execute("SELECT name, dropped FROM streams")),
                recorded=recorded,
            )

    def damage(self) -> str:
        """Names without events, and checkpoints beyond the end."""
        with self._pool.connection() as connection:
            for (name,) in connection.execute(_UNUSED):
                return f"stream {name!r} has no events"
            for name, position in connection.execute(_BEYOND):
                return f"the checkpoint of subscription {name!r} is at position {position}, where no event is"
        return ""

    def events(self, query: Query) -> Iterator[RecordedEvent]:
        """Events that match, by position; a StoreCorrupt where one cannot be read, and those before may be missing."""
        return self._selector.all(query)
