"""The end of the store, as the database has it."""

import apsw

from qiki_eventstore.engine.batch import Head, Heads
from qiki_eventstore.errors import StoreCorrupt


def load_heads(connection: apsw.Connection) -> Heads:
    """Read it from the database."""
    heads = Heads(head=load_head(connection))
    for name, number, version in connection.execute(
        "SELECT name, id, max(dropped, (SELECT coalesce(max(version), -1) FROM events WHERE stream = streams.id))"
        " FROM streams"
    ):
        heads.streams[name], heads.versions[name] = number, version
    heads.types.update(connection.execute("SELECT name, id FROM types"))
    heads.sources.update(connection.execute("SELECT name, id FROM sources"))
    return heads


def load_head(connection: apsw.Connection) -> Head:
    """The last event, which retention may have dropped."""
    rows = connection.execute(
        "SELECT * FROM (SELECT position, hash, recorded FROM events ORDER BY position DESC LIMIT 1)"
        " UNION ALL SELECT * FROM (SELECT last, hash, recorded FROM dropped ORDER BY first DESC LIMIT 1)"
    ).get
    if rows is None:
        return Head()
    found = max([rows] if isinstance(rows[0], int) else rows)
    position, hash, recorded = found
    if len(hash) != 32:
        raise StoreCorrupt(f"the hash of event {position} has {len(hash)} bytes instead of 32", position)
    return Head(position, hash, recorded)
