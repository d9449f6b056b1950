"""The events of a SQLite database, a store or a segment, for `verification.verify`."""

from qiki_eventstore.engine import spans
from qiki_eventstore.engine.content import StoredEvents
from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.sqlite import ids
from qiki_eventstore.sqlite.pool import SQLITE, Readers
from qiki_eventstore.sqlite.schema import store_id


class SqliteContent(StoredEvents):
    """See `StoredEvents`.

    Args:
        readers: connections to the database.
    """

    def __init__(self, readers: Readers) -> None:
        super().__init__(readers, SQLITE, store_id)
        self._readers = readers

    def damage(self) -> str:
        """Indexes agree with tables, so that `read` and retries find stored events; every name is numbered once."""
        with self._readers.connection() as connection:
            answer = connection.execute("PRAGMA integrity_check(1)").get
            if answer != "ok":
                return str(answer)
            with connection:  # one moment of the store
                head = load_head(connection).position
                wrong = spans.damage(connection, head) or ids.damage(connection, head)
        return wrong or super().damage()
