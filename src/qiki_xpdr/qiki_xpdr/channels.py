"""Looks at pairs of a track and a claimed id, and their residuals: claim against that look's raw measurement."""

import math
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qiki_vehicle import Vehicle
from qiki_xpdr.filter import LEAST_FLAT
from qiki_xpdr.geometry import LIGHT, Floats, Lines, Own, unit

OFFSETS: Final = {"position": 3, "jump": 3, "doppler": 1, "round_trip": 1, "direction": 2, "strength": 1}
"""Channels whose residuals shift, with their dimensions."""
FAULTS: Final = ("signature", "freshness", "uniqueness", "kinematics", "identity", "no_return", "witness")
"""Channels that show faults."""
_FAR: Final = 1e3
"""Residual of what lies behind."""


@dataclass(frozen=True)
class Looks:
    """One look at each of K pairs; NaN: not known.

    Attributes:
        track: (K,) number; -1: a claim of no track. identity: (K,) claimed id.
        measured: (K, 4) raw detection of this look: range m, bearing rad, elevation rad, radial velocity m/s.
        time: (K,) s, of the claim. position, velocity: (K, 3) m, m/s, world, as claimed for that time.
        arrival: (K, 2) rad, bearing and elevation of the radio signal. round_trip: (K,) s. strength: (K,) dBm.
        signature: (K,) forged receptions known since the last look; 0: some verified, none forged.
        freshness: (K,) receptions too old or too early since the last look.
        no_return: (K,) 1: nothing is measured where the claim says, 0: something is.
        verified: (K,) the id is proven at this source.
        witness: (K,) 1: a second witness contradicts the claim, 0: one confirms it. Default: there is none.
    """

    track: NDArray[np.int64]
    identity: list[str]
    measured: Floats
    time: Floats
    position: Floats
    velocity: Floats
    arrival: Floats
    round_trip: Floats
    strength: Floats
    signature: Floats
    freshness: Floats
    no_return: Floats
    verified: NDArray[np.bool_]
    witness: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not len(self.witness):
            object.__setattr__(self, "witness", np.full(len(self.track), np.nan))
        sizes = {one.name: len(getattr(self, one.name)) for one in fields(self)}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"looks of sizes {sizes}; allowed: one size")

    def __len__(self) -> int:
        return len(self.track)

    def pick(self, rows: NDArray[np.intp]) -> "Looks":
        """Some of the looks."""
        chosen = {one.name: getattr(self, one.name)[rows] for one in fields(self) if one.name != "identity"}
        return Looks(identity=[self.identity[row] for row in rows], **chosen)


def free_space_loss(distance: Floats, frequency: float) -> Floats:
    """dB."""
    return 20.0 * np.log10(4.0 * np.pi * np.maximum(distance, 1.0) * frequency / LIGHT)


@dataclass(frozen=True)
class Residuals:
    """Whitened residuals of K looks, by channel of `OFFSETS`: standard normal for a truthful claim of a point.

    Attributes:
        shifts: (K, dimensions).
        margins: (K, dimensions) semi-axes of the ellipsoid of shifts by points of the hull other than its centre.
        excuse: (K, 3) shift of the position's residual by a clock that is `skew` late.
    """

    shifts: dict[str, Floats]
    margins: dict[str, Floats]
    excuse: Floats


def residuals(looks: Looks, own: Own, now: float, vehicle: Vehicle) -> Residuals:
    """Claims and signals against the raw returns of the same looks; all channels of `OFFSETS` but `jump`.

    A claim is carried on to `now` by its own velocity. Nothing of a track's state is used: its errors are correlated.
    """
    radar, radio, spoofing = vehicle.radar, vehicle.radio, vehicle.spoofing
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        later = looks.position + (now - looks.time)[:, None] * looks.velocity
        claimed = Lines.to(later, looks.velocity, own)
        distance, bearing, elevation, rate = looks.measured.T
        sight = unit(bearing, elevation) @ own.axes.T
        flat = np.maximum(np.cos(elevation), LEAST_FLAT)
        width = spoofing.claim_position / claimed.range
        sigmas = np.stack(
            (
                np.full(len(flat), np.hypot(radar.range, spoofing.claim_position)),
                np.hypot(radar.angle * flat, width),
                np.hypot(radar.angle, width),
            ),
            axis=1,
        )
        arcs = (np.einsum("ij,ij->i", sight, axis) for axis in (claimed.east, claimed.up))
        position = np.stack((distance - claimed.range, *arcs), axis=1) / sigmas
        # A claim behind the radar must not look like one before it.
        behind = np.einsum("ij,ij->i", sight, claimed.sight) < 0.0
        position[behind, 1:] = _FAR
        slip = np.linalg.norm(claimed.slip, axis=1) * np.hypot(width, radar.extent / claimed.range)
        doppler = (rate - claimed.rate) / np.sqrt(radar.radial_velocity**2 + spoofing.claim_velocity**2 + slip**2)
        late = np.hypot(0.5 * LIGHT * radio.round_trip, radar.range)
        trip = (0.5 * LIGHT * looks.round_trip - distance) / late
        seen = Lines.to(own.position + sight * distance[:, None], np.zeros_like(sight), own)
        signal = unit(looks.arrival[:, 0], looks.arrival[:, 1]) @ own.axes.T
        spread = np.stack(
            (np.hypot(radio.direction, radar.angle * flat), np.full(len(flat), np.hypot(radio.direction, radar.angle))),
            axis=1,
        )
        direction = np.stack([np.einsum("ij,ij->i", signal, axis) for axis in (seen.east, seen.up)], axis=1) / spread
        direction[np.einsum("ij,ij->i", signal, sight) < 0.0] = _FAR
        expected = vehicle.transponder.eirp - free_space_loss(distance, radio.frequency)
        loud = np.hypot(radio.strength, 20.0 / math.log(10.0) * radar.range / distance)
        strength = (looks.strength - expected) / loud
        moved = looks.velocity * spoofing.skew
        late_clock = np.stack([np.einsum("ij,ij->i", moved, axis) for axis in claimed.axes], axis=1)
        late_clock[:, 1:] /= claimed.range[:, None]
        # A margin holds for a sum of looks: the nearest range that the noise allows.
        reach = np.maximum(claimed.range - 3.0 * spoofing.claim_position, radar.extent)
        # Seen from nearby, angles and range bend the ball outwards, by a fifth to a third of extent / range.
        radius = radar.extent * (1.0 + radar.extent / (3.0 * reach))[:, None]
        hull = radius / np.stack((np.ones(len(flat)), reach, reach), axis=1)
        near = np.maximum(distance - 3.0 * radar.range, radar.extent)
        louder = free_space_loss(near + radar.extent, radio.frequency) - free_space_loss(near, radio.frequency)
    margins = {
        "position": hull / sigmas,
        "round_trip": np.full((len(flat), 1), radar.extent / late),
        "direction": radar.extent / near[:, None] / spread,
        "strength": (louder / loud)[:, None],
    }
    single = {"doppler": doppler, "round_trip": trip, "strength": strength}
    shifts = {"position": position, "direction": direction} | {name: one[:, None] for name, one in single.items()}
    return Residuals(shifts, margins, late_clock / sigmas)
