"""Spans of event time by blocks of positions, in place of an index: events come nearly in the order of their times.

The table `spans` has the earliest and latest event time of each full block of `BLOCK` positions. Where a range of time
is asked for, only the blocks that reach into it are read, and the events after the last full block.
"""

from typing import Final

from qiki_eventstore.engine.backend import Connection

BLOCK: Final = 512
"""Positions of a block: block 0 is 0 to 511."""

DDL: Final = """
CREATE TABLE spans(block INTEGER PRIMARY KEY, earliest INTEGER NOT NULL, latest INTEGER NOT NULL) STRICT;
"""

_SPANS: Final = f"SELECT position / {BLOCK} AS block, min(time) AS earliest, max(time) AS latest FROM events"


def full_blocks(head: int) -> int:
    """Number of the first block that is not full."""
    return (head + 1) // BLOCK


def extend(connection: Connection, head: int) -> None:
    """Add the spans of blocks that are full by now."""
    for block in range(_last(connection) + 1, full_blocks(head)):  # each alone: no sorting, as `GROUP BY` would need
        connection.execute(
            "INSERT INTO spans SELECT $1, min(time), max(time) FROM events WHERE position >= $2 AND position < $3"
            " HAVING count(*) > 0",
            (block, block * BLOCK, (block + 1) * BLOCK),
        )


def intervals(connection: Connection, start: int, last: int, low: int, high: int) -> list[tuple[int, int]]:
    """First and last positions between `low` and `high` where there may be events of `start` <= time <= `last`."""
    found: list[tuple[int, int]] = []
    if not _exist(connection):
        return [(low, high)]
    full = _last(connection)
    blocks = connection.execute(
        "SELECT block FROM spans WHERE block BETWEEN $1 AND $2 AND latest >= $3 AND earliest <= $4 ORDER BY block",
        # A block that became full meanwhile is a part of the rest already.
        (low // BLOCK, min(high // BLOCK, full), start, last),
    )
    candidates = [(block * BLOCK, (block + 1) * BLOCK - 1) for (block,) in blocks]
    for begin, end in (*candidates, ((full + 1) * BLOCK, high)):
        first, final = max(begin, low), min(end, high)
        if found and found[-1][1] + 1 == first <= final:
            found[-1] = (found[-1][0], final)
        elif first <= final:
            found.append((first, final))
    return found


def damage(connection: Connection, head: int) -> str:
    """Description of the first span that does not fit its events; empty if all fit. Within one transaction."""
    ((version,),) = connection.execute("PRAGMA user_version")
    if not _exist(connection):
        return "the table of spans of times is missing" if version > 1 else ""
    ((floor,),) = connection.execute("SELECT coalesce(max(last), -1) FROM dropped")
    # A block of which retention dropped a part keeps its span, which is then too wide.
    ((wrong,),) = connection.execute(
        f"WITH actual AS ({_SPANS} WHERE position < ($1 + 1) * {BLOCK} GROUP BY block)"
        " SELECT min(block) FROM (SELECT actual.block FROM actual LEFT JOIN spans USING (block)"
        " WHERE spans.block IS NULL OR spans.earliest > actual.earliest OR spans.latest < actual.latest"
        f" OR (block > $2 / {BLOCK} AND (spans.earliest, spans.latest) != (actual.earliest, actual.latest))"
        " UNION ALL SELECT block FROM spans WHERE block >= $3)",
        (_last(connection), floor, full_blocks(head)),
    )
    return "" if wrong is None else f"the span of times of the events from position {wrong * BLOCK} on is wrong"


def _last(connection: Connection) -> int:
    ((last,),) = connection.execute("SELECT coalesce(max(block), -1) FROM spans")
    return int(last)


def _exist(connection: Connection) -> bool:
    """True if the store has the table of spans: one of version 1 has none."""
    return bool(list(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'spans'")))
