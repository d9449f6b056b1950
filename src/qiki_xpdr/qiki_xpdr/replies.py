"""Replies of transponders to tracks, by direction of arrival and round trip: by likelihood, never by their content."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from qiki_vehicle import Vehicle
from qiki_xpdr.assignment import NONE, Indices
from qiki_xpdr.geometry import LIGHT, Floats, Lines, Own, unit
from qiki_xpdr.modes import Band, Status
from qiki_xpdr.tracker import Picture


@dataclass(frozen=True)
class Assigned:
    """Track of each reply.

    Attributes:
        track: (K,) number; -1: of none, or not certain. share: (K,) posterior probability of the likeliest track.
        ambiguous: (K,) more than one track is likely.
    """

    track: Indices
    share: Floats
    ambiguous: NDArray[np.bool_]


def assign_replies(picture: Picture, arrivals: Floats, own: Own, vehicle: Vehicle) -> Assigned:
    """Posterior probability of each track in SR, and of a transmitter that is no track, for replies of one frame.

    All are equally likely before; a transmitter without a track is anywhere around, up to `short_range`.

    Args:
        arrivals: (K, 3): bearing rad, elevation rad, round trip s (NaN: unknown). Without a finite direction: no track.
        own: at the time of `picture`.
    """
    count, radar, tracking = len(arrivals), vehicle.radar, vehicle.tracking
    rows = np.flatnonzero((picture.band == Band.SR) & (picture.status != Status.LOST) & (picture.status != Status.NEW))
    nobody = Assigned(np.full(count, NONE, dtype=np.intp), np.zeros(count), np.zeros(count, dtype=bool))
    known = np.flatnonzero(np.isfinite(arrivals[:, :2]).all(axis=1))
    if not len(rows) or not len(known):
        return nobody
    likelihoods, inside = _likelihoods(picture, rows, arrivals[known], own, vehicle)
    ranged = np.isfinite(arrivals[known, 2])
    anywhere = 1.0 / (4.0 * math.pi) * np.where(ranged, 1.0 / radar.short_range, 1.0)
    total = likelihoods.sum(axis=0) + anywhere
    best = likelihoods.argmax(axis=0)
    share = likelihoods[best, range(len(known))] / total
    sure = (share >= tracking.reply_share) & inside[best, range(len(known))]
    nobody.share[known] = share
    nobody.ambiguous[known] = ~sure & (likelihoods.sum(axis=0) / total >= tracking.reply_share)
    nobody.track[known] = np.where(sure, picture.number[rows[best]], NONE)
    return nobody


def _likelihoods(
    picture: Picture, rows: Indices, arrivals: Floats, own: Own, vehicle: Vehicle
) -> tuple[Floats, NDArray[np.bool_]]:
    """Densities (N, K), and which lie in the gate."""
    radio, tracking = vehicle.radio, vehicle.tracking
    state, covariance = picture.state[rows], picture.covariance[rows, :3, :3]
    lines = Lines.to(state[:, :3], state[:, 3:], own)
    axes = np.stack((lines.east, lines.up), axis=1) / lines.range[:, None, None]
    spread = axes @ covariance @ np.swapaxes(axes, 1, 2)
    hull = vehicle.radar.extent**2 / 3.0
    spread += (radio.direction**2 + hull / lines.range[:, None, None] ** 2) * np.eye(2)
    directions = unit(arrivals[:, 0], arrivals[:, 1]) @ own.axes.T
    arcs = np.stack((lines.east @ directions.T, lines.up @ directions.T), axis=2)
    inverse = np.linalg.inv(spread)
    distances = np.einsum("nki,nij,nkj->nk", arcs, inverse, arcs)
    density = np.exp(-0.5 * distances) / (2.0 * math.pi * np.sqrt(np.linalg.det(spread)))[:, None]
    density = np.where(lines.sight @ directions.T > 0.0, density, 0.0)
    ranged = np.isfinite(arrivals[:, 2])
    along = np.einsum("ni,nij,nj->n", lines.sight, covariance, lines.sight)
    variance = along + (0.5 * LIGHT * radio.round_trip) ** 2 + hull
    apart = np.where(ranged, 0.5 * LIGHT * arrivals[:, 2], 0.0) - lines.range[:, None]
    squared = np.where(ranged, apart**2 / variance[:, None], 0.0)
    density *= np.where(ranged, np.exp(-0.5 * squared) / np.sqrt(2.0 * math.pi * variance)[:, None], 1.0)
    gates = np.where(ranged, chdtri(3, 1.0 - tracking.reply_gate), chdtri(2, 1.0 - tracking.reply_gate))
    return density, distances + squared <= gates
