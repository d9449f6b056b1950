"""Standing of each id at each source, from the outcomes of its receptions."""

import math
from collections import Counter, OrderedDict
from collections.abc import Collection, Hashable
from dataclasses import dataclass

from qiki_xpdr.modes import Allegiance, SpoofState
from qiki_xpdr.reasons import Reason

Source = Hashable
"""Origin of a reception: a track, or None where it belongs to none."""


@dataclass(frozen=True)
class Outcome:
    """Result of one reception.

    Attributes:
        number: of the reception.
    """

    number: int
    source: Source
    identity: str
    reason: Reason


@dataclass(frozen=True)
class Standing:
    """Identification of an id at a source.

    Attributes:
        reason: of the newest outcome. since: s, time of that outcome.
    """

    result: Allegiance
    reason: Reason
    since: float


@dataclass
class _Seen:
    """Newest outcomes of an id at a source."""

    verified: float = -math.inf
    by: Reason = Reason.NONE
    refused: float = -math.inf
    why: Reason = Reason.NONE


class Standings:
    """Standings of the newest N pairs of source and id.

    Args:
        valid: s for which a verification, or a forgery, counts.
    """

    def __init__(self, largest: int, valid: float) -> None:
        self._largest, self._valid = largest, valid
        self._seen: OrderedDict[tuple[Source, str], _Seen] = OrderedDict()
        self.refusals: Counter[Reason] = Counter()
        """Receptions that were not verified, by reason."""

    def record(self, outcome: Outcome, now: float) -> Outcome:
        """Let an outcome count."""
        key, reason = (outcome.source, outcome.identity), outcome.reason
        seen = self._seen.setdefault(key, _Seen())
        self._seen.move_to_end(key)
        if len(self._seen) > self._largest:
            self._seen.popitem(last=False)
        if reason.verified:
            seen.verified, seen.by = now, reason
            return outcome
        self.refusals[reason] += 1
        # A dropped signature or a lost manifest does not make a forgery forgotten.
        if reason.forged or not seen.why.forged or abs(now - seen.refused) > self._valid:
            seen.refused, seen.why = now, reason
        return outcome

    def revoke(self, lost: Collection[str], members: Collection[str]) -> None:
        """End the standing of ids that lost a key, or that are no members."""
        for (_, identity), seen in self._seen.items():
            if seen.by.verified and (identity in lost or identity not in members):
                seen.refused, seen.why = seen.verified, Reason.KEY_REVOKED
                seen.verified, seen.by = -math.inf, Reason.NONE

    def of(self, source: Source, identity: str, now: float, spoof: SpoofState, foes: Collection[str]) -> Standing:
        """FRIEND by proof, FOE by list or by evidence, else UNKNOWN.

        A forged message of the same source within the time outweighs a proof.
        """
        seen = self._seen.get((source, identity), _Seen())
        latest = max(seen.refused, seen.verified)
        if identity in foes or spoof is SpoofState.SPOOF:
            return Standing(Allegiance.FOE, seen.why, latest)
        if seen.why.forged and abs(now - seen.refused) <= self._valid:
            return Standing(Allegiance.UNKNOWN, seen.why, seen.refused)
        if abs(now - seen.verified) <= self._valid and spoof is not SpoofState.SUSPECT:
            return Standing(Allegiance.FRIEND, seen.by, seen.verified)
        return Standing(Allegiance.UNKNOWN, seen.why, latest)
