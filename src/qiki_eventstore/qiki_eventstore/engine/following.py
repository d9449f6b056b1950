"""Following a store: catch up from disk, then wait for commits.

Events are always read from disk after they are durable, a page at a time; commits only wake. So a slow follower loses
nothing and holds one page at most. What several followers want at the same time is read once, into a window of the
newest events that they share.
"""

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from operator import attrgetter
from typing import Final, TypeAlias

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.store import Query, Subscription, matcher

_PAGE: Final = 500
_WINDOW: Final = 4096
"""Events of the window."""
_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""Bytes of their payloads."""

_position = attrgetter("position")


class Tail:
    """The end of the store, as commits move it."""

    def __init__(self) -> None:
        self._head = 0
        self._changed = threading.Condition()
        self._waiting = 0

    def head(self) -> int:
        """Position of the last event that is durable."""
        return self._head

    def advance(self, head: int) -> None:
        """A commit made this the head."""
        self._head = head
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Let every `wait` look again."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, after: int, timeout: float | None, ended: Callable[[], bool]) -> None:
        """Return when the head is past `after`, when it ended, or after `timeout` s."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._head > after or ended(), timeout)
            finally:
                self._waiting -= 1


Page: TypeAlias = tuple[list[RecordedEvent], int]
"""Events, and the position up to which none is left out."""


class Window:
    """The newest events, read once for all followers that want them.

    Args:
        read: `EventStore.read_all`.
    """

    def __init__(self, read: Callable[[Query], Iterator[RecordedEvent]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._events: list[RecordedEvent] = []
        self._bytes = self._floor = self._last = 0
        self.followers = 0

    def page(self, query: Query, after: int, head: int, matches: Callable[[RecordedEvent], bool]) -> Page:
        """Events that match, after a position, and the position up to which none is left out.

        Args:
            query: what matches, for the database.
            head: position of the last event that is durable.
            matches: the same, for events.
        """
        if self.followers > 1:
            with self._lock:
                if after > self._last:
                    self._events, self._bytes, self._floor, self._last = [], 0, after, after
                if after >= self._floor:
                    if after == self._last:
                        page, self._last = self._fetch(Query(), after, head)
                        self._events += page
                        self._bytes += sum(len(event.payload) for event in page)
                    start = bisect_right(self._events, after, key=_position)
                    part = self._events[start : start + _PAGE]
                    self._trim()
                    last = part[-1].position if len(part) == _PAGE else self._last
                    return [event for event in part if matches(event)], last
        return self._fetch(query, after, head)

    def _fetch(self, query: Query, after: int, head: int) -> Page:
        page = list(self._read(replace(query, after=after, before=head + 1, limit=_PAGE)))
        # A page that is not full says that nothing else up to the head matches.
        return page, page[-1].position if len(page) == _PAGE else head

    def _trim(self) -> None:
        """Forget the oldest events beyond the bounds."""
        cut = max(0, len(self._events) - _WINDOW)
        self._bytes -= sum(len(event.payload) for event in self._events[:cut])
        while self._bytes > _WINDOW_BYTES:
            self._bytes -= len(self._events[cut].payload)
            cut += 1
        if cut:
            self._floor = self._events[cut - 1].position
            del self._events[:cut]


class Follower(Subscription):
    """See `EventStore.subscribe`; `get` may be called by one thread at a time.

    Args:
        query: where to begin, and which events.
        remember: keeps a checkpoint.
        ended: called when it is closed.
    """

    def __init__(
        self,
        window: Window,
        tail: Tail,
        query: Query,
        remember: Callable[[RecordedEvent], None],
        ended: Callable[["Follower"], None],
    ) -> None:
        self._window, self._tail, self._remember, self._ended = window, tail, remember, ended
        self._query, self._matches = query, _matches(query)
        window.followers += 1
        self._after = query.after or 0
        self._page: deque[RecordedEvent] = deque()
        self._closed = False

    def get(self, timeout: float | None = None) -> RecordedEvent | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            if self._page or self._fill():
                return self._page.popleft()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._tail.wait(self._after, left, lambda: self._closed)
        return None

    def take(self, most: int) -> list[RecordedEvent] | None:
        """Up to `most` next events without waiting: None if there are none yet, empty if it is closed."""
        if self._closed:
            return []
        if not self._page and not self._fill():
            return [] if self._closed else None
        return [self._page.popleft() for _ in range(min(most, len(self._page)))]

    def behind(self, head: int) -> bool:
        """True if `take` may find something before a head later than this one, or it is closed."""
        return bool(self._page) or self._after < head or self._closed

    def _fill(self) -> bool:
        """Read on up to the end of the store, a page at most; whether there are events."""
        while not self._page and not self._closed and (head := self._tail.head()) > self._after:
            try:
                page, self._after = self._window.page(self._query, self._after, head, self._matches)
            except StoreUnavailable:
                if self._closed:
                    return False
                raise
            self._page.extend(page)
        return bool(self._page) and not self._closed

    def checkpoint(self, event: RecordedEvent) -> None:
        self._remember(event)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._window.followers -= 1
            self._tail.wake()
            self._ended(self)


def _matches(query: Query) -> Callable[[RecordedEvent], bool]:
    """Predicate for the events of the types and streams of a query."""
    types, streams = _any(query.types), _any(query.streams)
    return lambda event: types(event.type) and streams(event.stream)


def _any(patterns: Sequence[str]) -> Callable[[str], bool]:
    wanted = [matcher(pattern) for pattern in patterns]
    return cache(lambda name: not wanted or any(match(name) for match in wanted))
