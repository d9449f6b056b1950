"""Interrogations by service: each is answered with the proof, its refusal, or after its time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qiki_events.fields import check_name
from qiki_msgs.srv import Interrogate
from qiki_node.deferred import Reply, create_deferred_service
from qiki_xpdr.frames import HMAC, SIGNATURE, Answer, FrameError, Interrogation, checked_identity, decode
from qiki_xpdr.iff import Iff
from qiki_xpdr.modes import Mode
from qiki_xpdr.reasons import Reason
from qiki_xpdr.report import track_number
from qiki_xpdr.ros.services import check_ready
from qiki_xpdr.standing import Outcome
from qiki_xpdr.watch import Frame, Reception

METHODS: Final = {"HMAC": HMAC, "SIGNATURE": SIGNATURE}
MOST: Final = 50
"""Interrogations that are open at once."""


@dataclass
class _Open:
    reply: Reply
    command_id: str
    track: int | None
    identity: str
    method: str
    until: float
    round_trip: float = math.nan


class Interrogations:
    """The service `~/interrogate`.

    Args:
        node: rclpy's, a `Host`. longest: s, time of an interrogation.
        transmit: sends a frame.
    """

    def __init__(self, node: Any, iff: Callable[[], Iff], longest: float, transmit: Callable[[bytes], None]) -> None:
        self._node, self._iff, self._longest, self._transmit = node, iff, longest, transmit
        self._open: dict[bytes, _Open] = {}
        self._numbers: dict[int, bytes] = {}
        self.frame: Frame | None = None
        """The newest frame, for the identities that tracks claim."""
        create_deferred_service(node, Interrogate, "~/interrogate", self._ask)

    def received(self, reception: Reception) -> None:
        """Note which open interrogation a reception claims to answer."""
        if not self._open:
            return
        try:
            answer = decode(reception.frame)
        except FrameError:
            return
        if isinstance(answer, Answer) and answer.nonce in self._open:
            self._numbers[reception.number] = answer.nonce
            self._open[answer.nonce].round_trip = reception.round_trip

    def conclude(self, outcomes: Sequence[Outcome]) -> None:
        """Answer those whose reception has an outcome. A bogus answer does not end the wait for the true one."""
        for outcome in outcomes:
            nonce = self._numbers.pop(outcome.number, b"")
            one = self._open.get(nonce)
            if one is None or outcome.identity != one.identity:
                continue
            if outcome.reason.verified and one.track in (None, outcome.source):
                self._end(nonce, outcome.reason)

    def expire(self, now: float) -> None:
        """Answer those whose time is over."""
        for nonce, one in list(self._open.items()):
            if not one.until - self._longest - 1.0 <= now <= one.until:
                self._end(nonce, Reason.NO_ANSWER)
        if not self._open:
            self._numbers.clear()

    def drop(self) -> None:
        """Answer all that are open, as the node stops or the world begins again."""
        self.frame = None
        for nonce in list(self._open):
            self._end(nonce, Reason.NO_ANSWER)
        self._numbers.clear()

    def _ask(self, request: Any, reply: Reply) -> None:
        try:
            track, identity, method, seconds = self._checked(request)
        except ValueError as error:
            reply(self._response(False, Reason.WRONG_ORDER, str(error)))
            return
        node, now = self._node, self._node.seconds()
        if node.transponder.effective is not Mode.ON:
            reply(self._response(False, Reason.NOT_TRANSMITTING, Reason.NOT_TRANSMITTING.meaning))
            return
        if len(self._open) >= MOST:
            reply(self._response(False, Reason.TOO_MANY, f"{MOST} are open; allowed: {MOST}"))
            return
        frame = self._iff().interrogate(identity, now, METHODS[method])
        question = decode(frame)
        assert isinstance(question, Interrogation)
        self._open[question.nonce] = _Open(reply, request.command_id, track, identity, method, now + seconds)
        self._transmit(frame)
        payload = {"track": -1 if track is None else track, "identity": identity, "method": method}
        node.emit("iff.interrogated", payload, request.command_id)

    def _checked(self, request: Any) -> tuple[int | None, str, str, float]:
        check_ready(self._node)
        if request.command_id:
            check_name("command_id", request.command_id)
        track, identity = None, request.transponder_id
        if request.track:
            track = track_number(self._node.bot, request.track)
            if self.frame is None or track not in self.frame.picture.number.tolist():
                raise ValueError(f"track: {request.track!r}; allowed: a track that there is")
            known = self.frame.identified.get(track)
            identity = identity or ("" if known is None else known.identity)
        if not identity:
            raise ValueError("transponder_id: empty, and the track claims none; allowed: an id")
        checked_identity(identity)
        method = request.method or "HMAC"
        if method not in METHODS:
            raise ValueError(f"method: {method!r}; allowed: {', '.join(METHODS)}, or empty")
        if not 0.0 <= request.timeout <= self._longest:
            raise ValueError(f"timeout: {request.timeout} s; allowed: 0 to {self._longest:g} s")
        return track, identity, method, request.timeout or self._longest

    def _end(self, nonce: bytes, reason: Reason) -> None:
        one = self._open.pop(nonce)
        payload: dict[str, Any] = {"track": -1 if one.track is None else one.track, "identity": one.identity}
        payload |= {"method": one.method, "proven": reason.verified, "reason": int(reason)}
        payload["round_trip"] = one.round_trip if math.isfinite(one.round_trip) else None
        self._node.emit("iff.answered", payload, one.command_id)
        response = self._response(reason.verified, reason, reason.meaning)
        response.method, response.round_trip = one.method if reason.verified else "", one.round_trip
        one.reply(response)

    @staticmethod
    def _response(success: bool, reason: Reason, text: str) -> Any:
        return Interrogate.Response(success=success, reason_code=int(reason), message=text, round_trip=math.nan)
