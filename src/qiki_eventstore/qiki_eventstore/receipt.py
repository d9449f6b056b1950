"""Outcome of a submitted append."""

import logging
import threading
from _thread import allocate_lock
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

_LOCK: Final = allocate_lock()
"""Held for moments to settle a receipt or to begin to wait for one. One for all: a lock of its own would cost
every receipt more than they ever wait for each other."""

_errors = 0


def callback_errors() -> int:
    """Callbacks of receipts that raised, in this process."""
    return _errors


def _failed_once() -> None:
    global _errors  # noqa: PLW0603 - one count of the process
    with _LOCK:
        _errors += 1
    _log.exception("a callback of a receipt failed")


class Receipt:
    """Ends with the positions of the events when they are durable, or with the error for which they were not stored.

    A future of `concurrent.futures` costs four times as much, which is a third of what a whole append costs.
    """

    __slots__ = ("_callbacks", "_done", "_error", "_positions")

    def __init__(self) -> None:
        self._done = False
        self._positions: list[int] = []
        self._error: Exception | None = None
        self._callbacks: list[Callable[[Receipt], object]] = []

    def done(self) -> bool:
        """True when it has ended."""
        return self._done

    def result(self, timeout: float | None = None) -> list[int]:
        """Positions of the events; waits for them.

        Raises:
            TimeoutError: they are not durable after `timeout` s. They may still become so.
            EventStoreError: what `EventStore.append` raises.
        """
        self._wait(timeout)
        if self._error is not None:
            raise self._error
        return self._positions

    def exception(self, timeout: float | None = None) -> Exception | None:
        """The error for which the events were not stored, or None; waits for it like `result`."""
        self._wait(timeout)
        return self._error

    def add_done_callback(self, callback: Callable[["Receipt"], object]) -> None:
        """Have a function called with the receipt at its end, in the thread of the store; now, if it has ended."""
        with _LOCK:
            if not self._done:
                self._callbacks.append(callback)
                return
        self._call(callback)

    def settle(self, positions: list[int], error: Exception | None = None) -> None:
        """End it; for engines."""
        with _LOCK:
            self._positions, self._error = positions, error
            self._done = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[["Receipt"], object]) -> None:
        try:
            callback(self)
        except KeyboardInterrupt:
            if threading.current_thread() is threading.main_thread():  # a signal, no error of the callback
                raise
            _failed_once()
        except BaseException:  # it may be another caller's thread: not even SystemExit or CancelledError ends that
            _failed_once()

    def _wait(self, timeout: float | None) -> None:
        if self._done:
            return
        ended = allocate_lock()
        ended.acquire()
        self.add_done_callback(lambda _receipt: ended.release())
        if not ended.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError(f"not durable after {timeout} s; it may still become so")
