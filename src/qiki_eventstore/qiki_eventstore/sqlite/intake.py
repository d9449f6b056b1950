"""What waits for the writer: a queue bounded in events and bytes."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.preparation import Prepared
from qiki_eventstore.receipt import Receipt


class Call(Receipt):
    """An append on its way, and its own receipt: settled with `positions` and `error` when they are true."""

    __slots__ = ("error", "events", "expected", "positions", "stream")

    def __init__(self, stream: str, events: list[Prepared], expected: int) -> None:
        super().__init__()
        self.stream, self.events, self.expected = stream, events, expected
        self.positions: list[int] = []
        self.error: Exception | None = None


@dataclass(slots=True, eq=False)
class Task:
    """Other work inside the writer's transaction: checkpoints, snapshots, retention."""

    work: Callable[[apsw.Connection], Any]
    done: Callable[["Task"], object]
    moves_head: bool = False
    result: Any = None
    error: Exception | None = None


class Intake:
    """Calls and tasks in the order of their coming.

    Args:
        max_events: events that may wait.
        max_bytes: bytes of payload that may wait. A call that is larger than a bound waits for an empty queue.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events, self._max_bytes = max_events, max_bytes
        self._calls: deque[tuple[Call, int]] = deque()
        self._tasks: list[Task] = []
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._closed = False
        self._bytes = 0
        self._starved = 0
        self.events = 0

    def put(self, call: Call, patience: float) -> bool:
        """Queue a call, waiting up to `patience` s for room; False if there came none."""
        events, size = len(call.events), sum([len(event.payload) for event in call.events])
        with self._lock:
            if not self._fits(events, size) and not self._wait_for_room(events, size, patience):
                return False
            self._check_open()
            self._calls.append((call, size))
            self.events += events
            self._bytes += size
            self._filled.notify()
        return True

    def put_task(self, task: Task) -> None:
        """Queue a task; it does not count against the bounds."""
        with self._lock:
            self._check_open()
            self._tasks.append(task)
            self._filled.notify()

    def take(self, most: int, timeout: float | None) -> tuple[list[Call], list[Task]] | None:
        """Calls of at least one and about `most` events in all, and tasks; empty after `timeout`; None at the end."""
        with self._lock:
            if not self._calls and not self._tasks and not self._closed:
                self._filled.wait(timeout)
            if self._closed and not self._calls and not self._tasks:
                return None
            calls: list[Call] = []
            taken = 0
            while self._calls and taken < most:
                call, size = self._calls.popleft()
                calls.append(call)
                taken += len(call.events)
                self._bytes -= size
            self.events -= taken
            tasks, self._tasks = self._tasks, []
            if self._starved:
                self._room.notify_all()
            return calls, tasks

    def close(self) -> None:
        """Take nothing more; what is queued can still be taken."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._room.notify_all()

    def _fits(self, events: int, size: int) -> bool:
        if self._starved and self.events:
            return False  # whoever waits was first
        return not self.events or (self.events + events <= self._max_events and self._bytes + size <= self._max_bytes)

    def _wait_for_room(self, events: int, size: int, patience: float) -> bool:
        deadline = time.monotonic() + patience
        self._starved += 1
        try:
            while not self._closed:
                if not self.events or (
                    self.events + events <= self._max_events and self._bytes + size <= self._max_bytes
                ):
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._room.wait(left)
            return True
        finally:
            self._starved -= 1

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed: open it again")
