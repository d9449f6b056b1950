"""Ctrl-C and the time limit of a task: both interrupt the verb that runs, which then ends in order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_LOOK = 0.1
"""s of wall time between two looks at the limit."""


class Interruption:
    """Context manager, in the main thread: SIGINT raises a KeyboardInterrupt inside of `verb` alone. Elsewhere it is
    only noted, so that no step is left half recorded.

    Attributes:
        by_operator: Ctrl-C was pressed.
        limit: reason for which the time limit interrupted the verb, empty if it did not.
    """

    def __init__(self) -> None:
        self.by_operator = False
        self.limit = ""
        self._inside = False
        self._limiting = False

    def __enter__(self) -> "Interruption":
        self._before: Any = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def forget(self) -> None:
        """Begin a new task."""
        self.by_operator, self.limit = False, ""

    @contextmanager
    def verb(self, expired: Callable[[], str]) -> Iterator[None]:
        """Let the body be interrupted, by Ctrl-C and as soon as `expired` gives a reason."""
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(expired, done), name="limit", daemon=True)
        watch.start()
        with suppress(KeyboardInterrupt):
            self._inside = True
            try:
                yield
            finally:
                self._inside = False
        done.set()
        watch.join()

    def _watch(self, expired: Callable[[], str], done: threading.Event) -> None:
        while not done.wait(_LOOK):
            if reason := expired():
                self.limit, self._limiting = reason, True
                # A signal, and not a flag: it wakes the main thread out of any wait.
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, signal.SIGINT)
                return

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self._limiting:
            self._limiting = False
        else:
            self.by_operator = True
        if self._inside:
            raise KeyboardInterrupt
