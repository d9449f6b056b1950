"""One thread that reads for many followers, such as those of an event loop."""

import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from qiki_eventstore.engine.following import Follower, Tail
from qiki_eventstore.events import RecordedEvent

MOST: Final = 256
"""Events given to a follower's reader at once, and so all that wait in memory for it."""

Page: TypeAlias = list[RecordedEvent] | Exception
"""Empty: the subscription was closed. An error of reading: the next page goes on without a gap."""

Given: TypeAlias = list[tuple[Follower, Page]]


class Pump:
    """Gives events to followers that want some, as soon as there are any. A daemon thread: it keeps no process alive.

    A follower gets one page for each `want`; while its reader is busy with that, later events stay on disk.

    Args:
        tail: end of the store.
        give: takes the pages of some followers, in the thread of the pump.
    """

    def __init__(self, tail: Tail, give: Callable[[Given], None]) -> None:
        self._tail, self._give = tail, give
        self._lock = threading.Lock()
        self._wanting: set[Follower] = set()
        self._looked = 0
        self._kicked = self._closed = False
        threading.Thread(target=self._run, name="eventstore-pump", daemon=True).start()

    def want(self, follower: Follower) -> None:
        """Give this follower its next page; no other thread reads from it."""
        with self._lock:
            self._wanting.add(follower)
            kick = follower.behind(self._looked) and not self._kicked
            self._kicked = self._kicked or kick
        if kick:
            self._tail.wake()

    def close(self) -> None:
        """End; pages that were wanted are given no more."""
        self._closed = True
        self._tail.wake()

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                self._looked, self._kicked = self._tail.head(), False
                wanting = list(self._wanting)
            given: Given = []
            for follower in wanting:
                page = self._page(follower)
                if page is not None:
                    given.append((follower, page))
            with self._lock:
                self._wanting.difference_update(follower for follower, _ in given)
            if given:
                self._give(given)
            self._tail.wait(self._looked, None, lambda: self._closed or self._kicked)

    def _page(self, follower: Follower) -> Page | None:
        """A page; None if there is nothing yet."""
        try:
            return follower.take(MOST)
        except Exception as error:
            return error
