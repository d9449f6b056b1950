"""Reading a store whose server may fail over meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from qiki_eventstore.engine.reader import Reader
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.postgres.connection import ConnectionLost
from qiki_eventstore.store import Query

T = TypeVar("T")


def again(read: Callable[[], T]) -> T:
    """Read, once more if the connection is lost."""
    try:
        return read()
    except ConnectionLost:
        return read()


class PatientReader(Reader):
    """See `Reader`; goes on where it was when the connection is lost."""

    def head(self) -> int:
        return again(super().head)

    def version(self, stream: str) -> int:
        return again(lambda: super(PatientReader, self).version(stream))

    def streams(self) -> list[str]:
        return again(super().streams)

    def stream(self, name: str, start: int, end: int | None) -> list[RecordedEvent]:
        return again(lambda: super(PatientReader, self).stream(name, start, end))

    def all(self, query: Query) -> Iterator[RecordedEvent]:
        tries = 2
        while True:
            last, count = None, 0
            try:
                for event in super().all(query):
                    yield event
                    last, count = event, count + 1
                return
            except ConnectionLost:
                tries = 2 if last is not None else tries - 1
                if not tries:
                    raise
                query = _behind(query, last, count)


def _behind(query: Query, last: RecordedEvent | None, count: int) -> Query:
    """The rest of a query after some of its events."""
    if last is None:
        return query
    limit = None if query.limit is None else query.limit - count
    if query.backwards:
        return replace(query, before=last.position, limit=limit)
    return replace(query, after=last.position, limit=limit)
