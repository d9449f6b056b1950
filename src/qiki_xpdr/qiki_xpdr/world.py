"""World model: one picture of own state, tracks and known bodies, carried on to a time."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qiki_vehicle import Vehicle
from qiki_xpdr import filter as kalman
from qiki_xpdr.bodies import Body
from qiki_xpdr.contacts import contacts_of
from qiki_xpdr.geometry import Floats, Own, spherical
from qiki_xpdr.guard import Alert
from qiki_xpdr.modes import Status
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.report import TrackReport, reports, track_id
from qiki_xpdr.watch import Frame

_UNRELATED: dict[str, Any] = dict.fromkeys(
    ("range", "bearing", "elevation", "radial_velocity", "cpa", "cpa_time"), math.nan
)


@dataclass(frozen=True)
class Outlook:
    """A track in the world model; NaN: unknown.

    Attributes:
        cpa_sigma, cpa_time_sigma: m, s, standard deviations of its closest point of approach.
        partner: docked body that it is; empty: none.
    """

    track: TrackReport
    cpa_sigma: float
    cpa_time_sigma: float
    partner: str


@dataclass(frozen=True)
class World:
    """One picture for agent and operator.

    Attributes:
        time: s. own: None: unknown. radar_age: s since the newest radar frame; NaN: none yet.
        alert_ages: s since the last return of each alert's track.
    """

    time: float
    body: str
    own: Own | None
    radar_age: float
    tracks: tuple[Outlook, ...]
    bodies: tuple[Body, ...]
    alerts: tuple[Alert, ...]
    alert_ages: tuple[float, ...]


def carried(frame: Frame, own: Own, now: float, vehicle: Vehicle) -> Frame:
    """The tracks of a frame later, seen from the own place then: they grow uncertain and old, are LOST, and end."""
    picture, tracking = frame.picture, vehicle.tracking
    ahead = max(now - picture.time, 0.0) if math.isfinite(picture.time) else 0.0
    state, covariance = kalman.predict(picture.state, picture.covariance, ahead, tracking.acceleration)
    offset = (state[:, :3] - own.position) @ own.axes
    distance, bearing, elevation = spherical(offset)
    relative = (state[:, 3:] - own.velocity) @ own.axes
    silent = picture.silent + ahead
    lost = (silent >= tracking.stale) & (picture.status != Status.NEW)
    later = replace(
        picture,
        time=now,
        status=np.where(lost, np.int8(Status.LOST), picture.status).astype(np.int8),
        state=state,
        covariance=covariance,
        range=distance,
        bearing=bearing,
        elevation=elevation,
        radial_velocity=np.einsum("ij,ij->i", relative, offset) / np.maximum(distance, 1e-6),
        quality=picture.quality * math.exp(-ahead / tracking.stale),
        age=picture.age + ahead,
        silent=silent,
    )
    kept = silent < tracking.dead
    if not kept.all():
        rows: dict[str, Any] = {name: one[kept] for name, one in vars(later).items() if isinstance(one, np.ndarray)}
        later = replace(later, **rows)
    docked = {contact.track: contact.docked for contact in frame.contacts if contact.docked}
    return replace(frame, picture=later, contacts=contacts_of(later, frame.identified, own, docked))


def approach_errors(position: Floats, velocity: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Standard deviations (N,) of the distance, m, and of the time, s, of the closest point of approach.

    First order in the errors of the motion; where the distance is within its own error, in which no direction of the
    miss is known, the largest error across the course. NaN without relative motion.

    Args:
        position, velocity: (N, 3) m, m/s, relative. covariance: (N, 6, 6) of both.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = np.einsum("ni,ni->n", velocity, velocity)
        squared = np.where(squared > 1e-12, squared, np.nan)
        time = -np.einsum("ni,ni->n", position, velocity) / squared
        miss = position + time[:, None] * velocity
        slope = np.concatenate((-velocity, -(position + 2.0 * time[:, None] * velocity)), axis=1) / squared[:, None]
        time_sigma = np.sqrt(np.einsum("ni,nij,nj->n", slope, covariance, slope))
        eye = np.eye(3)
        moved = np.concatenate((np.broadcast_to(eye, (len(time), 3, 3)), time[:, None, None] * eye), axis=2)
        flat = eye - velocity[:, :, None] * velocity[:, None, :] / squared[:, None, None]
        across = flat @ moved @ covariance @ np.swapaxes(moved, 1, 2) @ flat
        known = np.isfinite(across).all(axis=(1, 2))
        largest = np.full(len(time), np.nan)
        largest[known] = np.sqrt(np.linalg.eigvalsh(across[known])[:, -1])
        distance = np.linalg.norm(miss, axis=1)
        along = miss / distance[:, None]
        sigma = np.sqrt(np.einsum("ni,nij,nj->n", along, across, along))
    return np.where(distance > 3.0 * largest, sigma, largest), time_sigma


def outlooks(frame: Frame, motion: OwnMotion, now: float, vehicle: Vehicle, bot: str) -> tuple[Outlook, ...]:
    """The tracks of a frame at a time, s. While the own motion is unknown then, so is all that is relative to it."""
    own = motion.at(now)
    place = own or motion.at(now, math.inf)
    if place is None:
        return ()
    later = carried(frame, place, now, vehicle)
    relative = later.picture.state - np.concatenate((place.position, place.velocity))
    sigmas = np.column_stack(approach_errors(relative[:, :3], relative[:, 3:], later.picture.covariance))
    made = []
    for track, contact, sigma in zip(reports(later, bot), later.contacts, sigmas.tolist(), strict=True):
        shown, (miss, time) = track, sigma
        if own is None:
            shown = replace(track, **_UNRELATED)
        if math.isnan(shown.cpa):
            miss = time = math.nan
        made.append(Outlook(shown, miss, time, contact.docked))
    return tuple(made)


def world(
    frame: Frame | None,
    motion: OwnMotion,
    now: float,
    vehicle: Vehicle,
    *,
    body: str,
    radar_age: float,
    bodies: tuple[Body, ...] = (),
    alerts: tuple[Alert, ...] = (),
) -> World:
    """The world model at a time. frame: the newest; None: none yet."""
    tracks = () if frame is None else outlooks(frame, motion, now, vehicle, body)
    silent = {one.track.id: one.track.silent for one in tracks}
    ages = tuple(silent.get(track_id(body, alert.track), math.nan) for alert in alerts)
    return World(now, body, motion.at(now), radar_age, tracks, bodies, alerts, ages)
