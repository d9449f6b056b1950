"""Upkeep beside the writer, in a thread of its own, at intervals: checkpoints, signed heads, snapshots."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from qiki_eventstore.engine.batch import Head
from qiki_eventstore.heads import HeadSigner

_log = logging.getLogger(__name__)


class Upkeep:
    """A thread that runs jobs at intervals, and at once when it is asked to."""

    def __init__(self, interval: float, *jobs: Callable[[], None]) -> None:
        self._interval, self._jobs = interval, jobs
        self._wanted = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="eventstore-upkeep", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Run the jobs soon."""
        self._wanted.set()

    def close(self) -> None:
        self._closed = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._wanted.wait(self._interval)
            self._wanted.clear()
            for job in self._jobs:
                if not self._closed:
                    try:
                        job()
                    except Exception:
                        _log.exception("upkeep failed")


class Signing:
    """Signs the head after so many events, or so many seconds if there is a new one.

    Args:
        heads: file of signed heads.
        key: file of the private key.
        store: 16 bytes of the store's id.
    """

    def __init__(self, heads: Path, key: Path, store: bytes, events: int, seconds: float) -> None:
        self._files, self._events, self._seconds = (heads, key), events, seconds
        self._head = Head()
        self._signed_at = time.monotonic()
        self.adopt(store)

    def adopt(self, store: bytes) -> None:
        """Sign as the store of this id from now on."""
        self._signer = HeadSigner(*self._files, store)

    def committed(self, head: Head) -> bool:
        """Take note of the head; whether it is to be signed soon."""
        self._head = head
        return head.position - self._signer.position >= self._events

    def job(self) -> None:
        """Sign if it is due."""
        due = time.monotonic() - self._signed_at >= self._seconds
        if due or self._head.position - self._signer.position >= self._events:
            self.sign()

    def sign(self) -> None:
        """Sign the head unless it is signed."""
        head = self._head
        self._signed_at = time.monotonic()
        if head.position > self._signer.position:
            try:
                self._signer.sign(head.position, head.hash, head.recorded)
            except OSError as error:
                _log.error("a head could not be signed, the next attempt is in %s s: %s", self._seconds, error)
