"""Following a store: catch up from disk, then wait for commits.

A subscription always reads from disk, a page at a time; commits only wake it. So it holds one page at most, a slow one
loses nothing, and nothing is told before it is durable.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.sqlite.reader import Reader
from qiki_eventstore.store import Query, Subscription

_PAGE = 500


class Tail(Protocol):
    """How a subscription learns that there is more."""

    def head(self) -> int:
        """Position of the last committed event."""

    def wait(self, after: int, timeout: float | None, ended: Callable[[], bool]) -> None:
        """Return when the head may be past `after`, when it ended, or after `timeout` s."""

    def wake(self) -> None:
        """Let every `wait` look anew."""


class LiveTail:
    """The head as this process's writer commits it."""

    def __init__(self) -> None:
        self._head = 0
        self._changed = threading.Condition()

    def head(self) -> int:
        return self._head

    def advance(self, head: int) -> None:
        """A commit made this the head."""
        self._head = head
        self.wake()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait(self, after: int, timeout: float | None, ended: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._head > after or ended(), timeout)


class PolledTail:
    """The head as another process's writer commits it: SQLite tells no one, so its data version is polled."""

    def __init__(self, reader: Reader, interval: float) -> None:
        self._reader, self._interval = reader, interval
        self._changed = threading.Condition()

    def head(self) -> int:
        return self._reader.head()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait(self, after: int, timeout: float | None, ended: Callable[[], bool]) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        # The data version is that of one connection, so the wait keeps one.
        with self._reader.connection() as connection:
            seen = None
            while not ended():
                version = connection.pragma("data_version")
                if version != seen:
                    seen = version
                    row = connection.execute("SELECT max(position) FROM events").get
                    if row is not None and row > after:
                        return
                left = self._interval if deadline is None else min(self._interval, deadline - time.monotonic())
                if left <= 0:
                    return
                with self._changed:
                    if not ended():
                        self._changed.wait(left)


class SqliteSubscription(Subscription):
    """See `EventStore.subscribe`; `get` may be called by one thread at a time."""

    def __init__(
        self,
        reader: Reader,
        tail: Tail,
        query: Query,
        remember: Callable[[RecordedEvent], None],
        ended: Callable[["SqliteSubscription"], None],
    ) -> None:
        self._reader, self._tail, self._remember, self._ended = reader, tail, remember, ended
        self._query = replace(query, limit=_PAGE)
        self._after = query.after or 0
        self._page: deque[RecordedEvent] = deque()
        self._closed = False

    def get(self, timeout: float | None = None) -> RecordedEvent | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            if self._page:
                return self._page.popleft()
            try:
                if self._fill():
                    continue
            except StoreUnavailable:
                if self._closed:
                    break
                raise
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._tail.wait(self._after, left, lambda: self._closed)
        return None

    def checkpoint(self, event: RecordedEvent) -> None:
        self._remember(event)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._tail.wake()
            self._ended(self)

    def _fill(self) -> bool:
        """Read on; whether anything was committed since."""
        head = self._tail.head()
        if head <= self._after:
            return False
        page = list(self._reader.all(replace(self._query, after=self._after, before=head + 1)))
        self._page.extend(page)
        # A page that is not full says that nothing else up to the head matches.
        self._after = page[-1].position if len(page) == _PAGE else head
        return True
