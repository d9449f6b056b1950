"""Answers to interrogations: by the group's secret or a signature, a bounded number in a second."""

import hashlib
import hmac
from collections import deque

from qiki_vehicle.keys import GroupKeys, OwnKeys, key_id, nanoseconds, seconds
from qiki_vehicle.radio import Transponder as Settings
from qiki_xpdr.frames import HMAC, Answer, FrameError, Interrogation, decode, digest
from qiki_xpdr.reasons import Reason


class Answering:
    """Answers of an id.

    Attributes:
        keys: that sign; None: none. group: secrets.
    """

    def __init__(self, settings: Settings, identity: str, keys: OwnKeys | None, group: GroupKeys) -> None:
        self._settings, self._identity = settings, identity
        self.keys, self.group = keys, group
        self._answered: deque[float] = deque()

    def answer(self, reception: bytes, now: float) -> tuple[bytes | None, Reason]:
        """Answer to an interrogation; None with the reason: none."""
        try:
            question = decode(reception)
        except FrameError:
            return None, Reason.MALFORMED
        if not isinstance(question, Interrogation) or question.target != self._identity:
            return None, Reason.NOT_ADDRESSED
        refusal = self._unfit(question, now)
        made = self._proven(question, digest(reception), now) if refusal is None else None
        if made is None:
            return None, refusal or Reason.NO_KEY
        self._answered.append(now)
        return made.encode(), Reason.ANSWERING

    def begin_again(self) -> None:
        """Forget the answers given, as after the clock was set back."""
        self._answered.clear()

    def _unfit(self, question: Interrogation, now: float) -> Reason | None:
        age = now - seconds(question.time)
        if abs(age) > self._settings.manifest_life:
            return Reason.STALE if age > 0.0 else Reason.FUTURE
        while self._answered and not now - 1.0 < self._answered[0] <= now:
            self._answered.popleft()
        return Reason.TOO_MANY if len(self._answered) >= self._settings.answers else None

    def _proven(self, question: Interrogation, question_hash: bytes, now: float) -> Answer | None:
        def blank(key: bytes) -> Answer:
            return Answer(self._identity, question.nonce, nanoseconds(now), question_hash, key, question.method)

        if question.method == HMAC:
            secret = self.group.newest(now)
            if secret is None:
                return None
            answer = blank(secret.group_id)
            return answer.proven(hmac.digest(secret.raw, answer.content, hashlib.sha256))
        number = None if self.keys is None else self.keys.newest(now)
        if self.keys is None or number is None:
            return None
        answer = blank(key_id(self.keys.public(number).raw))
        return answer.proven(self.keys.sign(number, answer.content))
