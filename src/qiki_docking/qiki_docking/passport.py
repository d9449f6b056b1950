"""Passports of a docking: each end signs for the other its terms, the ports, and the nonces of both.

A passport is `QP`, version, kind, then id, key id, hash of the nonces and hash of the terms, and an Ed25519 signature
over all of it. The nonces are new for each docking, so that a passport of another one is worth nothing.
"""

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from qiki_docking.checks import PASSPORT
from qiki_docking.reasons import Reason
from qiki_docking.values import Profile
from qiki_vehicle.keys import KEY_BYTES, KeyRing, OwnKeys, key_id, verify

_BODY: Final = struct.Struct(f"<2sBB16s{KEY_BYTES}s32s32s")
_HEAD: Final = (b"QP", 1, 0)
_SIGNATURE: Final = 64
LENGTH: Final = _BODY.size + _SIGNATURE
"""Bytes of a passport."""
_KEPT: Final = 16
"""Passports issued, and signatures checked, that are remembered: each costs up to 0.3 ms of a core."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Keys(Protocol):
    """Keys of a body, as they are now."""

    @property
    def own(self) -> OwnKeys | None:
        """Those that sign; None: there are none."""

    @property
    def ring(self) -> KeyRing:
        """Those that are trusted."""


@dataclass(frozen=True)
class Terms:
    """One end's statement to the other.

    Attributes:
        body, port: of the end that states it. partner, partner_port: of the other end.
        profile: of the bridge; None: none is ordered.
        volts_max: V. current_max: A. Both as numbers of 32 bits.
        nonce: of the end that states it. echo: that of the other end.
    """

    body: str
    port: str
    partner: str
    partner_port: str
    profile: Profile | None
    volts_max: float
    current_max: float
    nonce: str
    echo: str

    @property
    def nonces(self) -> bytes:
        """Hash of both nonces."""
        return _hash(self.nonce.encode(), self.echo.encode())

    @property
    def digest(self) -> bytes:
        """Hash of all but the nonces."""
        texts = (self.body, self.port, self.partner, self.partner_port, "" if self.profile is None else self.profile)
        limits = struct.pack("<2f", self.volts_max, self.current_max)
        return _hash(*(text.encode() for text in texts), limits)


@dataclass(frozen=True)
class Verdict:
    """Result of a passport.

    Attributes:
        reason: NONE: accepted. identity: id that is proven; empty: none, as the body has no keys, or refuses.
    """

    reason: Reason = Reason.NONE
    identity: str = ""

    @property
    def accepted(self) -> bool:
        """The docking may go on."""
        return self.reason is Reason.NONE

    @property
    def flags(self) -> dict[str, bool]:
        """Quantities of `PASSPORT`."""
        return {name: reason is not self.reason for name, reason in PASSPORT.items()}


class Passports:
    """Passports of one body: its own ones, and verdicts on those of partners. `now`: s.

    Without any key, own or trusted, every passport is accepted and proves nothing.

    Args:
        keys: None: there are none. Read at each call, so that changed ones count at once.
        skew: s, by which clocks may differ. clock: time on which keys are valid, from `now`.
    """

    def __init__(
        self, keys: Keys | None = None, skew: float = 0.0, clock: Callable[[float], float] = lambda now: now
    ) -> None:
        self._keys, self._skew, self._clock = keys, skew, clock
        self._issued: OrderedDict[bytes, bytes] = OrderedDict()
        self._checked: OrderedDict[tuple[bytes, bytes], bool] = OrderedDict()

    @property
    def required(self) -> bool:
        """There are keys: a partner has to prove its identity."""
        return self._keys is not None and (self._keys.own is not None or bool(self._keys.ring.members))

    def issue(self, terms: Terms, now: float) -> bytes:
        """The own passport; empty: no own key is valid, or the nonces are not exchanged yet."""
        own = None if self._keys is None else self._keys.own
        if own is None or not (terms.nonce and terms.echo):
            return b""
        number = own.newest(self._clock(now))
        if number is None:
            return b""
        key = key_id(own.public(number).raw)
        content = _BODY.pack(*_HEAD, own.identity.encode(), key, terms.nonces, terms.digest)
        if content not in self._issued:
            _keep(self._issued, content, content + own.sign(number, content))
        return self._issued[content]

    def judge(self, passport: bytes, terms: Terms, now: float) -> Verdict:
        """Verdict on a partner's passport. terms: as this end knows them, stated by the partner."""
        if self._keys is None or not self.required:
            return Verdict()
        if len(passport) != LENGTH or _BODY.unpack_from(passport)[:3] != _HEAD:
            return Verdict(Reason.PASSPORT_UNSIGNED)
        padded, key, nonces, digest = _BODY.unpack_from(passport)[3:]
        ring = self._keys.ring
        identity, public = ring.find(key) or ("", None)
        bound = public is not None and identity.encode().ljust(16, b"\0") == padded
        if public is None or not bound or ring.bodies.get(identity, terms.body) != terms.body:
            return Verdict(Reason.PASSPORT_KEY)
        # In the order of their cost.
        checks: tuple[tuple[Reason, Callable[[], bool]], ...] = (
            (Reason.PASSPORT_KEY_REVOKED, lambda: key.hex() not in ring.revoked),
            (Reason.PASSPORT_KEY_OUT_OF_TIME, lambda: public.valid(self._clock(now), self._skew)),
            (Reason.PASSPORT_REPLAYED, lambda: bool(terms.nonce and terms.echo) and nonces == terms.nonces),
            (Reason.PASSPORT_TERMS, lambda: bool(digest == terms.digest)),
            (Reason.PASSPORT_SIGNATURE, lambda: self._genuine(public.raw, passport)),
        )
        failed = next((reason for reason, holds in checks if not holds()), None)
        return Verdict(identity=identity) if failed is None else Verdict(failed)

    def _genuine(self, public: bytes, passport: bytes) -> bool:
        done = (public, passport)
        if done not in self._checked:
            content, signature = passport[: _BODY.size], passport[_BODY.size :]
            _keep(self._checked, done, verify(public, signature, content))
        return self._checked[done]


def _keep(memory: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    memory[key] = value
    if len(memory) > _KEPT:
        memory.popitem(last=False)


def _hash(*parts: bytes) -> bytes:
    """SHA-256 of parts, each with its length, so that no two lists have the same bytes."""
    return hashlib.sha256(b"".join(struct.pack("<I", len(part)) + part for part in parts)).digest()
