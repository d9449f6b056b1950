"""Following events: from the past into the present, in pages, nothing left out."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.postgres.readers import Reader, Readers
from qiki_eventstore.postgres.rows import SELECT, matching, to_events
from qiki_eventstore.postgres.tail import Tail
from qiki_eventstore.store import Subscription

_PAGE = 1_000


class PostgresSubscription(Subscription):
    """A cursor in the order of positions, which never passes what is not decided. See `EventStore.subscribe`."""

    def __init__(
        self,
        readers: Readers,
        tail: Tail,
        *,
        after: int,
        name: str | None,
        types: Sequence[str],
        streams: Sequence[str],
        closed: Callable[[Subscription], None],
    ) -> None:
        self._readers, self._tail, self._name, self._when_closed = readers, tail, name, closed
        self._cursor = after
        self._page: deque[RecordedEvent] = deque()
        conditions, self._parameters = matching(types, streams)
        conditions = ["e.position > %(after)b", "e.position <= %(last)b", *conditions]
        self._statement = f"{SELECT} WHERE {' AND '.join(conditions)} ORDER BY e.position LIMIT {_PAGE}"
        self._closed = False

    def get(self, timeout: float | None = None) -> RecordedEvent | None:
        """See `Subscription.get`.

        Raises:
            StoreUnavailable: the server cannot be reached; calling again goes on without a gap.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            if self._page:
                return self._page.popleft()
            try:
                decided = self._tail.wait(self._cursor, deadline)
                if decided > self._cursor:
                    self._fetch(decided)
                elif deadline is not None and time.monotonic() >= deadline:
                    return None
            except StoreUnavailable:
                if self._closed:
                    return None
                raise
        return None

    def checkpoint(self, event: RecordedEvent) -> None:
        """See `Subscription.checkpoint`."""
        if self._name is None:
            raise ValueError("the subscription has no name: give one to subscribe()")
        parameters = [self._name, event.position]
        self._readers.run(
            lambda reader: reader.connection.execute(
                "INSERT INTO checkpoints (name, position) VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET position = excluded.position, saved = now()",
                parameters,
            )
        )

    def close(self) -> None:
        """See `Subscription.close`."""
        self._closed = True
        self._page.clear()
        self._tail.wake()
        self._when_closed(self)

    def _fetch(self, decided: int) -> None:
        def page(reader: Reader) -> list[RecordedEvent]:
            rows = reader.connection.execute(
                self._statement.encode(),
                {**self._parameters, "after": self._cursor, "last": decided},
                binary=True,
                prepare=True,
            )
            return to_events(reader, rows.fetchall())

        events = self._readers.run(page)
        # A page that is not full reaches up to `decided`: what does not match need not be looked at again.
        self._cursor = events[-1].position if len(events) == _PAGE else decided
        self._page.extend(events)
