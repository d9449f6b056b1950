"""Bodies on straight courses, and the radar frames of them."""

import math

import numpy as np
from air import VEHICLE

from qiki_xpdr.geometry import AT_ORIGIN, spherical

RADAR, TRACKING = VEHICLE.radar, VEHICLE.tracking
SIGMAS = np.array((RADAR.range, RADAR.angle, RADAR.angle, RADAR.radial_velocity))


def seen(positions, velocities, own=AT_ORIGIN, snr=10.0):
    """Exact detections (N, 5)."""
    positions, velocities = np.atleast_2d(positions).astype(float), np.atleast_2d(velocities).astype(float)
    offset = (positions - own.position) @ own.axes
    distance, bearing, elevation = spherical(offset)
    rate = np.einsum("ij,ij->i", (velocities - own.velocity) @ own.axes, offset) / distance
    return np.column_stack((distance, bearing, elevation, rate, np.full(len(positions), snr)))


def frame(rng, positions, velocities, *, own=AT_ORIGIN, detection=RADAR.detection, clutter=0.0):
    """A noisy frame in random order, and the body of each detection (-1: clutter); returns come from hulls."""
    positions = np.atleast_2d(positions).astype(float)
    points = rng.normal(size=positions.shape)
    points *= RADAR.extent / np.linalg.norm(points, axis=1)[:, None]
    exact = seen(positions + points, velocities, own)
    exact[:, :4] += rng.normal(size=(len(exact), 4)) * SIGMAS
    exact[:, 1] %= 2.0 * math.pi
    exact[:, 2] = np.clip(exact[:, 2], -math.pi / 2.0, math.pi / 2.0)
    bodies = np.flatnonzero(rng.random(len(exact)) < detection)
    count = rng.poisson(clutter)
    false = np.column_stack(
        (
            rng.uniform(1.0, 3000.0, count),
            rng.uniform(0.0, 2.0 * math.pi, count),
            np.arcsin(rng.uniform(-1.0, 1.0, count)),
            rng.uniform(-20.0, 20.0, count),
            np.full(count, 3.0),
        )
    )
    rows = np.concatenate((exact[bodies], false))
    order = rng.permutation(len(rows))
    return rows[order], np.concatenate((bodies, np.full(count, -1)))[order]
