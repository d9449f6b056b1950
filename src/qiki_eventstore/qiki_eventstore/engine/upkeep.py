"""Upkeep beside the writer, in a thread of its own, at intervals: checkpoints, signed heads, snapshots."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from qiki_eventstore.engine.backend import Backend
from qiki_eventstore.engine.batch import Head
from qiki_eventstore.errors import StoreCorrupt, StoreUnavailable
from qiki_eventstore.heads import HeadSigner, public_keys_file
from qiki_eventstore.store import Query

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
        self.warning = ""
        """Report of signed heads that another program removed."""
        self._head = Head()
        self._signed_at = time.monotonic()
        self.adopt(store)

    def adopt(self, store: bytes) -> None:
        """Sign as the store of this id from now on."""
        self._signer = HeadSigner(*self._files, store)

    def contradiction(self, backend: Backend) -> str:
        """Reason for which the store is not the one that signed the newest head; empty if it is."""
        path, keys = self._files[0], public_keys_file(self._files[0])
        go_on = f"restore the newest backup; to go on without, move {path} and {keys} away (they are the evidence)"
        newest, foreign = self._signer.newest, self._signer.foreign
        if newest is None:
            return f"{path} has signed heads of another store, {UUID(bytes=foreign)}: {go_on}" if foreign else ""
        if newest.position > self._head.position:
            return (
                f"the store ends at position {self._head.position}, but signed head line {newest.line} of {path} knows"
                f" position {newest.position}: events are missing at the end: {go_on}"
            )
        try:
            found = next(backend.reader.all(Query(after=newest.position - 1, before=newest.position + 1)), None)
        except StoreUnavailable:  # in a segment that is not there
            return ""
        except StoreCorrupt as error:
            return str(error)
        if found is not None and found.hash != newest.hash:
            return (
                f"position {newest.position} has another hash than signed head line {newest.line} of {path}: events"
                f" were changed, or lost and others stored in their place: {go_on}"
            )
        return ""

    def committed(self, head: Head) -> bool:
        """Take note of the head; whether it is to be signed soon."""
        self._head = head
        return head.position - self._signer.position >= self._events

    def job(self) -> None:
        """Sign if it is due."""
        due = time.monotonic() - self._signed_at >= self._seconds
        if due or self._head.position - self._signer.position >= self._events:
            self.sign()

    def sign_last(self, *, damaged: bool) -> None:
        """Sign the end of a store that takes nothing any more, so that it is known whether events are missing later.

        Args:
            damaged: it does so because it was damaged; otherwise another may be in its place, with its first head.
        """
        if self._signer.in_place() or (damaged and self._signer.untouched()):
            self.sign()

    def sign(self) -> None:
        """Sign the head unless it is signed."""
        head = self._head
        self._signed_at = time.monotonic()
        if head.position > self._signer.position:
            if not self._signer.in_place() and not self._signer.untouched():
                self.warning = (
                    f"{self._files[0]} was removed or replaced by another program while the store was open: what it"
                    " proved is proved no more; put a copy of it back"
                )
                _log.error("%s", self.warning)
            try:
                self._signer.sign(head.position, head.hash, head.recorded)
            except OSError as error:
                _log.error("a head could not be signed, the next attempt is in %s s: %s", self._seconds, error)
