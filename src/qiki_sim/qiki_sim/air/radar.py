"""Radar frames: returns of the other bodies with noise, and clutter.

A body gives its return at the origin of its frame; nothing hides it [A]. The signal to noise ratio is the exact one of
its distance and cross section [A].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from qiki_sim.air.geometry import Place, angles, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_sim.sensors import Sensors
    from qiki_vehicle.radar import Radar

    Floats = NDArray[np.float64]

RANGE, BEARING, ELEVATION, RATE, SNR = range(5)
CLUTTER_AREA: Final = (-10.0, 5.0)
"""dB of 1 m^2, mean and standard deviation [A], of the cross section that a false return seems to have."""


@dataclass(frozen=True)
class RadarReading:
    """One frame.

    number: of the frame, counted from the scenario's start. range_max: m.
    detections: (N, 5) range m, bearing rad, elevation rad, radial velocity m/s, SNR dB, the nearest first.
    """

    number: int
    range_max: float
    detections: Floats


class RadarSensor:
    """The radar of one bot. A frame depends on seed, bot, time and the true motions alone."""

    def __init__(self, config: Radar, sensors: Sensors, clutter_range: float | None) -> None:
        """clutter_range: m up to which there is clutter; None: the radar's range."""
        self._config, self._sensors = config, sensors
        self._clutter_range = min(clutter_range or config.range_max, config.range_max)
        self._period_us = round(1e6 / config.rate)

    def frame(self, own: Place, positions: Floats, velocities: Floats, areas: Floats, time_us: int) -> RadarReading:
        """positions, velocities: (N, 3) m, m/s, of all other bodies, in world. areas: (N,) m^2, cross sections."""
        config, count = self._config, len(positions)
        generator = self._sensors.generator("radar", time_us)
        # All bodies draw, so that the noise of one does not depend on which others are in range.
        chance, noise = generator.random(count), generator.standard_normal((count, 4))
        exact = exact_returns(own, positions, velocities)
        near = exact[:, RANGE] <= config.range_max
        exact, chance, noise, areas = exact[near], chance[near], noise[near], areas[near]
        strongest, returns, power = merged(exact, areas * exact[:, RANGE] ** -4.0, config)
        seen = chance[strongest] < config.detection
        measured = self._measured(returns[seen], noise[strongest[seen]])
        rows = np.column_stack((measured, self._snr(power[seen])))
        rows = np.concatenate((rows, self._clutter(time_us)))
        rows = rows[(rows[:, RANGE] > 0.0) & (rows[:, RANGE] <= config.range_max)]
        rows = rows[np.argsort(rows[:, RANGE], kind="stable")][: config.detections_max]
        return RadarReading(time_us // self._period_us, config.range_max, rows)

    def _measured(self, exact: Floats, noise: Floats) -> Floats:
        config, sigma = self._config, self._sensors.sigma
        sigmas = np.array((config.range, config.angle, config.angle, config.radial_velocity))
        rows: Floats = exact + noise * np.array([sigma("radar", one) for one in sigmas])
        rows[:, BEARING], rows[:, ELEVATION] = angles(unit(rows[:, BEARING], rows[:, ELEVATION]))
        rows[:, RATE] = folded(rows[:, RATE], config.radial_velocity_max)
        return rows

    def _clutter(self, time_us: int) -> Floats:
        """(K, 5): in every direction and at every range alike."""
        config, generator = self._config, self._sensors.generator("radar/clutter", time_us)
        count = generator.poisson(config.clutter)
        distance = self._clutter_range * (1.0 - generator.random(count))
        bearing = 2.0 * math.pi * generator.random(count)
        elevation = np.arcsin(2.0 * generator.random(count) - 1.0)
        rate = config.radial_velocity_max * (2.0 * generator.random(count) - 1.0)
        area = 10.0 ** (0.1 * (CLUTTER_AREA[0] + CLUTTER_AREA[1] * generator.standard_normal(count)))
        return np.column_stack((distance, bearing, elevation, rate, self._snr(area * distance**-4.0)))

    def _snr(self, power: Floats) -> Floats:
        """dB, of sums of area / range^4."""
        config = self._config
        snr: Floats = config.reference_snr + 10.0 * np.log10(power) + 40.0 * math.log10(config.short_range)
        return snr


def exact_returns(own: Place, positions: Floats, velocities: Floats) -> Floats:
    """(N, 4) range, bearing, elevation, radial velocity of points in world."""
    offset = positions - own.position
    # At the very place of the radar there is no direction.
    distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-3)
    rate = np.einsum("ij,ij->i", velocities - own.velocity, offset) / distance
    return np.column_stack((distance, *angles(offset @ own.axes), rate))


def merged(exact: Floats, power: Floats, config: Radar) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Returns that the radar can tell apart: the strongest takes in all within its resolution in range and in angle.

    exact: (N, 4). power: (N,), in any unit.

    Returns: of M returns the row of the strongest body, the mean weighted by power (M, 4), and the sum of powers.
    """
    sight = unit(exact[:, BEARING], exact[:, ELEVATION])
    strongest, group = np.unique(_strongest(exact[:, RANGE], sight, power, config), return_inverse=True)
    total = np.bincount(group, power, len(strongest)).astype(np.float64)
    weight = power / total[group]
    columns = (*sight.T, exact[:, RANGE], exact[:, RATE])
    *direction, distance, rate = (np.bincount(group, weight * one, len(strongest)) for one in columns)
    return strongest, np.column_stack((distance, *angles(np.stack(direction, axis=-1)), rate)), total


def _strongest(distance: Floats, sight: Floats, power: Floats, config: Radar) -> NDArray[np.intp]:
    """(N,) row of the body that takes in each body."""
    taker = np.arange(len(distance), dtype=np.intp)
    order = np.argsort(distance, kind="stable")
    close = np.diff(distance[order]) < config.range_resolution
    # Most bodies have no other near their range.
    crowded = order[np.append(close, False) | np.append(False, close)] if len(order) else order
    crowded = crowded[np.argsort(-power[crowded], kind="stable")]
    while len(crowded):
        row = crowded[0]
        alike = np.abs(distance[crowded] - distance[row]) < config.range_resolution
        alike &= np.linalg.norm(sight[crowded] - sight[row], axis=1) < 2.0 * math.sin(0.5 * config.angle_resolution)
        alike[0] = True
        taker[crowded[alike]] = row
        crowded = crowded[~alike]
    return taker


def folded(rate: Floats, most: float) -> Floats:
    """Radial velocities as a radar with the unambiguous velocity ±most shows them, from -most to below most."""
    shown: Floats = (rate + most) % (2.0 * most) - most
    return shown
