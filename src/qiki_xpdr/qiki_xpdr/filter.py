"""Extended Kalman filter of many tracks at once: nearly constant velocity, spherical measurements with Doppler."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from qiki_vehicle.radar import Radar
from qiki_xpdr.geometry import Floats, Lines, Own, unit

LEAST_FLAT: Final = 0.05
"""Least cosine of the elevation by which the deviation of the bearing counts as an angle."""
FIELDS: Final = 4
"""Range (m), bearing (rad, 0 to below 2π), elevation (rad), radial velocity (m/s): columns of a measurement."""


def predict(states: Floats, covariances: Floats, seconds: float, density: float) -> tuple[Floats, Floats]:
    """States (N, 6) and covariances (N, 6, 6) later: position m, velocity m/s.

    Args:
        density: m/s^2 per sqrt(Hz), of the white acceleration.
    """
    states = states.copy()
    states[:, :3] += seconds * states[:, 3:]
    place, cross, speed = covariances[:, :3, :3], covariances[:, :3, 3:], covariances[:, 3:, 3:]
    turned = np.swapaxes(cross, 1, 2)
    later = np.empty_like(covariances)
    power, eye = density**2, np.eye(3)
    later[:, :3, :3] = place + seconds * (cross + turned) + seconds**2 * speed + power * seconds**3 / 3.0 * eye
    later[:, :3, 3:] = cross + seconds * speed + power * seconds**2 / 2.0 * eye
    later[:, 3:, :3] = np.swapaxes(later[:, :3, 3:], 1, 2)
    later[:, 3:, 3:] = speed + power * seconds * eye
    return states, later


@dataclass(frozen=True)
class Expected:
    """Measurements expected of N tracks.

    Attributes:
        shifts: (N, 2) m, m/s: mean of range and radial velocity beyond those of the mean state, by their curvature.
        jacobian: (N, 4, 6). covariance: (N, 4, 4) of the innovation. whitener: (N, 4, 4), W with W S Wᵀ = 1.
        spread: (N,) logarithm of the determinant of S.
    """

    lines: Lines
    shifts: Floats
    jacobian: Floats
    covariance: Floats
    whitener: Floats
    spread: Floats

    @classmethod
    def of(cls, states: Floats, covariances: Floats, own: Own, radar: Radar) -> "Expected":
        """Measurements of states (N, 6)."""
        lines = Lines.to(states[:, :3], states[:, 3:], own)
        jacobian = np.zeros((len(states), FIELDS, 6))
        inverse = 1.0 / lines.range[:, None]
        jacobian[:, 0, :3] = lines.sight
        jacobian[:, 1, :3] = lines.east * inverse
        jacobian[:, 2, :3] = lines.up * inverse
        jacobian[:, 3, :3] = lines.slip * inverse
        jacobian[:, 3, 3:] = lines.sight
        covariance = jacobian @ covariances @ np.swapaxes(jacobian, 1, 2)
        covariance[:, range(FIELDS), range(FIELDS)] += noise(lines, radar)
        shifts = _curvature(lines, covariances, covariance)
        factor = np.linalg.cholesky(covariance)
        spread = 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        return cls(lines, shifts, jacobian, covariance, np.linalg.inv(factor), spread)

    def innovations(self, measurements: Floats, own: Own) -> Floats:
        """Differences (N, M, 4) of measurements (M, 4) to all tracks; angles as arcs across the line of sight."""
        lines = self.lines
        directions = unit(measurements[:, 1], measurements[:, 2]) @ own.axes.T
        made = np.empty((len(lines.range), len(measurements), FIELDS))
        np.subtract(measurements[None, :, 0], (lines.range + self.shifts[:, 0])[:, None], out=made[:, :, 0])
        made[:, :, 1] = lines.east @ directions.T
        made[:, :, 2] = lines.up @ directions.T
        np.subtract(measurements[None, :, 3], (lines.rate + self.shifts[:, 1])[:, None], out=made[:, :, 3])
        # Behind the radar the arcs of a line of sight repeat.
        made[:, :, 0] = np.where(lines.sight @ directions.T > 0.0, made[:, :, 0], np.inf)
        return made

    def distances(self, innovations: Floats) -> Floats:
        """Squared Mahalanobis distances (N, M)."""
        with np.errstate(invalid="ignore"):
            whitened = innovations @ np.swapaxes(self.whitener, 1, 2)
            squared: Floats = np.einsum("nmk,nmk->nm", whitened, whitened)
        return np.nan_to_num(squared, copy=False, nan=np.inf)


def _curvature(lines: Lines, covariances: Floats, covariance: Floats) -> Floats:
    """Second order terms: the means as shifts, the variances added to `covariance`.

    A new track is not known across the line of sight, neither its place nor its velocity; the product of both errors
    is as large as the noise of the Doppler measurement.
    """
    across = np.stack((lines.east, lines.up), axis=1)
    back = np.swapaxes(across, 1, 2)
    distance = lines.range[:, None, None]
    angles = across @ covariances[:, :3, :3] @ back / distance**2
    mixed = across @ covariances[:, :3, 3:] @ back / distance
    speeds = across @ covariances[:, 3:, 3:] @ back
    width = np.trace(angles, axis1=1, axis2=2)
    covariance[:, 0, 0] += 0.5 * lines.range**2 * np.einsum("nij,nji->n", angles, angles)
    covariance[:, 3, 3] += np.einsum("nij,nji->n", angles, speeds) + np.einsum("nij,nji->n", mixed, mixed)
    turn = np.trace(mixed, axis1=1, axis2=2) - 0.5 * lines.rate * width
    return np.stack((0.5 * lines.range * width, turn), axis=1)


def noise(lines: Lines, radar: Radar) -> Floats:
    """Variances (N, 4) of measurements of bodies along lines; bearing as an arc.

    A return comes from any point of the hull, which near the radar is wider than the error of the angles.
    """
    made = np.empty((len(lines.range), FIELDS))
    made[:] = (radar.range**2, radar.angle**2, radar.angle**2, radar.radial_velocity**2)
    made[:, 1] *= np.maximum(lines.flat, LEAST_FLAT) ** 2
    hull = radar.extent**2 / 3.0
    made[:, 0] += hull
    made[:, 1:3] += hull / lines.range[:, None] ** 2
    return made


def update(
    states: Floats, covariances: Floats, jacobian: Floats, covariance: Floats, innovations: Floats
) -> tuple[Floats, Floats]:
    """States and covariances after one measurement each, innovations (N, 4)."""
    crossed = covariances @ np.swapaxes(jacobian, 1, 2)
    gain = np.swapaxes(np.linalg.solve(covariance, np.swapaxes(crossed, 1, 2)), 1, 2)
    states = states + np.einsum("nij,nj->ni", gain, innovations)
    made = covariances - gain @ np.swapaxes(crossed, 1, 2)
    return states, 0.5 * (made + np.swapaxes(made, 1, 2))


def begin(measurements: Floats, own: Own, radar: Radar, speed: float) -> tuple[Floats, Floats]:
    """States and covariances of new tracks from one measurement each (N, 4).

    Args:
        speed: m/s, deviation of the velocity across the line of sight.
    """
    directions = unit(measurements[:, 1], measurements[:, 2]) @ own.axes.T
    states = np.empty((len(measurements), 6))
    states[:, :3] = own.position + measurements[:, :1] * directions
    states[:, 3:] = own.velocity + measurements[:, 3:] * directions
    lines = Lines.to(states[:, :3], states[:, 3:], own)
    variances = noise(lines, radar)
    variances[:, 1:3] *= lines.range[:, None] ** 2
    covariances = np.zeros((len(measurements), 6, 6))
    for number, axis in enumerate((lines.sight, lines.east, lines.up)):
        outer = axis[:, :, None] * axis[:, None, :]
        covariances[:, :3, :3] += variances[:, number, None, None] * outer
        along = variances[:, 3] if number == 0 else np.full(len(measurements), speed**2)
        covariances[:, 3:, 3:] += along[:, None, None] * outer
    return states, covariances
