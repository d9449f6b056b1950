"""Is what is stored what was written? Everything is looked at in one snapshot."""

from collections.abc import Iterator

from psycopg import IsolationLevel

from qiki_eventstore import chain
from qiki_eventstore.errors import StoreCorrupt
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.postgres.readers import Reader
from qiki_eventstore.postgres.rows import SELECT, to_events
from qiki_eventstore.postgres.sealing import last_seal

_PAGE = 2_000

_MISSING = (
    "SELECT min(s.position) FROM seals AS s LEFT JOIN events AS e ON e.position = s.position WHERE e.position IS NULL"
)
_WITHOUT_ID = (
    "SELECT min(e.position) FROM events AS e"
    " LEFT JOIN event_ids AS k ON k.id = e.id AND k.position = e.position AND k.stream = e.stream WHERE k.id IS NULL"
)


class Inspection:
    """Walks over all events once.

    Args:
        wanted: positions whose computed hashes to keep.

    Attributes:
        checked: events whose hashes were computed anew and agreed.
        sealed: position of the last seal.
        head: position of the last event.
        first_bad: first position that is wrong, or None.
        reason: what is wrong, or empty.
        hashes: computed, at those positions of `wanted` that exist.
    """

    def __init__(self, wanted: frozenset[int] = frozenset()) -> None:
        self._wanted = wanted
        self._versions: dict[str, int] = {}
        self.checked = 0
        self.sealed = 0
        self.head = 0
        self.first_bad: int | None = None
        self.reason = ""
        self.hashes: dict[int, bytes] = {}

    def run(self, reader: Reader) -> None:
        """Look at everything, up to the first thing that is wrong."""
        connection = reader.connection
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with connection.transaction():
                self.sealed = last_seal(reader).position
                self._check_tables(reader)
                try:
                    self._walk(_pages(reader))
                    self._check_versions(reader)
                except StoreCorrupt as error:
                    self.fail(None, str(error))
        finally:
            connection.isolation_level = None

    def fail(self, position: int | None, reason: str) -> None:
        """Note that something is wrong. The first position counts, a position counts more than none."""
        if not self.reason or (position is not None and (self.first_bad is None or position < self.first_bad)):
            self.first_bad, self.reason = position, reason

    def _check_tables(self, reader: Reader) -> None:
        for statement, reason in (
            (_MISSING, "event {} is sealed but missing"),
            (_WITHOUT_ID, "the id of event {} is not registered for it"),
        ):
            row = reader.connection.execute(statement).fetchone()
            if row is not None and row[0] is not None:
                self.fail(row[0], reason.format(row[0]))

    def _walk(self, events: Iterator[RecordedEvent]) -> None:
        hash = chain.GENESIS
        for event in events:
            if event.position <= self.head:
                return self.fail(event.position, f"position {event.position} comes twice")
            expected = self._versions.get(event.stream, -1) + 1
            if event.version != expected:
                reason = f"event {event.position} is version {event.version} of {event.stream!r}, not {expected}"
                return self.fail(event.position, reason)
            if event.position <= self.sealed:
                hash = chain.link_event(hash, event)
                if hash != event.hash:
                    return self.fail(event.position, f"the hash chain breaks at event {event.position}")
                self.checked += 1
                if event.position in self._wanted:
                    self.hashes[event.position] = hash
            self._versions[event.stream] = event.version
            self.head = event.position
        return None

    def _check_versions(self, reader: Reader) -> None:
        if self.reason:
            return
        for name, version in reader.connection.execute("SELECT name, version FROM streams").fetchall():
            found = self._versions.get(name, -1)
            if found != version:
                self.fail(None, f"stream {name!r} should be at version {version}, its last event is {found}: cut off?")


def _pages(reader: Reader) -> Iterator[RecordedEvent]:
    with reader.connection.cursor("inspection", binary=True) as cursor:
        cursor.execute((SELECT + " ORDER BY e.position").encode())
        while rows := cursor.fetchmany(_PAGE):
            yield from to_events(reader, rows)
