"""All cores together, once in a radar frame: tracks, replies, identification, evidence, guard rules."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qiki_vehicle import Vehicle
from qiki_vehicle.keys import seconds
from qiki_xpdr.channels import Looks
from qiki_xpdr.contacts import Identified, contacts_of, docked_tracks, object_types
from qiki_xpdr.frames import Claim
from qiki_xpdr.geometry import Floats, Own, unit
from qiki_xpdr.guard import Alert, Contact, GuardTable
from qiki_xpdr.iff import Iff
from qiki_xpdr.modes import Allegiance, Mode, ObjectType, Occurrence
from qiki_xpdr.reasons import Reason
from qiki_xpdr.replies import assign_replies
from qiki_xpdr.returns import View, empty
from qiki_xpdr.spoof import SpoofMonitor
from qiki_xpdr.standing import Outcome
from qiki_xpdr.tracker import Picture, Tracker
from qiki_xpdr.witness import Heard, Witnesses

NO_TRACK = -1


@dataclass(frozen=True)
class Reception:
    """A radio frame as it arrived; NaN: not known.

    Attributes:
        bearing, elevation: rad, of arrival, in base_link. round_trip: s. strength: dBm.
    """

    number: int
    frame: bytes
    bearing: float = math.nan
    elevation: float = math.nan
    round_trip: float = math.nan
    strength: float = math.nan


@dataclass
class _Pair:
    """One frame's news of a pair of track and id."""

    claim: Claim | None = None
    reception: Reception | None = None
    forged: int = 0
    untimely: int = 0
    verified: bool = False
    contradicted: float = math.nan


@dataclass
class _Known:
    """Newest claim of a pair."""

    claim: Claim
    at: float


@dataclass(frozen=True)
class Frame:
    """Result of a radar frame.

    Attributes:
        identified: by track. types: of the tracks whose kind is known. outcomes: of receptions. alerts: that begin now.
        heard: claims received. view: of the radar; None: the frame was refused.
    """

    picture: Picture
    identified: dict[int, Identified] = field(default_factory=dict)
    contacts: tuple[Contact, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    alerts: tuple[Alert, ...] = ()
    heard: tuple[Heard, ...] = ()
    view: View | None = None
    types: Mapping[int, ObjectType] = field(default_factory=dict)


class Watch:
    """Tracks with identities, evidence and alerts.

    watch = Watch(vehicle, iff, GuardTable(rules))
    frame = watch.frame(now, detections, own, receptions)      # each radar frame
    watch.take_occurrences()
    """

    def __init__(self, vehicle: Vehicle, iff: Iff, guard: GuardTable) -> None:
        self._vehicle, self._iff, self._guard = vehicle, iff, guard
        self.tracker = Tracker(vehicle.radar, vehicle.tracking)
        self.monitor = SpoofMonitor(vehicle)
        self._known: dict[tuple[int, str], _Known] = {}
        self.witnesses = Witnesses(vehicle, iff.identity, iff.member)
        self.refused: Counter[str] = Counter()
        """`shed`: receptions beyond `iff.receptions_per_frame`. `ghosts`: pairs beyond `spoofing.ghosts_max`."""

    def frame(
        self,
        now: float,
        detections: Floats | None,
        own: Own,
        receptions: Sequence[Reception] = (),
        docked: Mapping[str, Floats] | None = None,
    ) -> Frame:
        """Take a radar frame and the receptions since the last one.

        Args:
            detections: (M, 5); None: the radar gave no frame. Tracks coast, age and end, and no claim lacks its return.
            docked: (3,) m, in world, of each body that is docked. A track on one is no contact, and raises no alert.
        """
        measured = np.zeros((0, 5)) if detections is None else detections
        if not (math.isfinite(now) and now > self.tracker.time):
            return Frame(self.tracker.update(now, measured, own))
        picture = self.tracker.update(now, measured, own)
        pairs, outcomes, heard = self._receive(now, picture, own, receptions)
        view = View.of(now, own, detections)
        if pairs:
            self.monitor.observe(now, self._looks(now, pairs, picture, measured, view), own)
        else:
            self.monitor.rest(now)
        identified = self._identified(now, picture)
        partners = docked_tracks(picture, docked or {}, self._vehicle)
        contacts = contacts_of(picture, identified, own, partners)
        alerts = self._guard.evaluate(contacts, now)
        types = object_types(picture, identified, self._vehicle.radar.debris)
        return Frame(picture, identified, contacts, tuple(outcomes), tuple(alerts), heard, view, types)

    def take_occurrences(self) -> list[Occurrence]:
        """Changes since the last call, of all parts."""
        parts = (self.tracker, self.monitor, self._guard)
        return [one for part in parts for one in part.take_occurrences()]

    def _receive(
        self, now: float, picture: Picture, own: Own, receptions: Sequence[Reception]
    ) -> tuple[dict[tuple[int, str], _Pair], list[Outcome], tuple[Heard, ...]]:
        arrivals = np.array([(one.bearing, one.elevation, one.round_trip) for one in receptions]).reshape(-1, 3)
        kept = fair(arrivals, self._vehicle.iff.receptions_per_frame)
        self.refused["shed"] += len(receptions) - len(kept)
        receptions, arrivals = [receptions[row] for row in kept], arrivals[kept]
        tracks = assign_replies(picture, arrivals, own, self._vehicle).track.tolist()
        pairs: defaultdict[tuple[int, str], _Pair] = defaultdict(_Pair)
        outcomes: list[Outcome] = []
        heard: list[Heard] = []
        directions = unit(arrivals[:, 0], arrivals[:, 1]) @ own.axes.T
        for track, one, arrival in zip(tracks, receptions, directions, strict=True):
            source = None if track == NO_TRACK else track
            claim, found = self._iff.receive(one.number, one.frame, source, now)
            outcomes += found
            if claim is not None:
                pair = pairs[track, claim.identity]
                pair.claim, pair.reception = claim, one
                heard.append(Heard(track, claim, one.frame, arrival))
                if track != NO_TRACK:
                    self._known[track, claim.identity] = _Known(claim, now)
        outcomes += self._iff.check(now)
        for outcome in outcomes:
            if outcome.identity:
                track = NO_TRACK if outcome.source is None else int(str(outcome.source))
                pair = pairs[track, outcome.identity]
                pair.forged += outcome.reason.forged
                pair.untimely += outcome.reason in (Reason.STALE, Reason.FUTURE)
                pair.verified |= outcome.reason.verified
        states = self.monitor.states
        ghosts = sorted((key for key in pairs if key[0] == NO_TRACK), key=lambda key: key not in states)
        for key in ghosts[self._vehicle.spoofing.ghosts_max :]:
            self.refused["ghosts"] += 1
            del pairs[key]
        self.witnesses.heard(heard, now)
        claimed = {key for key, pair in pairs.items() if pair.claim is not None}
        for key, wrong in self.witnesses.verdicts(claimed, now).items():
            pairs[key].contradicted = wrong
        return dict(pairs), outcomes, tuple(heard)

    def _looks(
        self,
        now: float,
        pairs: dict[tuple[int, str], _Pair],
        picture: Picture,
        detections: Floats,
        view: View,
    ) -> Looks:
        count = len(pairs)
        numbers = {name: np.full(count, math.nan) for name in ("time", "round_trip", "strength", "no_return")}
        vectors = {name: np.full((count, 3), math.nan) for name in ("position", "velocity")}
        measured, arrival = np.full((count, 4), math.nan), np.full((count, 2), math.nan)
        rows = {int(number): row for row, number in enumerate(picture.number)}
        for at, ((track, _), pair) in enumerate(pairs.items()):
            row = rows.get(track)
            if row is not None and picture.detection[row] >= 0:
                measured[at] = detections[picture.detection[row], :4]
            if pair.claim is None or pair.reception is None:
                continue
            numbers["time"][at] = seconds(pair.claim.time)
            vectors["position"][at], vectors["velocity"][at] = pair.claim.position, pair.claim.velocity
            numbers["round_trip"][at] = pair.reception.round_trip
            numbers["strength"][at] = pair.reception.strength
            arrival[at] = pair.reception.bearing, pair.reception.elevation
            if track == NO_TRACK:
                numbers["no_return"][at] = empty(view, pair.claim, self._vehicle)
        forged = np.array([pair.forged for pair in pairs.values()], dtype=float)
        verified = np.array([pair.verified for pair in pairs.values()])
        untimely = np.array([pair.untimely for pair in pairs.values()], dtype=float)
        timely = np.isfinite(numbers["time"])
        sources = [(None if track == NO_TRACK else track, identity) for track, identity in pairs]
        proven = [self._iff.standing(*source, now).result is Allegiance.FRIEND for source in sources]
        # The word of another outweighs no proof at this source, nor one that may still come.
        contradicted = [
            math.nan if self._iff.may_be_proven(*source, now) else pair.contradicted
            for source, pair in zip(sources, pairs.values(), strict=True)
        ]
        return Looks(
            track=np.array([track for track, _ in pairs], dtype=np.int64),
            identity=[identity for _, identity in pairs],
            measured=measured,
            arrival=arrival,
            signature=np.where((forged > 0.0) | verified, forged, np.nan),
            freshness=np.where((untimely > 0.0) | timely, untimely, np.nan),
            verified=np.array(proven),
            witness=np.array(contradicted),
            **numbers,
            **vectors,
        )

    def _identified(self, now: float, picture: Picture) -> dict[int, Identified]:
        """Identity of each track in SR: a proven one, else the one with the worst verdict."""
        limit = self._vehicle.spoofing.forget
        states = self.monitor.states
        self._known = {
            key: known for key, known in self._known.items() if key in states and 0.0 <= now - known.at <= limit
        }
        present = set(picture.number.tolist())
        found: dict[int, Identified] = {}
        for (track, identity), known in self._known.items():
            if track not in present:
                continue
            spoof = states[track, identity]
            standing = self._iff.standing(track, identity, now, spoof)
            evidence = self.monitor.evidence(track, identity)
            made = Identified(identity, Mode(known.claim.mode), standing, spoof, evidence)
            other = found.get(track)
            if other is None or _rank(made) > _rank(other):
                found[track] = made
        return found


def fair(arrivals: Floats, most: int) -> NDArray[np.intp]:
    """Rows of at most `most` arrivals (K, 3), by turns over the directions: a flood from one displaces itself.

    Directions are cells of 0.2 rad; those that are not finite are one cell.
    """
    if len(arrivals) <= most:
        return np.arange(len(arrivals))
    with np.errstate(invalid="ignore", over="ignore"):
        cells = np.floor(np.clip(np.nan_to_num(arrivals[:, :2] / 0.2, nan=1e3), -1e3, 1e3)).astype(np.int64)
    names = cells[:, 0] * 4001 + cells[:, 1]
    order = np.argsort(names, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(names[order]) != 0])
    turn = np.arange(len(names)) - np.repeat(begins, np.diff(np.r_[begins, len(names)]))
    return np.sort(order[np.argsort(turn, kind="stable")[:most]])


def _rank(one: Identified) -> tuple[bool, int]:
    return one.standing.result is Allegiance.FRIEND, int(one.spoof)
