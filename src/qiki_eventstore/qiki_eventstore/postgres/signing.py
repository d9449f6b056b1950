"""Signed heads of the sealed chain, in a file outside the server."""

import logging
import time
from pathlib import Path
from uuid import UUID

from qiki_eventstore.heads import HeadSigner, SignedHead, read_heads
from qiki_eventstore.postgres.options import Options
from qiki_eventstore.postgres.sealing import Seal
from qiki_eventstore.postgres.verification import Inspection

_log = logging.getLogger(__name__)


class Signing:
    """Signs the end of the chain when enough is new, and compares what was signed with the store.

    Args:
        options: of the store.
        store: the store's id.

    Raises:
        StoreUnavailable: the key cannot be read or made.
    """

    def __init__(self, options: Options, store: UUID) -> None:
        self._options, self._store = options, store.bytes
        self._path = None if options.heads is None else Path(options.heads)
        self._signer = None
        if self._path is not None:
            key = self._path.with_suffix(".key") if options.key is None else Path(options.key)
            self._signer = HeadSigner(self._path, key, self._store)
        self._last = time.monotonic()

    def sealed(self, end: Seal, last: bool) -> None:
        """Sign the end of the chain if it is time, or if this is the last chance."""
        if self._signer is None or end.position <= self._signer.position:
            return
        due = time.monotonic() - self._last >= self._options.sign_seconds
        if last or due or end.position - self._signer.position >= self._options.sign_events:
            try:
                self._signer.sign(end.position, end.hash, end.recorded)
                self._last = time.monotonic()
            except OSError as error:
                _log.error("the head at position %d could not be signed: %s", end.position, error)

    def read(self) -> list[SignedHead]:
        """The signed heads; to be read before the store is looked at."""
        return [] if self._path is None else list(read_heads(self._path))

    def compare(self, heads: list[SignedHead], found: Inspection) -> int | None:
        """Report heads that do not fit as problems; position of the newest head that fits, None if there is none."""
        fitting = None
        for head in heads:
            where = f"{self._path}, line {head.line}"
            if head.problem:
                found.fail(None, f"{where} {head.problem}")
            elif head.store != self._store:
                found.fail(None, f"{where} is of another store")
            elif head.position > found.sealed:
                found.fail(
                    None, f"events {found.sealed + 1} to {head.position} are missing at the end: {where} knows them"
                )
            elif found.first_bad is not None and head.position >= found.first_bad:
                continue  # behind what is wrong nothing was computed
            elif found.hashes.get(head.position) == head.hash:
                fitting = max(head.position, fitting or 0)
            else:
                found.fail(head.position, f"event {head.position} has another hash than {where} says")
        return fitting
