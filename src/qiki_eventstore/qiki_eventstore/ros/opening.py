"""Opening of a store beside the executor, which a full disk or another writer may keep from it for long."""

import threading
from collections.abc import Callable

from qiki_eventstore.errors import StoreFull
from qiki_eventstore.store import EventStore

_BETWEEN = 1.0
"""s between two attempts."""


class Opening:
    """Opens a store in a thread, as often as it takes.

    An error within the first `wait` is the caller's, except for a full disk; later ones are kept as the reason, and it
    is tried again.

    Args:
        open: opens the store.
        url: of the store, for the reason; without secrets.

    Attributes:
        reason: why the store is not open yet.
    """

    def __init__(self, open: Callable[[], EventStore], url: str) -> None:
        self._open = open
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ended = threading.Event()
        self._store: EventStore | None = None
        self._first: Exception | None = None
        self._patient = False
        self.reason = f"{url} is being opened"
        threading.Thread(target=self._run, name="opening", daemon=True).start()

    def wait(self, timeout: float) -> EventStore | None:
        """The store, which is the caller's from then on; None: it is not open yet.

        Raises:
            Exception: what opening raised, within the first call; nothing is tried any more.
        """
        self._news.wait(timeout)
        with self._lock:
            if self._first is not None and not self._patient:
                raise self._first
            self._patient = True
            store, self._store = self._store, None
        return store

    def close(self) -> None:
        """Try no more, and close a store that nobody took."""
        with self._lock:
            self._ended.set()
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                store = self._open()
            except Exception as error:
                self.reason = str(error)
                with self._lock:
                    if not self._patient and not isinstance(error, StoreFull):
                        self._first = error
                        self._ended.set()
                self._news.set()
                self._ended.wait(_BETWEEN)
                continue
            with self._lock:
                wanted = not self._ended.is_set()
                if wanted:
                    self._store = store
            if not wanted:
                store.close()
            self._news.set()
            return
