"""Radar returns where a claim says."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import chdtri

from qiki_vehicle import Vehicle
from qiki_vehicle.keys import seconds
from qiki_xpdr.frames import Claim
from qiki_xpdr.geometry import Floats, Lines, Own, unit


@dataclass(frozen=True)
class View:
    """A radar frame from the own place.

    Attributes:
        time: s. returns: (M, 4) range m and direction in world; None: the radar gave no frame.
        position, turn: m, rad, deviations of the own position and attitude per axis.
    """

    time: float
    own: Own
    returns: Floats | None
    position: float = 0.0
    turn: float = 0.0

    @classmethod
    def of(cls, time: float, own: Own, detections: Floats | None) -> Self:
        """The view of detections (M, 5)."""
        if detections is None:
            return cls(time, own, None)
        sight = unit(detections[:, 1], detections[:, 2]) @ own.axes.T
        return cls(time, own, np.column_stack((detections[:, 0], sight)))


def empty(view: View, claim: Claim, vehicle: Vehicle) -> float:
    """1: no return where a claim says, 0: one, NaN: no frame, or out of the radar's reach."""
    returns = view.returns
    if returns is None:
        return math.nan
    radar = vehicle.radar
    spread = math.hypot(vehicle.spoofing.claim_position, view.position, radar.extent / math.sqrt(3.0))
    velocity = np.array(claim.velocity)
    place = np.array(claim.position) + (view.time - seconds(claim.time)) * velocity
    lines = Lines.to(place[None], velocity[None], view.own)
    distance = float(lines.range[0])
    if distance > radar.range_max:
        return math.nan
    along = np.abs(returns[:, 0] - distance)
    angle = np.arccos(np.clip(returns[:, 1:] @ lines.sight[0], -1.0, 1.0))
    widths = math.hypot(radar.range, spread), math.hypot(radar.angle, view.turn, spread / distance)
    near = (along / widths[0]) ** 2 + (angle / widths[1]) ** 2 <= chdtri(3, 1.0 - vehicle.tracking.gate)
    # Bodies nearer to each other than the radar's resolution give one return.
    merged = (along <= radar.range_resolution) & (angle <= radar.angle_resolution)
    return float(not (near | merged).any())
