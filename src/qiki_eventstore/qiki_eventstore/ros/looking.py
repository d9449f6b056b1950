"""Counts of a store, read beside the executor: a server that is frozen must not hold up the node."""

import threading
import time
from collections.abc import Callable

from qiki_eventstore.store import EventStore, Stats

_PERIOD = 0.5
"""s between two readings."""
_FIRST = 0.5
"""s that the beginning waits for the first reading."""
_LATE = 3.0
"""s without an answer after which the counts are outdated."""


class Looking:
    """Reads the counts of a store in a thread, until it is closed.

    Args:
        store: of the node.
        found: called in that thread with each reading.
    """

    def __init__(self, store: EventStore, found: Callable[[Stats], object]) -> None:
        self._store, self._found = store, found
        self._ended, self._looked = threading.Event(), threading.Event()
        self._answered = time.monotonic()
        self._error = ""
        threading.Thread(target=self._run, name="looking", daemon=True).start()
        self._looked.wait(_FIRST)

    def close(self) -> None:
        """Read no more. Does not wait: what is being read ends with the store."""
        self._ended.set()

    @property
    def problem(self) -> str:
        """Reason for which the newest counts are not of now; empty if they are."""
        age = time.monotonic() - self._answered
        return self._error or (f"the store has not answered for {age:.0f} s" if age > _LATE else "")

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                stats = self._store.stats()
            except Exception as error:
                self._error = f"the store cannot be read: {error}"
            else:
                self._answered, self._error = time.monotonic(), ""
                if not self._ended.is_set():
                    self._found(stats)
            self._looked.set()
            self._ended.wait(_PERIOD)
