"""The end of the store, as the database has it."""

from qiki_eventstore.engine.backend import Connection
from qiki_eventstore.engine.batch import Head, Heads
from qiki_eventstore.errors import StoreCorrupt

VERSIONS = "SELECT name, id, dropped, (SELECT max(version) FROM events WHERE stream = streams.id) FROM streams"
"""Streams with the last version that was dropped, -1 if none, and the last one that is stored."""


def load_heads(connection: Connection) -> Heads:
    """Read it from the database."""
    heads = Heads(head=load_head(connection))
    for name, number, dropped, stored in connection.execute(VERSIONS):
        heads.streams[name], heads.versions[name] = number, dropped if stored is None else stored
    heads.types.update(connection.execute("SELECT name, id FROM types"))
    heads.sources.update(connection.execute("SELECT name, id FROM sources"))
    return heads


def load_head(connection: Connection) -> Head:
    """The last event, which retention may have dropped."""
    rows = connection.execute(
        "SELECT * FROM (SELECT position, hash, recorded FROM events ORDER BY position DESC LIMIT 1) AS stored"
        " UNION ALL SELECT * FROM (SELECT last, hash, recorded FROM dropped ORDER BY first DESC LIMIT 1) AS gone"
    )
    position, hash, recorded = max(rows, default=(0, Head().hash, 0))
    if len(hash) != 32:
        raise StoreCorrupt(f"the hash of event {position} has {len(hash)} bytes instead of 32", position)
    return Head(position, hash, recorded)
