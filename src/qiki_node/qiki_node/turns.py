"""Signs of life of an executor, for the health pages and the watchdog. No ROS in here."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Turns of the executor of one node.

    The thread that runs the executor writes, any other may read. A callback that works for seconds on purpose calls
    `note` as it goes, and ends early when the node is to stop.

    Attributes:
        count: since construction.
        at: s of `clock`, time of the latest.
        busy: the hook of a transition, or the undoing of one, that is under way and may legitimately last; empty: none.
        stopping: True from the moment at which the process was asked to end. From then on a hook that lasts calls
            `note`, or the watchdog ends the process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.count = 0
        self.at = clock()
        self.busy = ""
        self.stopping = False

    def note(self) -> None:
        """Count a turn."""
        self.count += 1
        self.at = self._clock()

    def join(self, thread: threading.Thread) -> None:
        """Wait for the end of a thread that finishes its work, for as long as that takes."""
        while thread.is_alive():
            thread.join(1.0)
            self.note()

    @property
    def age(self) -> float:
        """s since the latest turn; 0 during a transition that may last."""
        return 0.0 if self.busy else self._clock() - self.at

    @contextmanager
    def busy_with(self, action: str) -> Iterator[None]:
        """Exempt a transition that may last, such as waiting for another process that writes to the store."""
        self.busy = action
        try:
            yield
        finally:
            self.note()
            self.busy = ""
