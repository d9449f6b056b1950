"""The events of a SQLite database, a store or a segment, for `verification.verify`."""

from collections.abc import Iterator

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.engine.rows import Names
from qiki_eventstore.engine.selection import Selector
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.sqlite import schema
from qiki_eventstore.sqlite.pool import Readers
from qiki_eventstore.store import Query
from qiki_eventstore.verification import Bounds


class SqliteContent:
    """See `verification.Content`.

    Args:
        readers: connections to the database.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        # Names of its own: those that were read before may have been changed since.
        self._selector = Selector(readers, Names())

    def bounds(self) -> Bounds:
        with self._readers.connection() as connection:
            return Bounds(
                store=schema.store_id(connection),
                head=load_head(connection).position,
                dropped={
                    row[0]: row[1:] for row in connection.execute("SELECT first, last, recorded, hash FROM dropped")
                },
                versions=dict(connection.execute("SELECT name, dropped FROM streams")),
            )

    def events(self, query: Query) -> Iterator[RecordedEvent]:
        return self._selector.all(query)

    def damage(self) -> str:
        """Indexes agree with tables, so that `read` and retries find what is stored; every name is numbered once."""
        with self._readers.connection() as connection:
            answer = connection.execute("PRAGMA integrity_check(1)").get
        return "" if answer == "ok" else str(answer)
