"""Transponder: modes, SPOOF in two steps, power shedding, and the frames that leave the bot."""

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qiki_vehicle.keys import GroupKeys, OwnKeys, nanoseconds
from qiki_vehicle.radio import Transponder as Settings
from qiki_xpdr.answering import Answering
from qiki_xpdr.arming import Arming
from qiki_xpdr.frames import Claim, checked_identity
from qiki_xpdr.modes import Mode, Occurrence
from qiki_xpdr.reasons import Reason
from qiki_xpdr.signer import Signer

MODE_CHANGED = "xpdr.mode_changed"
MODE_REFUSED = "xpdr.mode_refused"
SPOOF_ARMED = "xpdr.spoof_armed"
LONGEST_TEXT = 200
"""Characters of a user or a reason."""


@dataclass(frozen=True)
class FalseIdentity:
    """Identity that SPOOF transmits.

    Attributes:
        offset: m, world, added to the own position.
    """

    identity: str
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        checked_identity(self.identity)
        if len(self.offset) != 3 or not all(math.isfinite(x) for x in self.offset):
            raise ValueError(f"offset {self.offset}; allowed: three finite numbers, m")


@dataclass(frozen=True)
class Motion:
    """Own position (m) and velocity (m/s) in world."""

    position: tuple[float, float, float]
    velocity: tuple[float, float, float]

    @property
    def known(self) -> bool:
        """All numbers are finite."""
        return all(math.isfinite(x) for x in (*self.position, *self.velocity))


@dataclass(frozen=True)
class Response:
    """Answer to an order.

    Attributes:
        code: of the arming, to be repeated; 0: none. until: s, end of the arming.
    """

    accepted: bool
    reason: Reason
    code: int = 0
    until: float = math.nan


class Transponder:
    """The own transponder.

        xpdr = Transponder(vehicle.transponder, "ALLY-1A2B3C", keys=keys)
        xpdr.set_mode(Mode.ON, user="operator", reason="traffic", now=now)
        frames = xpdr.frames(motion, now)      # at each cycle; to be transmitted
        frame = xpdr.answer(reception, now)    # to an interrogation; None: none

    Args:
        identity: own id. keys: that sign; None: claims stay unsigned. group: answers interrogations.
        false: identity of SPOOF; None: SPOOF is refused.
        code: makes the codes of arming; other than the default only in tests.

    Raises:
        ValueError: the id is none, or not that of the keys.
    """

    def __init__(
        self,
        settings: Settings,
        identity: str,
        *,
        keys: OwnKeys | None = None,
        group: GroupKeys | None = None,
        false: FalseIdentity | None = None,
        mode: Mode = Mode.OFF,
        code: Callable[[], int] = lambda: 1 + secrets.randbelow(999_999),
    ) -> None:
        self._check_owner(keys, identity)
        if false is not None and false.identity == identity:
            raise ValueError(f"false identity {false.identity}; allowed: another than the own one")
        if mode is Mode.SPOOF:
            raise ValueError("mode SPOOF at the start; allowed: OFF, ON, SILENT")
        self._settings, self._identity, self._false = settings, checked_identity(identity), false
        self._arming = Arming(settings.arm_time, code)
        self._wanted: Mode = mode
        self._powered = True
        self._occurrences: list[Occurrence] = []
        # All below moves only while something is transmitted: SILENT and OFF leave no trace in later frames.
        self._slot: int | None = None
        self._sequence = 0
        self._signer = None if keys is None else Signer(settings, keys)
        self._answering = Answering(settings, identity, keys, group or GroupKeys())

    @staticmethod
    def _check_owner(keys: OwnKeys | None, identity: str) -> None:
        if keys is not None and keys.identity != identity:
            raise ValueError(f"identity {identity}; allowed: {keys.identity}, that of the keys")

    @property
    def identity(self) -> str:
        """Own id."""
        return self._identity

    @property
    def mode(self) -> Mode:
        """Mode that is ordered."""
        return self._wanted

    @property
    def effective(self) -> Mode:
        """Mode that applies: OFF without power."""
        return self._wanted if self._powered else Mode.OFF

    @property
    def shed(self) -> bool:
        """The power is shed."""
        return not self._powered

    def draws(self, power: float) -> float:
        """Watts drawn now, of `avionics.loads.transponder`: only a transmitter draws them."""
        return power if self.effective.transmits else 0.0

    def armed_until(self, now: float) -> float:
        """Time at which the arming of SPOOF ends, s; NaN: not armed."""
        return self._arming.until(now)

    def arm(self, user: str, reason: str, now: float) -> Response:
        """First step to SPOOF: gives the code that `set_mode` needs within `arm_time`."""
        refusal = self._bad_order(Mode.SPOOF, user, reason, now)
        if refusal is None and self._false is None:
            refusal = Reason.NO_FALSE_IDENTITY
        if refusal is not None:
            return self._refuse(Mode.SPOOF, user, reason, refusal)
        code, until = self._arming.arm(now)
        self._occur(SPOOF_ARMED, user=user, reason=reason, until=until)
        return Response(True, Reason.NONE, code, until)

    def set_mode(self, mode: Mode, user: str, reason: str, now: float, code: int = 0) -> Response:
        """Change the mode. Without power it is kept, and applies once power is back (reason NO_POWER).

        Args:
            user, reason: by whom and why, for the audit; not empty.
            code: of the arming, for SPOOF.
        """
        refusal = self._bad_order(mode, user, reason, now) or (
            self._arming.take(code, now) if mode is Mode.SPOOF else None
        )
        if refusal is not None:
            return self._refuse(mode, user, reason, refusal)
        self._arming.drop()
        before, was = self._wanted, self.effective
        self._wanted = Mode(mode)
        if before is not self._wanted:
            self._changed(before, was, user, reason, "ORDER")
        return Response(True, Reason.NONE if self._powered else Reason.NO_POWER)

    def power(self, on: bool) -> None:
        """Report the power of the transponder. Shedding forces OFF; with power the mode ordered last applies again."""
        if on is self._powered:
            return
        was, self._powered = self.effective, on
        if was is not self.effective:
            cause = "RESTORED" if on else "SHED"
            self._changed(self._wanted, was, "power", "avionics bus", cause)

    def use(self, keys: OwnKeys | None, group: GroupKeys) -> None:
        """Take other keys of the same id and other secrets of the group, as after a rotation.

        Raises:
            ValueError: the keys are those of another id.
        """
        self._check_owner(keys, self._identity)
        self._answering.keys, self._answering.group = keys, group
        if keys is None:
            self._signer = None
        elif self._signer is None:
            self._signer = Signer(self._settings, keys)
        else:
            self._signer.use(keys)

    def frames(self, motion: Motion, now: float) -> list[bytes]:
        """Frames due now, in their order: at most one claim, and once a period a manifest of those before.

        Without a known position nothing is claimed.
        """
        mode = self.effective
        if not (mode.transmits and motion.known and math.isfinite(now)):
            return []
        slot = math.floor(now * self._settings.claim_rate + 1e-6)
        if self._slot is not None and self._slot - 1 <= slot <= self._slot:
            return []
        if self._slot is not None and slot < self._slot:
            self._begin_again()
        self._slot = slot
        if mode is Mode.SPOOF:
            return [self._false_claim(motion, now)]
        manifest = None if self._signer is None else self._signer.due(now)
        claim = Claim(
            self._identity, nanoseconds(now), self._next_number(), int(mode), motion.position, motion.velocity
        )
        frame = claim.encode()
        if self._signer is not None:
            self._signer.sent(claim.time, frame)
        return [frame] if manifest is None else [manifest, frame]

    def answer(self, reception: bytes, now: float) -> tuple[bytes | None, Reason]:
        """Answer to an interrogation; None with the reason: none. SPOOF has no proof of its identity, and is mute."""
        if self.effective is not Mode.ON:
            return None, Reason.NOT_TRANSMITTING
        return self._answering.answer(reception, now)

    def take_occurrences(self) -> list[Occurrence]:
        """Changes since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    def _false_claim(self, motion: Motion, now: float) -> bytes:
        assert self._false is not None
        x, y, z = (a + b for a, b in zip(motion.position, self._false.offset, strict=True))
        claim = Claim(
            self._false.identity, nanoseconds(now), self._next_number(), int(Mode.ON), (x, y, z), motion.velocity
        )
        return claim.encode()

    def _next_number(self) -> int:
        self._sequence = (self._sequence + 1) % 2**32
        return self._sequence

    def _begin_again(self) -> None:
        """The clock was set back."""
        if self._signer is not None:
            self._signer.begin_again()
        self._answering.begin_again()

    def _bad_order(self, mode: Mode, user: str, reason: str, now: float) -> Reason | None:
        texts = all(text.strip() and len(text) <= LONGEST_TEXT for text in (user, reason))
        return None if texts and math.isfinite(now) and mode in set(Mode) else Reason.WRONG_ORDER

    def _refuse(self, mode: int, user: str, reason: str, refusal: Reason) -> Response:
        user, reason = user[:LONGEST_TEXT], reason[:LONGEST_TEXT]
        name = mode.name if isinstance(mode, Mode) else str(mode)
        self._occur(MODE_REFUSED, mode=name, user=user, reason=reason, code=int(refusal))
        return Response(False, refusal)

    def _changed(self, before: Mode, was: Mode, user: str, reason: str, cause: str) -> None:
        self._occur(
            MODE_CHANGED,
            **{"from": before.name, "to": self._wanted.name},
            effective_from=was.name,
            effective=self.effective.name,
            user=user,
            reason=reason,
            cause=cause,
        )

    def _occur(self, type: str, **payload: Any) -> None:
        self._occurrences.append(Occurrence(type, payload))
