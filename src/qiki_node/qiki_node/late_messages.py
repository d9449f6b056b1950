"""Messages that a node cannot keep up with: of each subscription the newest are taken, as its depth has it. No ROS.

rclpy's EventsExecutor queues one entry per message that came, while the middleware keeps the newest `depth` messages:
with more messages than the node can take, the queue grows for ever, and with it the time that requests wait.
"""

import functools
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from prometheus_client import Counter

LATE = 0.1
"""s in the executor's queue from which messages are set aside."""

_PROBE = 0.05
"""s between two measurements of the queue, at least."""


class LateMessages:
    """Sets messages aside while the executor's queue is long, so that it becomes short.

    A marker is put at the end of the queue. As long as it takes more than `LATE` to be reached, messages wait, `depth`
    of each subscription, and older ones are dropped; at the marker they are delivered.

    Args:
        put_marker: puts a function at the end of the executor's queue; gives the executor, None if there is none.
        executor: present executor.
        clock: s, steady.

    Attributes:
        dropped: messages so far.
        counter: `qiki_node_messages_dropped_total{topic}`, for the node's registry.
    """

    def __init__(
        self,
        put_marker: Callable[[Callable[[], None]], Any],
        executor: Callable[[], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._put_marker, self._executor, self._clock = put_marker, executor, clock
        self._put: float | None = None
        self._reached = clock()
        self._queue: Any = None
        self._waiting: dict[Callable[..., None], deque[tuple[Any, ...]]] = {}
        self.dropped = 0
        self.counter = Counter(
            "qiki_node_messages_dropped", "Messages dropped as the node was overloaded", ["topic"], registry=None
        )

    def guard(self, topic: str, callback: Callable[..., None], depth: int) -> Callable[..., None]:
        """The callback of a subscription, which is called later, or not at all, while the queue is long."""

        @functools.wraps(callback)
        def take(*message: Any) -> None:
            if not self._is_late():
                callback(*message)
                return
            waiting = self._waiting.setdefault(callback, deque(maxlen=depth))
            if len(waiting) == depth:
                self.dropped += 1
                self.counter.labels(topic).inc()
            waiting.append(message)

        return take

    def _is_late(self) -> bool:
        now = self._clock()
        if self._put is not None and self._executor() is not self._queue:
            self._deliver()  # the marker went with another executor
        if self._put is None:
            if now - self._reached >= _PROBE:
                self._queue = self._put_marker(self._deliver)
                self._put = now if self._queue is not None else None
            return False
        return now - self._put > LATE

    def _deliver(self) -> None:
        self._put, self._reached = None, self._clock()
        waiting, self._waiting = self._waiting, {}
        for callback, messages in waiting.items():
            for message in messages:
                callback(*message)
