"""Tracks with their identities as guard rules see them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from qiki_vehicle import Vehicle
from qiki_xpdr.geometry import Floats, Own
from qiki_xpdr.guard import Contact, closest_approach
from qiki_xpdr.modes import Allegiance, Mode, ObjectType, SpoofState, Status
from qiki_xpdr.spoof import Evidence
from qiki_xpdr.standing import Standing
from qiki_xpdr.tracker import Picture


@dataclass(frozen=True)
class Identified:
    """Identity of a track, as far as there is one.

    Attributes:
        mode: as declared. evidence: of the verdict, the strongest first.
    """

    identity: str
    mode: Mode
    standing: Standing
    spoof: SpoofState
    evidence: tuple[Evidence, ...]


def contacts_of(
    picture: Picture, identified: Mapping[int, Identified], own: Own, docked: Mapping[int, str]
) -> tuple[Contact, ...]:
    """The tracks as rules see them. docked: body of each track that is one which is docked."""
    relative = picture.state - np.concatenate((own.position, own.velocity))
    distance, time = closest_approach(relative[:, :3], relative[:, 3:])
    made = []
    for row, number in enumerate(picture.number.tolist()):
        known = identified.get(number)
        made.append(
            Contact(
                track=number,
                status=Status(int(picture.status[row])),
                range=float(picture.range[row]),
                closing=-float(picture.radial_velocity[row]),
                quality=float(picture.quality[row]),
                iff=Allegiance.UNKNOWN if known is None else known.standing.result,
                mode=None if known is None else known.mode,
                spoof=SpoofState.UNKNOWN if known is None else known.spoof,
                identity="" if known is None else known.identity,
                cpa=float(distance[row]),
                cpa_time=float(time[row]),
                docked=docked.get(number, ""),
            )
        )
    return tuple(made)


def docked_tracks(picture: Picture, docked: Mapping[str, Floats], vehicle: Vehicle) -> dict[int, str]:
    """Body of each track that is a docked one: the nearest confirmed, within its errors, size and half a resolution."""
    found: dict[int, str] = {}
    near = float(chdtri(3, 1.0 - vehicle.tracking.gate))
    size = 0.5 * vehicle.radar.range_resolution + vehicle.radar.extent
    spread = picture.covariance[:, :3, :3] + size**2 / near * np.eye(3)
    # A false return beside it begins a track, which must not take the place of the body's own.
    tentative = picture.status == Status.NEW
    for body, position in docked.items():
        apart = picture.state[:, :3] - position
        squared = np.einsum("ni,ni->n", apart, np.linalg.solve(spread, apart[:, :, None])[:, :, 0])
        squared[tentative] = np.inf
        if len(squared) and squared.min() <= near:
            found[int(picture.number[squared.argmin()])] = body
    return found


def object_types(picture: Picture, identified: Mapping[int, Identified], debris: float) -> dict[int, ObjectType]:
    """Kinds of the tracks of which evidence shows one.

    DRONE: a proven id, since keys are made for bots alone. DEBRIS: a confirmed track without a claim and with a radar
    cross section below `debris`, m², as no craft has. An unproven claim shows nothing, and a large body is anything.
    """
    confirmed = (picture.status == Status.TRACKED) | (picture.status == Status.COASTING)
    small = picture.number[confirmed & (picture.rcs < debris)].tolist()
    proven = {number for number, known in identified.items() if known.standing.result is Allegiance.FRIEND}
    return {number: ObjectType.DEBRIS for number in small if number not in identified} | dict.fromkeys(
        proven, ObjectType.DRONE
    )
