"""Tracks of the bodies around: one number for each, from radar returns alone. Claims never enter a track."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from qiki_vehicle.radar import Radar, Tracking
from qiki_xpdr import filter as kalman
from qiki_xpdr import merging
from qiki_xpdr.assignment import NONE, Indices, assign
from qiki_xpdr.geometry import Floats, Own, spherical
from qiki_xpdr.modes import Band, Occurrence, Status
from qiki_xpdr.table import Table

_HISTORY = 32
"""Frames of which hits are remembered, in the bits of a whole number."""


@dataclass(frozen=True)
class Picture:
    """All tracks at one time; row by row.

    Attributes:
        time: s. number: (N,) of the track, never used twice. status, band: (N,) numbers of `Status`, `Band`.
        state: (N, 6) m and m/s in world. covariance: (N, 6, 6).
        range, bearing, elevation, radial_velocity: (N,) m, rad, rad, m/s, in base_link now.
        quality: (N,) 0 to 1. age, silent: (N,) s since the first and the last return.
        misses: (N,) frames in sequence.
        snr, rcs: (N,) dB, m^2, means of the returns; NaN: unknown. rcs: cross section by strength and range.
        detection: (N,) row of this frame's detection; -1: none, or one that tracks share.
    """

    time: float
    number: NDArray[np.int64]
    status: NDArray[np.int8]
    band: NDArray[np.int8]
    state: Floats
    covariance: Floats
    range: Floats
    bearing: Floats
    elevation: Floats
    radial_velocity: Floats
    quality: Floats
    age: Floats
    silent: Floats
    misses: NDArray[np.int64]
    snr: Floats
    rcs: Floats
    detection: Indices

    def __len__(self) -> int:
        return len(self.number)

    def row(self, number: int) -> int:
        """Row of a track.

        Raises:
            KeyError: there is none of that number.
        """
        rows = np.flatnonzero(self.number == number)
        if not len(rows):
            raise KeyError(f"track {number}; allowed: {self.number.tolist()}")
        return int(rows[0])


class Tracker:
    """Extended Kalman filters over all tracks, global nearest neighbour, M of N confirmation.

        tracker = Tracker(vehicle.radar, vehicle.tracking)
        picture = tracker.update(now, detections, own)      # each radar frame; detections (M, 4 or 5)
        tracker.take_occurrences()                           # track.confirmed, track.entered_sr, ...

    Confirmed tracks choose among the detections first, tentative ones among the rest; what is left begins new tracks.
    A confirmed track without a detection shares that of another which the radar cannot tell from it.
    """

    def __init__(self, radar: Radar, tracking: Tracking) -> None:
        self._radar, self._tracking = radar, tracking
        self._gate = float(chdtri(kalman.FIELDS, 1.0 - tracking.gate))
        self._table = Table()
        self._next = 1
        self._time = -math.inf
        self._occurrences: list[Occurrence] = []
        self.refused: Counter[str] = Counter()
        """Detections, by the field that was refused; `shed`: more than `detections_max`; `frame`: out of order."""

    @property
    def time(self) -> float:
        """Time of the newest frame, s."""
        return self._time

    @property
    def next(self) -> int:
        """Number of the next new track."""
        return self._next

    def number_from(self, first: int) -> None:
        """Give new tracks numbers from `first` on, or from the next one, where that is greater."""
        self._next = max(self._next, first)

    def update(self, now: float, detections: Floats, own: Own) -> Picture:
        """Take a radar frame.

        Args:
            now: s, of measurement.
            detections: (M, 5): range m, bearing rad, elevation rad, radial velocity m/s, SNR dB (NaN: unknown).

        Returns:
            The tracks; `detection` names rows of `detections`.

        Raises:
            ValueError: wrong shape.
        """
        if detections.ndim != 2 or detections.shape[1] != kalman.FIELDS + 1:
            raise ValueError(f"detections of shape {detections.shape}; allowed: (M, {kalman.FIELDS + 1})")
        if not math.isfinite(now) or now <= self._time:
            self.refused["frame"] += 1
            return self.picture(own)
        kept = self._valid(detections)
        measured = detections[kept]
        table = self._table
        self._predict(now)
        chosen, shared = self._choose(measured, own)
        self._count(chosen, shared, now, measured)
        alone = (chosen != NONE) & ~shared
        table.detection[:] = np.where(alone, kept[chosen] if len(kept) else NONE, NONE)
        free = np.ones(len(measured), dtype=bool)
        free[chosen[chosen != NONE]] = False
        self._end(now)
        self._begin(measured[free], kept[free], now, own)
        picture = self.picture(own)
        self._move_between_bands(picture)
        return picture

    def picture(self, own: Own) -> Picture:
        """The tracks as the newest frame left them, seen from the own position."""
        table = self._table
        offset = (table.state[:, :3] - own.position) @ own.axes
        distance, bearing, elevation = spherical(offset)
        relative = (table.state[:, 3:] - own.velocity) @ own.axes
        rate = np.einsum("ij,ij->i", relative, offset) / np.maximum(distance, 1e-6)
        silent = self._time - table.seen
        hits = np.bitwise_count(table.history)
        frames = np.clip(table.frames - table.misses, self._tracking.confirm_frames, _HISTORY)
        quality = np.minimum(hits / frames, 1.0) * np.exp(-silent / self._tracking.stale)
        return Picture(
            self._time,
            table.number.copy(),
            self._status(silent),
            table.band.copy(),
            table.state.copy(),
            table.covariance.copy(),
            distance,
            bearing,
            elevation,
            rate,
            quality,
            self._time - table.born,
            silent,
            table.misses.copy(),
            table.snr.copy(),
            10.0 ** (np.clip(table.area, -300.0, 300.0) / 10.0),
            table.detection.copy(),
        )

    def take_occurrences(self) -> list[Occurrence]:
        """Changes since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    def _valid(self, detections: Floats) -> Indices:
        """Rows of detections that can be: finite and within the radar's ranges; the nearest, up to the most."""
        distance, bearing, elevation, rate = detections[:, : kalman.FIELDS].T
        with np.errstate(invalid="ignore"):
            fits = {
                "range": (distance > 0.0) & (distance <= self._radar.range_max),
                "bearing": (bearing >= 0.0) & (bearing < 2.0 * math.pi),
                "elevation": np.abs(elevation) <= math.pi / 2.0,
                "radial_velocity": np.abs(rate) <= self._radar.radial_velocity_max,
            }
        for name, good in fits.items():
            if not good.all():
                self.refused[name] += int((~good).sum())
        rows = np.flatnonzero(np.all(list(fits.values()), axis=0))
        most = self._radar.detections_max
        if len(rows) > most:
            self.refused["shed"] += len(rows) - most
            rows = np.sort(rows[np.argpartition(distance[rows], most)[:most]])
        return rows

    def _predict(self, now: float) -> None:
        table = self._table
        if len(table.number):
            seconds = now - self._time
            table.state, table.covariance = kalman.predict(
                table.state, table.covariance, seconds, self._tracking.acceleration
            )
        self._time = now

    def _choose(self, measured: Floats, own: Own) -> tuple[Indices, NDArray[np.bool_]]:
        """Detection of each track, with the states updated by it, and which tracks share theirs."""
        table = self._table
        chosen = np.full(len(table.number), NONE, dtype=np.intp)
        shared = np.zeros(len(table.number), dtype=bool)
        if not len(table.number) or not len(measured):
            return chosen, shared
        fields = measured[:, : kalman.FIELDS]
        expected = kalman.Expected.of(table.state, table.covariance, own, self._radar)
        innovations = expected.innovations(fields, own)
        distances = expected.distances(innovations)
        allowed = distances <= self._gate
        costs = np.where(allowed, distances + expected.spread[:, None], 0.0)
        for group in (table.confirmed, ~table.confirmed):
            rows = np.flatnonzero(group)
            picked = assign(costs[rows], allowed[rows])
            chosen[rows] = picked
            allowed[:, picked[picked != NONE]] = False
        missed, holder = merging.pairs(expected.lines, chosen, table.confirmed, self._radar)
        if len(missed):
            fits = merging.share(expected, innovations, chosen, missed, holder, gate=self._gate)
            chosen[missed[fits]] = chosen[holder[fits]]
            shared[missed[fits]] = shared[holder[fits]] = True
        rows = np.flatnonzero(chosen != NONE)
        table.state[rows], table.covariance[rows] = kalman.update(
            table.state[rows],
            table.covariance[rows],
            expected.jacobian[rows],
            expected.covariance[rows],
            innovations[rows, chosen[rows]],
        )
        return chosen, shared

    def _count(self, chosen: Indices, shared: NDArray[np.bool_], now: float, measured: Floats) -> None:
        """Hits, misses, confirmation, strength."""
        table, hit = self._table, chosen != NONE
        table.frames += 1
        # Bits of a miss are not shifted in while coasting, so that quality falls by time, not by frames.
        table.history = np.where(hit | ~table.confirmed, (table.history << np.uint32(1)) | hit, table.history)
        table.history = table.history.astype(np.uint32)
        table.misses = np.where(hit, 0, table.misses + 1)
        table.seen = np.where(hit, now, table.seen)
        alone = hit & ~shared
        if alone.any():
            rows = measured[chosen[alone]]
            table.snr[alone] = _mean(table.snr[alone], rows[:, kalman.FIELDS])
            table.area[alone] = _mean(table.area[alone], self._area(rows))
        window = np.uint32((1 << self._tracking.confirm_frames) - 1)
        hits = np.bitwise_count(table.history & window)
        confirmed = ~table.confirmed & (hits >= self._tracking.confirm_hits)
        table.confirmed |= confirmed
        for row in np.flatnonzero(confirmed):
            self._occur("track.confirmed", row)

    def _area(self, measured: Floats) -> Floats:
        """dB of 1 m^2, cross section of a body that gives each detection its strength at its range."""
        radar = self._radar
        farther = 40.0 * np.log10(measured[:, 0] / radar.short_range)
        found: Floats = measured[:, kalman.FIELDS] - radar.reference_snr + farther
        return np.where(np.isfinite(found), found, math.nan)

    def _end(self, now: float) -> None:
        """Tracks that are dead, and tentative ones that can no longer be confirmed."""
        table, tracking = self._table, self._tracking
        silent = now - table.seen
        lost = table.confirmed & ~table.lost & (silent >= tracking.stale)
        for row in np.flatnonzero(lost):
            self._occur("track.lost", row)
        table.lost = table.confirmed & (silent >= tracking.stale)
        dead = table.confirmed & (silent >= tracking.dead)
        for row in np.flatnonzero(dead):
            self._occur("track.ended", row)
        hits = np.bitwise_count(table.history)
        left = tracking.confirm_frames - table.frames
        hopeless = ~table.confirmed & (hits + np.maximum(left, 0) < tracking.confirm_hits)
        table.keep(~(dead | hopeless))

    def _begin(self, measured: Floats, rows: Indices, now: float, own: Own) -> None:
        room = self._tracking.tracks_max - len(self._table.number)
        if len(measured) > room:
            self.refused["tracks"] += len(measured) - room
            nearest = np.argsort(measured[:, 0])[: max(room, 0)]
            measured, rows = measured[nearest], rows[nearest]
        if not len(measured):
            return
        states, covariances = kalman.begin(measured[:, : kalman.FIELDS], own, self._radar, self._tracking.speed)
        numbers = np.arange(self._next, self._next + len(measured))
        self._next += len(measured)
        table = self._table
        table.add(
            now,
            number=numbers,
            state=states,
            covariance=covariances,
            snr=measured[:, kalman.FIELDS],
            area=self._area(measured),
            detection=rows,
        )

    def _status(self, silent: Floats) -> NDArray[np.int8]:
        table = self._table
        made = np.full(len(table.number), int(Status.TRACKED), dtype=np.int8)
        made[table.misses >= self._tracking.coast_misses] = Status.COASTING
        made[silent >= self._tracking.stale] = Status.LOST
        made[~table.confirmed] = Status.NEW
        return made

    def _move_between_bands(self, picture: Picture) -> None:
        """Bands with hysteresis; a change keeps the track's number."""
        table, edge, margin = self._table, self._radar.short_range, self._radar.band_hysteresis
        band = np.where(picture.range <= edge, int(Band.SR), int(Band.LR))
        stays = (table.band == Band.SR) & (picture.range <= edge + margin)
        band = np.where(stays, int(Band.SR), band).astype(np.int8)
        changed = table.confirmed & (table.band != band) & (table.band != Band.UNKNOWN)
        table.band[:] = band
        picture.band[:] = band
        for row in np.flatnonzero(changed):
            self._occur("track.entered_sr" if band[row] == Band.SR else "track.left_sr", row)

    def _occur(self, type: str, row: int | np.integer[Any]) -> None:
        table = self._table
        payload: dict[str, Any] = {
            "track": int(table.number[row]),
            "position": table.state[row, :3].tolist(),
            "velocity": table.state[row, 3:].tolist(),
            "silent": float(self._time - table.seen[row]),
        }
        self._occurrences.append(Occurrence(type, payload))


def _mean(before: Floats, new: Floats) -> Floats:
    """Mean over some ten returns, in dB; NaN: unknown."""
    mean = np.where(np.isnan(before), new, before + 0.1 * (new - before))
    return np.where(np.isnan(new), before, mean)
