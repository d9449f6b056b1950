"""The queue between callers and the writer: bounded in events and bytes, with back-pressure by class."""

import time
from collections import deque
from threading import Condition

from qiki_eventstore.errors import StoreFull, StoreUnavailable
from qiki_eventstore.postgres.batch import Call
from qiki_eventstore.store import Delivery


class AppendQueue:
    """First in, first out; many callers put, one writer takes.

    Args:
        max_events: events that may wait.
        max_bytes: bytes of payloads that may wait. One append always fits into an empty queue.
        patience: s that an audit append waits for room.
    """

    def __init__(self, max_events: int, max_bytes: int, patience: float) -> None:
        self._max_events, self._max_bytes, self._patience = max_events, max_bytes, patience
        self._calls: deque[Call] = deque()
        self._condition = Condition()
        self._bytes = 0
        self._closed = False
        self.events = 0
        self.dropped = 0

    def put(self, call: Call, delivery: Delivery) -> bool:
        """Queue a call; False if it was telemetry and was dropped.

        Raises:
            StoreFull: there was no room within `patience`.
            StoreUnavailable: closed.
        """
        with self._condition:
            if not self._room(call) and not self._closed:
                if delivery is Delivery.TELEMETRY:
                    self.dropped += len(call.events)
                    return False
                self._wait_for_room(call)
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._calls.append(call)
            self.events += len(call.events)
            self._bytes += call.bytes
            if len(self._calls) == 1:
                self._condition.notify_all()
        return True

    def take(self, max_events: int, max_bytes: int) -> list[Call]:
        """Wait for calls; as many as one batch may hold, at least one, and no id twice. Empty: closed and drained."""
        taken: list[Call] = []
        seen: set[bytes] = set()
        events = size = 0
        with self._condition:
            while not self._calls and not self._closed:
                self._condition.wait()
            while self._calls:
                call = self._calls[0]
                if taken and (events + len(call.events) > max_events or size + call.bytes > max_bytes):
                    break
                ids = {event.id for event in call.events}
                if not seen.isdisjoint(ids):
                    break
                seen |= ids
                events += len(call.events)
                size += call.bytes
                taken.append(self._calls.popleft())
            self.events -= events
            self._bytes -= size
            self._condition.notify_all()
        return taken

    def close(self) -> None:
        """Take nothing more; what is queued can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _room(self, call: Call) -> bool:
        return not self._calls or (
            self.events + len(call.events) <= self._max_events and self._bytes + call.bytes <= self._max_bytes
        )

    def _wait_for_room(self, call: Call) -> None:
        deadline = time.monotonic() + self._patience
        while not self._room(call) and not self._closed:
            left = deadline - time.monotonic()
            if left <= 0:
                raise StoreFull(
                    f"{self.events} events wait for PostgreSQL and none left the queue's end within "
                    f"{self._patience} s: nothing of this append is stored; try again later"
                )
            self._condition.wait(left)
