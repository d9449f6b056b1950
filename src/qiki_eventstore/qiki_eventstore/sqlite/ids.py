"""Ids of the stored events: those of the newest in memory, all others in the table `ids`.

An index that every event changes costs each commit a page of the log. So ids enter the table by blocks of `BLOCK`
positions, sorted, in the transaction that makes the block full: the end of the store says how far the table goes.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Final

import apsw

BLOCK: Final = 4096
"""Positions of a block: block 0 is 0 to 4095."""

DDL: Final = """
CREATE TABLE ids(id BLOB PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_gone AFTER DELETE ON events BEGIN DELETE FROM ids WHERE id = OLD.id; END;
"""


def extend(connection: apsw.Connection, before: int, head: int) -> None:
    """Add the ids of blocks that became full after the head was `before`.

    Raises:
        apsw.ConstraintError: an id is there already.
    """
    low, high = _end(before), _end(head)
    if low < high:
        connection.execute(
            "INSERT INTO ids SELECT id, position FROM events WHERE position >= ? AND position < ? ORDER BY id",
            (low, high),
        )


def damage(connection: apsw.Connection, head: int) -> str:
    """Description of the first event whose id would not be found, or be found twice; empty if there is none."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'ids'").get:
        return ""
    wrong = connection.execute(
        "SELECT min(position) FROM events WHERE (SELECT position FROM ids WHERE ids.id = events.id)"
        " IS NOT iif(position < $1, position, NULL)",
        (_end(head),),
    ).get
    if wrong is not None:
        return f"the id of event {wrong} is not where it is looked for"
    stray = connection.execute("SELECT id FROM ids WHERE position NOT IN (SELECT position FROM events) LIMIT 1").get
    return "" if stray is None else f"the id {stray.hex()} belongs to no event"


class Ids:
    """For the one connection that writes, which has read the head.

    Raises:
        apsw.ConstraintError: two of the newest events have the same id.
    """

    def __init__(self, connection: apsw.Connection, head: int) -> None:
        self._connection, self._head = connection, head
        rows = list(connection.execute("SELECT id, position FROM events WHERE position >= ?", (_end(head),)))
        self._newest: dict[bytes, int] = dict(rows)
        if len(self._newest) < len(rows):
            raise apsw.ConstraintError("two events have the same id")
        self._last = self._last_of_table()

    def find(self, ids: Sequence[bytes]) -> dict[bytes, int]:
        """Positions of those that are stored, or were before retention dropped them."""
        newest, found, last = self._newest, {}, self._last
        if self._connection.in_transaction:  # a task has added events that `add` does not know yet
            rows = self._connection.execute("SELECT id, position FROM events WHERE position > ?", (self._head,))
            newest, last = {**newest, **dict(rows)}, self._last_of_table()
        if not newest.keys().isdisjoint(ids):
            found = {id: newest[id] for id in ids if id in newest}
        # Ids rise with time, so that most are past every one of the table.
        if min(ids) <= last:
            for id in ids:
                position = self._connection.execute("SELECT position FROM ids WHERE id = ?", (id,)).get
                if position is not None:
                    found[id] = position
        return found

    def add(self, ids: dict[bytes, int], head: int) -> None:
        """Remember the ids of a batch that was committed, and forget those that `extend` added to the table."""
        full = _end(head - len(ids)) < _end(head)
        self._head = head
        self._newest.update(ids)
        if full:
            past = len(self._newest) - (head + 1 - _end(head))  # those that are left were added last
            self._newest = dict(islice(self._newest.items(), past, None))
            self._last = self._last_of_table()

    def _last_of_table(self) -> bytes:
        last = self._connection.execute("SELECT max(id) FROM ids").get
        return last or b""


def _end(head: int) -> int:
    """Position before which all ids are in the table."""
    return (head + 1) // BLOCK * BLOCK
