"""Looks at pairs of track and id, truthful unless said otherwise."""

import math

import numpy as np
from air import VEHICLE

from qiki_xpdr.channels import Looks, free_space_loss
from qiki_xpdr.geometry import AT_ORIGIN, LIGHT, Lines, spherical

RADAR, RADIO, SPOOFING = VEHICLE.radar, VEHICLE.radio, VEHICLE.spoofing
SIGMAS = np.array((RADAR.range, RADAR.angle, RADAR.angle, RADAR.radial_velocity))


def truthful(rng, places, velocities, now, *, names=None, tracks=None, verified=True, **changes):
    """One look at each body; `changes` replace fields of `Looks`."""
    places, velocities = np.atleast_2d(places).astype(float), np.atleast_2d(velocities).astype(float)
    count = len(places)
    lines = Lines.to(places, velocities, AT_ORIGIN)
    distance, bearing, elevation = spherical(places)
    measured = np.column_stack((distance, bearing, elevation, lines.rate)) + rng.normal(size=(count, 4)) * SIGMAS
    measured[:, 1] %= 2.0 * math.pi
    noise = rng.normal(size=(count, 2)) * RADIO.direction
    signal = lines.sight + noise[:, :1] * lines.east + noise[:, 1:] * lines.up
    fields = {
        "track": np.arange(1, count + 1) if tracks is None else np.array(tracks),
        "identity": [f"ALLY-{n:06X}" for n in range(count)] if names is None else list(names),
        "measured": measured,
        "time": np.full(count, float(now)),
        "position": places + rng.normal(size=(count, 3)) * SPOOFING.claim_position,
        "velocity": velocities + rng.normal(size=(count, 3)) * SPOOFING.claim_velocity,
        "arrival": np.column_stack(spherical(signal)[1:]),
        "round_trip": 2.0 * distance / LIGHT + rng.normal(size=count) * RADIO.round_trip,
        "strength": VEHICLE.transponder.eirp
        - free_space_loss(distance, RADIO.frequency)
        + rng.normal(size=count) * RADIO.strength,
        "signature": np.zeros(count),
        "freshness": np.zeros(count),
        "no_return": np.full(count, math.nan),
        "verified": np.full(count, verified),
    }
    return Looks(**fields | changes)
