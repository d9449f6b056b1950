"""Open interrogations, and what proves an answer to one."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from qiki_vehicle.keys import GroupKeys, KeyRing, Secret, nanoseconds
from qiki_xpdr.frames import HMAC, NONCE_BYTES, SIGNATURE, Answer, Interrogation, digest
from qiki_xpdr.reasons import Reason


@dataclass(frozen=True)
class _Open:
    target: str
    method: int
    hash: bytes
    asked: float


class Questions:
    """Interrogations that wait for their answer. A nonce is answered once.

    Args:
        identity: own id. timeout: s. largest: open ones.
    """

    def __init__(self, identity: str, timeout: float, largest: int, nonce: Callable[[], bytes] | None = None) -> None:
        self._identity, self._timeout, self._largest = identity, timeout, largest
        self._nonce = nonce or (lambda: secrets.token_bytes(NONCE_BYTES))
        self._open: OrderedDict[bytes, _Open] = OrderedDict()

    def ask(self, target: str, now: float, method: int) -> bytes:
        """The frame of a new interrogation.

        Raises:
            ValueError: target or method is none.
        """
        if method not in (HMAC, SIGNATURE):
            raise ValueError(f"method {method}; allowed: {HMAC}, {SIGNATURE}")
        question = Interrogation(self._identity, target, nanoseconds(now), self._nonce(), method)
        frame = question.encode()
        for nonce, one in list(self._open.items()):
            if not 0.0 <= now - one.asked <= self._timeout:
                del self._open[nonce]
        if len(self._open) >= self._largest:
            self._open.popitem(last=False)
        self._open[question.nonce] = _Open(target, method, digest(frame), now)
        return frame

    def fits(self, answer: Answer, now: float) -> Reason | None:
        """Refusal of an answer, before its proof is looked at."""
        one = self._open.get(answer.nonce)
        if one is None or (one.target, one.method) != (answer.identity, answer.method):
            return Reason.NOT_ASKED
        if one.hash != answer.question:
            return Reason.SIGNATURE
        return None if 0.0 <= now - one.asked <= self._timeout else Reason.STALE

    def close(self, answer: Answer) -> bool:
        """Count a proven answer; false: it is closed already."""
        return self._open.pop(answer.nonce, None) is not None


class Coded(Protocol):
    """A message with a code of the group: identity of its author, id of the key, part covered, code."""

    @property
    def identity(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def content(self) -> bytes: ...
    @property
    def proof(self) -> bytes: ...


def group_code(key: Secret, content: bytes) -> bytes:
    """HMAC-SHA-256 by a key of the group."""
    return hmac.digest(key.raw, content, hashlib.sha256)


def group_proof(answer: Coded, group: GroupKeys, ring: KeyRing, now: float, skew: float) -> Reason:
    """Result of the code that a key of the group has made."""
    key = group.find(answer.key)
    if key is None or answer.identity not in ring.members:
        return Reason.KEY_UNKNOWN
    if not key.valid(now, skew):
        return Reason.KEY_OUT_OF_TIME
    good = hmac.compare_digest(group_code(key, answer.content), answer.proof)
    return Reason.GROUP_ANSWER if good else Reason.SIGNATURE
