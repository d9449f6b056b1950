"""Making an empty store a copy of another, from its events."""

from collections.abc import Iterable
from itertools import islice

import apsw

from qiki_eventstore.engine import spans
from qiki_eventstore.engine.batch import CONTENT_TYPES
from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.sqlite import ids
from qiki_eventstore.sqlite.ids import Ids

_PAGE = 1000


def restore_events(connection: apsw.Connection, events: Iterable[RecordedEvent], store: bytes) -> int:
    """Store events verbatim, from position 1, and take over the other store's id; how many.

    Raises:
        StoreUnavailable: the store is not empty.
    """
    if load_head(connection).position:
        raise StoreUnavailable("the store is not empty: restore into a new one")
    numbers: dict[str, dict[str, int]] = {"streams": {}, "types": {}, "sources": {}}
    for table, known in numbers.items():
        known.update(connection.execute(f"SELECT name, id FROM {table}"))

    def number(table: str, name: str) -> int:
        known = numbers[table]
        if name not in known:
            known[name] = len(known) + 1
            connection.execute(f"INSERT INTO {table}(id, name) VALUES (?, ?)", (known[name], name))
        return known[name]

    count = 0
    iterator = iter(events)
    while page := list(islice(iterator, _PAGE)):
        rows = [
            (
                event.position,
                number("streams", event.stream),
                event.version,
                event.id.bytes,
                number("types", event.type),
                number("sources", event.source),
                event.time,
                event.recorded,
                event.correlation,
                event.causation,
                event.schema_version,
                CONTENT_TYPES.index(event.content_type),
                event.payload,
                event.hash,
            )
            for event in page
        ]
        connection.executemany(f"INSERT INTO events VALUES ({','.join('?' * 14)})", rows)
        count += len(page)
    head = load_head(connection).position
    spans.extend(connection, head)
    ids.extend(connection, 0, head)
    Ids(connection, head)  # which refuses an id that comes twice
    connection.execute("UPDATE meta SET value = ? WHERE key = 'store'", (store,))
    return count
