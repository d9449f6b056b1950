"""A second witness: the claims of one frame as another bot received them, against the same frames as received here.

A claimed place that is a phantom, or on the own line of sight to a transmitter, looks right from here and wrong from
elsewhere. A sighting names a claim by the hash of its frame, so that it is compared with that very transmission.
"""

import math
import struct
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

import numpy as np
from scipy.special import chdtri

from qiki_vehicle import Vehicle
from qiki_vehicle.keys import Secret, nanoseconds, seconds
from qiki_xpdr.frames import FARTHEST, Claim, checked_identity, digest
from qiki_xpdr.geometry import Floats
from qiki_xpdr.questions import group_code
from qiki_xpdr.reasons import Reason
from qiki_xpdr.returns import View, empty

Triple = tuple[float, float, float]
Pair = tuple[int, str]
"""Track (-1: none) and claimed id."""

_CONTENT: Final = struct.Struct("<16s16s16sq3dd3ddB8s")
_PURPOSE: Final = b"QIKI sighting 1\0"
_WIDEST: Final = 0.5
"""rad, deviation of a direction beyond which it says nothing."""
_MOST_WAITING: Final = 1000
_MOST_CLAIMS: Final = 5000


class Returned(IntEnum):
    """Radar return where a claim says; UNKNOWN: the radar does not reach there, or gave no frame."""

    UNKNOWN = 0
    SEEN = 1
    EMPTY = 2


@dataclass(frozen=True)
class Sighting:
    """A claim as a witness received it.

    Attributes:
        identity: id of the witness. claimed: id in the claim.
        claim: hash of the claim's frame. time: ns, of the witness's radar frame.
        position: m, of the witness, in world. position_sigma: m, its deviation per axis.
        direction: unit vector of arrival, in world; NaN: unknown. direction_sigma: rad, per axis across it.
        key, proof: id of the group's key, and its code of `content`.
    """

    identity: str
    claimed: str
    claim: bytes
    time: int
    position: Triple
    position_sigma: float
    direction: Triple
    direction_sigma: float
    returned: Returned
    key: bytes = b""
    proof: bytes = b""

    def __post_init__(self) -> None:
        for name in (self.identity, self.claimed):
            checked_identity(name)

    @property
    def content(self) -> bytes:
        """Part that the proof covers."""
        names = (name.encode("ascii") for name in (self.identity, self.claimed))
        numbers = (*self.position, self.position_sigma, *self.direction, self.direction_sigma)
        return _PURPOSE + _CONTENT.pack(*names, self.claim, self.time, *numbers, self.returned, self.key)

    def proven(self, key: Secret) -> "Sighting":
        """The same with the code of a key of the group."""
        named = replace(self, key=key.group_id)
        return replace(named, proof=group_code(key, named.content))


@dataclass(frozen=True)
class Heard:
    """A claim as received here. arrival: (3,) unit vector in world; NaN: unknown."""

    track: int
    claim: Claim
    frame: bytes
    arrival: Floats


def sightings(heard: Iterable[Heard], view: View, vehicle: Vehicle, *, identity: str, key: Secret) -> list[Sighting]:
    """Own sightings of the claims of a radar frame, for others. identity, key: own id, and a key of the group."""
    spread = math.hypot(vehicle.radio.direction, view.turn)
    x, y, z = view.own.position.tolist()
    made = []
    for one in heard:
        found = empty(view, one.claim, vehicle)
        returned = Returned.UNKNOWN if math.isnan(found) else Returned.EMPTY if found else Returned.SEEN
        right, ahead, up = one.arrival.tolist()
        sighting = Sighting(
            identity,
            one.claim.identity,
            digest(one.frame),
            nanoseconds(view.time),
            (x, y, z),
            view.position,
            (right, ahead, up),
            spread,
            returned,
        )
        made.append(sighting.proven(key))
    return made


def contradicts(sighting: Sighting, claim: Claim, vehicle: Vehicle) -> float:
    """1: the claim is not where it says, by direction of arrival or return; 0: it can be; NaN: not known.

    The claim is carried on to the time of the sighting by its own velocity. Errors of both positions and of the
    direction count; no witness counts as more accurate than the own radio.
    """
    later = seconds(sighting.time - claim.time)
    place = np.array(claim.position) + later * np.array(claim.velocity)
    offset = place - np.array(sighting.position)
    distance = float(np.linalg.norm(offset))
    known, wrong = False, False
    blur = math.hypot(vehicle.spoofing.claim_position, sighting.position_sigma)
    arrival = np.array(sighting.direction)
    if distance > blur and math.isclose(float(np.linalg.norm(arrival)), 1.0, rel_tol=1e-3):
        spread = math.hypot(max(sighting.direction_sigma, vehicle.radio.direction), blur / distance)
        angle = math.acos(min(max(float(arrival @ offset) / distance, -1.0), 1.0))
        if spread < _WIDEST:
            known = True
            wrong = (angle / spread) ** 2 > chdtri(2, 1.0 - vehicle.tracking.reply_gate)
    if sighting.returned is not Returned.UNKNOWN and distance <= vehicle.radar.short_range:
        known = True
        wrong |= sighting.returned is Returned.EMPTY
    return float(wrong) if known else math.nan


@dataclass
class _Pending:
    """A claim that may be sighted by others."""

    track: int
    claim: Claim
    at: float
    witnesses: set[str] = field(default_factory=set)


class Witnesses:
    """Sightings by others of the claims received here.

        witnesses.take(sighting, now)                  # as they arrive, before and after the own reception
        witnesses.heard(heard, now)                    # each radar frame
        witnesses.verdicts(pairs, now)                 # of pairs of track and id: 1 contradicted, 0 confirmed

    A sighting counts of a member of the key ring, by the group's code, once for each claim and witness, within
    `iff.claim_age`, and never for the witness's own id. One that confirms outweighs those that contradict.

    Args:
        proof: result of the group's code of a sighting at a time, as `Iff.member`.
    """

    def __init__(self, vehicle: Vehicle, identity: str, proof: Callable[[Sighting, float], Reason]) -> None:
        self._vehicle, self._identity, self._proof = vehicle, identity, proof
        self._claims: OrderedDict[bytes, _Pending] = OrderedDict()
        self._waiting: deque[Sighting] = deque()
        self._verdicts: dict[Pair, tuple[float, float]] = {}
        self.refused: Counter[Reason] = Counter()
        """Sightings that do not count, by reason."""

    def take(self, sighting: Sighting, now: float) -> Reason:
        """Take a sighting; the reason why it counts or does not; of own ones, which come back, OWN_ID."""
        if sighting.identity == self._identity:
            return Reason.OWN_ID
        reason = self._check(sighting, now)
        if reason.verified:
            self._waiting.append(sighting)
        else:
            self.refused[reason] += 1
        return reason

    def heard(self, heard: Iterable[Heard], now: float) -> None:
        """Note the claims of a frame, which others may have received too."""
        for one in heard:
            self._claims.setdefault(digest(one.frame), _Pending(one.track, one.claim, now))
        keep = self._vehicle.iff.claim_age
        while self._claims:
            first = next(iter(self._claims.values()))
            if 0.0 <= now - first.at <= keep and len(self._claims) <= _MOST_CLAIMS:
                break
            self._claims.popitem(last=False)

    def verdicts(self, pairs: Container[Pair], now: float) -> dict[Pair, float]:
        """Those of the pairs that were sighted since they were asked for last, compared with the own receptions."""
        later: deque[Sighting] = deque()
        for sighting in self._waiting:
            pending = self._claims.get(sighting.claim)
            if pending is None:
                # The own radio may be the later one.
                if abs(now - seconds(sighting.time)) <= self._vehicle.iff.claim_age:
                    later.append(sighting)
                continue
            if sighting.identity in pending.witnesses or sighting.claimed != pending.claim.identity:
                continue
            pending.witnesses.add(sighting.identity)
            wrong = contradicts(sighting, pending.claim, self._vehicle)
            if not math.isnan(wrong):
                pair = pending.track, sighting.claimed
                before, _ = self._verdicts.get(pair, (1.0, now))
                self._verdicts[pair] = min(before, wrong), now
        self._waiting = later
        keep = self._vehicle.iff.claim_age
        self._verdicts = {pair: one for pair, one in self._verdicts.items() if 0.0 <= now - one[1] <= keep}
        return {pair: self._verdicts.pop(pair)[0] for pair in list(self._verdicts) if pair in pairs}

    def _check(self, sighting: Sighting, now: float) -> Reason:
        limit = self._vehicle.iff.claim_age + self._vehicle.iff.skew
        age = now - seconds(sighting.time)
        if len(self._waiting) >= _MOST_WAITING:
            return Reason.SHED
        numbers = (*sighting.position, sighting.position_sigma, sighting.direction_sigma)
        if not all(abs(x) <= FARTHEST for x in numbers) or min(numbers[3:]) < 0.0:
            return Reason.MALFORMED
        if sighting.identity == sighting.claimed:
            return Reason.ID_NOT_BOUND
        if not abs(age) <= limit:
            return Reason.STALE if age > 0.0 else Reason.FUTURE
        return self._proof(sighting, now)
