"""Appends that wait for the writer: a queue bounded in events and bytes, and who may write."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from qiki_eventstore.errors import StoreFull, StoreUnavailable
from qiki_eventstore.preparation import Prepared
from qiki_eventstore.receipt import Receipt
from qiki_eventstore.store import Delivery

MOST_EVENTS: Final = 2000
"""Events of one transaction, about: more would gain nothing and make those behind them wait."""


class Call(Receipt):
    """An append on its way, and its own receipt: settled with `positions` and `error` when they are true."""

    __slots__ = ("error", "events", "expected", "positions", "size", "stream")

    def __init__(self, stream: str, events: list[Prepared], expected: int) -> None:
        super().__init__()
        self.stream, self.events, self.expected = stream, events, expected
        self.size = sum([len(payload) for _id, _time, payload, _tail, _kind in events])
        self.positions: list[int] = []
        self.error: Exception | None = None


@dataclass(slots=True, eq=False)
class Task:
    """Other work inside the writer's transaction: checkpoints, snapshots, retention.

    Attributes:
        work: takes the engine's connection that writes; must not begin or end transactions.
        done: called when `result` or `error` is true.
        moves_head: it changes events at the end of the store or versions of streams.
    """

    work: Callable[[Any], Any]
    done: Callable[["Task"], object]
    moves_head: bool = False
    result: Any = None
    error: Exception | None = None


class Queue:
    """Calls and tasks in the order of their coming, and the role of the one thread that writes at a time.

    Args:
        max_events: events that may wait.
        max_bytes: bytes of payload that may wait. A call that is larger than a bound waits for an empty queue.
        patience: s that an audit append waits for room.

    Attributes:
        events: that wait.
        dropped: telemetry events for which there was no room.
    """

    def __init__(self, max_events: int, max_bytes: int, patience: float) -> None:
        self._max_events, self._max_bytes, self._patience = max_events, max_bytes, patience
        self._calls: deque[Call] = deque()
        self._tasks: list[Task] = []
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._closed = False
        self._leader: object | None = None
        self._nudged = False
        self._bytes = 0
        self._starved = 0
        self.events = 0
        self.dropped = 0

    def put(self, call: Call, delivery: Delivery) -> bool:
        """Queue a call for the writer's thread; False if it was telemetry and there was no room.

        Raises:
            StoreFull: there was no room within the patience.
            StoreUnavailable: closed.
        """
        with self._lock:
            if not self._admit(call, delivery):
                return False
            self._enqueue(call)
            if self._leader is None:
                self._filled.notify()
        return True

    def put_or_lead(self, call: Call, delivery: Delivery) -> list[Call] | None:
        """Queue a call whose caller waits for it. If nobody writes, the caller does: it gets what it has to store.

        A caller that gets calls must store them and then call `next`. Dropped telemetry is settled.

        Raises:
            StoreFull, StoreUnavailable: as `put`.
        """
        with self._lock:
            if self._leader is not None or self._tasks or self.events > MOST_EVENTS:
                if self._admit(call, delivery):
                    self._enqueue(call)
                    if self._leader is None:
                        self._filled.notify()
                else:
                    call.settle([])
                return None
            if self._closed:
                self._refuse()
            self._leader = call
            if not self._calls:
                return [call]
            calls = self._take()
            calls.append(call)
            return calls

    def put_task(self, task: Task) -> None:
        """Queue a task; it does not count against the bounds."""
        with self._lock:
            if self._closed:
                self._refuse()
            self._tasks.append(task)
            if self._leader is None:
                self._filled.notify()

    def take(self, timeout: float | None) -> tuple[list[Call], list[Task]] | None:
        """For the writer's thread: wait until there is something and nobody writes; then this thread does.

        At least one call and about `MOST_EVENTS` events in all, and tasks; empty after `timeout` s; None at the end.
        """
        with self._lock:
            deadline = None if timeout is None else time.monotonic() + timeout
            while self._leader is not None or not (self._calls or self._tasks or self._nudged):
                if self._closed and self._leader is None:
                    return None
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if left == 0.0:
                    if self._leader is None:
                        break
                    self._nudged = True  # so that `next` ends the wait
                self._filled.wait(left or None)
            self._leader, self._nudged = self, False
            tasks, self._tasks = self._tasks, []
            return self._take(), tasks

    def next(self) -> None:
        """Leave the role of the writer to others."""
        with self._lock:
            self._leader = None
            if self._calls or self._tasks or self._nudged or self._closed:
                self._filled.notify()

    def abandon(self, call: Call) -> None:
        """`next`, if the caller of this call has the role."""
        if self._leader is call:
            self.next()

    def nudge(self) -> None:
        """Let the writer's thread look around, as after a timeout."""
        with self._lock:
            self._nudged = True
            self._filled.notify()

    def close(self) -> None:
        """Take nothing more; what is queued can still be taken."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._room.notify_all()

    # Under the lock -------------------------------------------------------------------------------------------------

    def _take(self) -> list[Call]:
        calls: list[Call] = []
        taken = 0
        while self._calls and taken < MOST_EVENTS:
            call = self._calls.popleft()
            calls.append(call)
            taken += len(call.events)
            self._bytes -= call.size
        self.events -= taken
        if self._starved:
            self._room.notify_all()
        return calls

    def _enqueue(self, call: Call) -> None:
        self._calls.append(call)
        self.events += len(call.events)
        self._bytes += call.size

    def _admit(self, call: Call, delivery: Delivery) -> bool:
        """Wait until the call fits; False for telemetry, which is dropped instead of waiting."""
        if self._closed:
            self._refuse()
        # Those that wait were first.
        if self._fits(call) and not (self._starved and self.events):
            return True
        if delivery is Delivery.TELEMETRY:
            self.dropped += len(call.events)
            return False
        self._wait_for_room(call)
        return True

    def _fits(self, call: Call) -> bool:
        return not self.events or (
            self.events + len(call.events) <= self._max_events and self._bytes + call.size <= self._max_bytes
        )

    def _wait_for_room(self, call: Call) -> None:
        deadline = time.monotonic() + self._patience
        self._starved += 1
        try:
            while not self._fits(call):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StoreFull(
                        f"the queue stayed full for {self._patience:g} s ({self.events} events wait):"
                        " append less, or wait and try again"
                    )
                self._room.wait(left)
                if self._closed:
                    self._refuse()
        finally:
            self._starved -= 1

    def _refuse(self) -> None:
        raise StoreUnavailable("the store is closed: open it again")
