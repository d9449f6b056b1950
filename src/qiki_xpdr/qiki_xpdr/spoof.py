"""Verdict on claimed identities by evidence: a sequential test for a change, for each pair of track and claimed id."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qiki_vehicle import Vehicle
from qiki_xpdr.change import Fault, Offset, threshold
from qiki_xpdr.channels import FAULTS, OFFSETS, Looks, residuals
from qiki_xpdr.course import Course
from qiki_xpdr.geometry import Floats, Own
from qiki_xpdr.modes import Occurrence, SpoofState

Key = tuple[int, str]
"""Track (-1: none) and claimed id."""

_STATES: Final = tuple(SpoofState)

TEXTS: Final = {
    "position": "the claimed position is not that of the return",
    "jump": "the claimed position is not where the claims before led",
    "doppler": "the claimed velocity is not that of the return",
    "round_trip": "the reply does not come from the return's range",
    "direction": "the signal does not come from the return's direction",
    "strength": "the signal is stronger or weaker than its range explains",
    "signature": "messages are forged, replayed or not listed by the id's key",
    "freshness": "messages are too old or too early",
    "uniqueness": "the id is claimed on another track too",
    "kinematics": "the claims fly as no body does",
    "identity": "the track has claimed another id",
    "no_return": "nothing is where the claim says",
    "witness": "another bot receives it from elsewhere, or sees nothing where the claim says",
}
"""Meaning of each channel once it is over its threshold."""


@dataclass(frozen=True)
class Evidence:
    """Say of one channel.

    Attributes:
        statistic: logarithm of a likelihood ratio. threshold: of SPOOF. looks: that it spans; 0: a sum of all.
    """

    channel: str
    statistic: float
    threshold: float
    looks: int
    text: str


class SpoofMonitor:
    """Change tests of all pairs.

        monitor = SpoofMonitor(vehicle)
        monitor.observe(now, looks, own)              # each radar frame in which there are claims
        monitor.state(7, "ALLY-1A2B3C")               # TRUSTED, UNVERIFIED, SUSPECT, SPOOF
        monitor.evidence(7, "ALLY-1A2B3C")            # channels, strongest first

    Without claims nothing is tested: silence and dropouts end in UNVERIFIED. The declared mode is not looked at.
    """

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle, spoofing = vehicle, vehicle.spoofing
        self._settings = spoofing
        self.thresholds: dict[str, float] = {}
        """Threshold of each channel, from the time between false alarms and the channel's share of them."""
        self._offsets: dict[str, Offset] = {}
        self._faults: dict[str, Fault] = {}
        self._caps: dict[str, float] = {}
        for name, dimensions in OFFSETS.items():
            weight = getattr(spoofing.offsets, name)
            windows = spoofing.jump_windows if name == "jump" else spoofing.windows
            h = self.thresholds[name] = threshold(spoofing.arl / weight.share, dimensions, windows)
            self._offsets[name] = Offset(dimensions, windows, spoofing.clip * h)
            self._caps[name] = weight.cap
        for name in FAULTS:
            weight = getattr(spoofing.faults, name)
            h = self.thresholds[name] = math.log(spoofing.arl / weight.share)
            self._faults[name] = Fault(weight.honest, weight.forged, spoofing.clip * h, weight.cap * h)
            self._caps[name] = weight.cap
        self.refused = 0
        """Pairs that were not tested, frame by frame."""
        self._rows: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._state: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        self._looked: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._seen: Floats = np.zeros(0)
        self._calm: Floats = np.zeros(0)
        self._proven: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._course = Course(spoofing)
        self._occurrences: list[Occurrence] = []

    def __len__(self) -> int:
        return len(self._keys)

    def observe(self, now: float, looks: Looks, own: Own) -> None:
        """Count one look at each pair; a pair at most once. Pairs without a claim for long are forgotten.

        Of more than `pairs_max` pairs those without a track give way first; `refused` counts what is not tested.

        Raises:
            ValueError: a pair is named twice.
        """
        keys = list(zip(looks.track.tolist(), looks.identity, strict=True))
        if len(set(keys)) != len(keys):
            raise ValueError("looks: a pair is named twice; allowed: once")
        rows = self._rows_of(keys, now)
        if (rows < 0).any():
            looks, rows = looks.pick(np.flatnonzero(rows >= 0)), rows[rows >= 0]
        found = residuals(looks, own, now, self._vehicle)
        jump, set_clock, kinematics = self._course.look(rows, looks)
        excuses = {"position": found.excuse, "jump": set_clock}
        for name, one in (found.shifts | {"jump": jump}).items():
            excuse, margin = excuses.get(name), found.margins.get(name)
            self._offsets[name].look(rows, one, excuse=excuse, margin=margin, once=name == "jump")
        self._proven[rows] = looks.verified
        uniqueness, contested = self._rivals(rows, now, other=0)
        identity, divided = self._rivals(rows, now, other=1)
        faults = {
            "signature": looks.signature,
            "freshness": looks.freshness,
            "no_return": looks.no_return,
            "witness": looks.witness,
            "kinematics": kinematics,
            "uniqueness": uniqueness,
            "identity": identity,
        }
        for name, fault in faults.items():
            self._faults[name].look(rows, fault)
        self._seen[rows] = now
        self._looked[rows] += 1
        self._judge(rows, contested | divided, now)
        self.rest(now)

    def state(self, track: int, identity: str) -> SpoofState:
        """Verdict; UNKNOWN: no such pair."""
        row = self._rows.get((track, identity))
        return SpoofState.UNKNOWN if row is None else SpoofState(int(self._state[row]))

    @property
    def states(self) -> dict[Key, SpoofState]:
        """Verdict on each pair."""
        return {key: _STATES[state] for key, state in zip(self._keys, self._state.tolist(), strict=True)}

    def score(self) -> Floats:
        """Largest statistic of each pair by its threshold and cap, in the order of `states`."""
        parts = [np.minimum(one.statistic / self.thresholds[name], self._caps[name]) for name, one in self._tests()]
        found: Floats = np.max(parts, axis=0) if len(self._keys) else np.zeros(0)
        return found

    def evidence(self, track: int, identity: str) -> tuple[Evidence, ...]:
        """Channels that say something, the strongest first."""
        row = self._rows.get((track, identity))
        return () if row is None else self._evidence(row)

    def take_occurrences(self) -> list[Occurrence]:
        """Changes of a state since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    def _tests(self) -> list[tuple[str, Offset | Fault]]:
        return [*self._offsets.items(), *self._faults.items()]

    def _memory(self) -> list[Offset | Fault | Course]:
        return [self._course, *self._offsets.values(), *self._faults.values()]

    def _rows_of(self, keys: list[Key], now: float) -> NDArray[np.intp]:
        """Rows of pairs; -1: there is no room for it."""
        new = sorted((key for key in keys if key not in self._rows), key=lambda key: key[0] < 0)
        tracked = sum(key[0] >= 0 for key in new)
        most = self._settings.pairs_max
        self._evict(len(self._keys) + tracked - most, set(keys))
        room = max(most - len(self._keys), 0)
        self.refused += max(len(new) - room, 0)
        new = new[:room]
        for key in new:
            self._rows[key] = len(self._keys)
            self._keys.append(key)
        count = len(new)
        if count:
            for one in self._memory():
                one.add(count)
            self._state = np.append(self._state, np.full(count, int(SpoofState.UNVERIFIED), dtype=np.int8))
            self._looked = np.append(self._looked, np.zeros(count, dtype=np.int64))
            self._seen = np.append(self._seen, np.full(count, now))
            self._calm = np.append(self._calm, np.full(count, now))
            self._proven = np.append(self._proven, np.zeros(count, dtype=bool))
        return np.array([self._rows.get(key, -1) for key in keys], dtype=np.intp)

    def _evict(self, count: int, spared: set[Key]) -> None:
        """Forget pairs without a track, those first that were silent longest."""
        if count <= 0:
            return
        rows = [row for row, key in enumerate(self._keys) if key[0] < 0 and key not in spared]
        rows.sort(key=lambda row: float(self._seen[row]))
        kept = np.ones(len(self._keys), dtype=bool)
        kept[rows[:count]] = False
        self._keep(kept)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        for one in self._memory():
            one.keep(kept)
        for name in ("_state", "_looked", "_seen", "_calm", "_proven"):
            setattr(self, name, getattr(self, name)[kept])
        self._keys = [key for key, stays in zip(self._keys, kept, strict=True) if stays]
        self._rows = {key: row for row, key in enumerate(self._keys)}

    def _rivals(self, rows: NDArray[np.intp], now: float, other: int) -> tuple[Floats, NDArray[np.bool_]]:
        """Faults where the id is proven on another track (other 0), or the track under another id (other 1).

        Second: rivals of which none is proven. Either may be the honest one: SUSPECT, and no more by this alone.
        """
        faults, contested = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
        since = now - self._seen
        recent = np.flatnonzero((since >= 0.0) & (since <= self._settings.recent)).tolist()
        recent = [row for row in recent if self._keys[row][0] >= 0]
        if len({self._keys[row][1 - other] for row in recent}) == len(recent) == len(self._keys):
            return faults, contested
        shared: dict[int | str, list[int]] = {}
        for row in recent:
            shared.setdefault(self._keys[row][1 - other], []).append(row)
        for at, row in enumerate(rows):
            rivals = [one for one in shared.get(self._keys[row][1 - other], ()) if one != row]
            if not rivals or self._proven[row]:
                continue
            if self._proven[rivals].any():
                faults[at] = 1.0
            else:
                contested[at] = True
        return faults, contested

    def _judge(self, rows: NDArray[np.intp], contested: NDArray[np.bool_], now: float) -> None:
        settings, score = self._settings, self.score()[rows]
        before = self._state[rows]
        base = np.where(self._proven[rows], int(SpoofState.TRUSTED), int(SpoofState.UNVERIFIED))
        raised = np.where((score >= settings.suspect) | contested, int(SpoofState.SUSPECT), base)
        raised = np.where((score >= 1.0) & (self._looked[rows] >= settings.looks_min), int(SpoofState.SPOOF), raised)
        self._calm[rows] = np.where(score >= settings.release, now, self._calm[rows])
        released = now - self._calm[rows] >= settings.release_time
        held = (before >= SpoofState.SUSPECT) & (raised < before)
        lower = np.where(before == SpoofState.SPOOF, int(SpoofState.SUSPECT), base)
        after = np.where(held, np.where(released, lower, before), raised).astype(np.int8)
        self._calm[rows] = np.where(held & released, now, self._calm[rows])
        self._set(rows, after)

    def rest(self, now: float) -> None:
        """Let time pass: pairs without claims go back to UNVERIFIED and begin again; in the end they are forgotten."""
        settings, silent = self._settings, now - self._seen
        # SPOOF is kept as long as a state is held.
        limit = np.where(self._state == SpoofState.SPOOF, settings.release_time, settings.forget)
        quiet = np.flatnonzero((silent > limit) & (self._looked > 0))
        if len(quiet):
            for one in self._memory():
                one.restart(quiet)
            self._looked[quiet] = 0
            self._set(quiet, np.full(len(quiet), int(SpoofState.UNVERIFIED), dtype=np.int8))
        kept = (silent >= 0.0) & (silent <= self._vehicle.tracking.dead)
        if not kept.all():
            self._keep(kept)

    def _set(self, rows: NDArray[np.intp], after: NDArray[np.int8]) -> None:
        for at in np.flatnonzero(self._state[rows] != after):
            row = int(rows[at])
            track, identity = self._keys[row]
            payload = {
                "track": track,
                "identity": identity,
                "from": SpoofState(int(self._state[row])).name,
                "to": SpoofState(int(after[at])).name,
                "evidence": [vars(one) for one in self._evidence(row)],
            }
            self._occurrences.append(Occurrence("spoof.state_changed", payload))
        self._state[rows] = after

    def _evidence(self, row: int) -> tuple[Evidence, ...]:
        found = []
        for name, test in self._tests():
            h, statistic = self.thresholds[name], float(test.statistic[row])
            length = int(test.length[row]) if isinstance(test, Offset) else 0
            if statistic >= self._settings.release * h:
                found.append(Evidence(name, statistic, h, length, TEXTS[name]))
        return tuple(sorted(found, key=lambda one: -one.statistic / one.threshold))
