"""Scenes of benchmarks/spoofing.py: bodies with honest transponders, seen by a radar and received by a radio."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qiki_vehicle import Vehicle
from qiki_xpdr.channels import Looks, free_space_loss
from qiki_xpdr.geometry import AT_ORIGIN, LIGHT, Lines, spherical

VEHICLE = Vehicle.from_file(Path(__file__).resolve().parent.parent / "launch/config/vehicles/dodecahedron.yaml")
RADAR, RADIO, SPOOFING = VEHICLE.radar, VEHICLE.radio, VEHICLE.spoofing
STEP, LENGTH, ONSET = 0.1, 60.0, 20.0
SIGMAS = np.array((RADAR.range, RADAR.angle, RADAR.angle, RADAR.radial_velocity))
TRUTH = ("place", "speed", "turn")
"""Of the world, for changes; `turn`: (count, 3) direction of an offset."""
World = dict[str, Any]
Change = Callable[[World, float, np.random.Generator], None]


def scene(rng: np.random.Generator, count: int, **options: Any) -> World:
    """Bodies of all trials.

    Options: `ranges` m, `speed` m/s, `acceleration` m/s^2 per sqrt(Hz), `onset` s: trial n passes trial -n-1 then,
    `push` m/s^2: a manoeuvre that turns about every second, `hull`: returns from one point of it (`fixed`) or from
    any (`wandering`).
    """
    bearing, elevation = rng.uniform(0.0, 2.0 * np.pi, count), rng.uniform(-0.8, 0.8, count)
    low, high = options.get("ranges", (150.0, 1500.0))
    distance = rng.uniform(low, high, count)
    flat = np.cos(elevation)
    place = distance[:, None] * np.stack((flat * np.sin(bearing), flat * np.cos(bearing), np.sin(elevation)), axis=1)
    speed = rng.normal(0.0, options.get("speed", 1.5), (count, 3))
    if "onset" in options:
        half = count // 2
        apart = rng.normal(0.0, 1.5, (half, 3))
        place[-half:] = (place[:half] + rng.normal(0.0, 3.0, (half, 3)) - options["onset"] * apart)[::-1]
        speed[-half:] = (speed[:half] + apart)[::-1]
    return {
        "place": place,
        "speed": speed,
        "acceleration": options.get("acceleration", 0.05),
        "push": options.get("push", 0.0),
        "hull": options.get("hull", ""),
        "point": on_hull(rng, count),
        "turn": directions(rng, count),
        "step": 0,
    }


def on_hull(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) m, points of the hull from its centre."""
    return RADAR.extent * directions(rng, count)


def directions(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) unit vectors."""
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def look(world: World, rng: np.random.Generator, now: float, change: Change | None) -> Looks:
    """The look of this instant at all trials."""
    place, speed = world["place"], world["speed"]
    count = len(place)
    distance = np.linalg.norm(place, axis=1)
    points = {"": 0.0, "fixed": world["point"], "wandering": on_hull(rng, count) if world["hull"] else 0.0}
    returned = place + points[world["hull"]]
    measured = np.column_stack((*spherical(returned), np.einsum("ij,ij->i", place, speed) / distance))
    measured += rng.normal(size=(count, 4)) * SIGMAS
    measured[:, 1] %= 2.0 * np.pi
    measured[rng.random(count) > RADAR.detection] = np.nan
    sight, east, up = axes(place)
    noise = rng.normal(size=(count, 2)) * RADIO.direction
    arrival = np.column_stack(spherical(sight + noise[:, :1] * east + noise[:, 1:] * up)[1:])
    sent = {
        "measured": measured,
        "position": place + rng.normal(size=(count, 3)) * SPOOFING.claim_position,
        "velocity": speed + rng.normal(size=(count, 3)) * SPOOFING.claim_velocity,
        "time": np.full(count, now),
        "arrival": arrival,
        "round_trip": 2.0 * distance / LIGHT + rng.normal(size=count) * RADIO.round_trip,
        "strength": VEHICLE.transponder.eirp
        - free_space_loss(distance, RADIO.frequency)
        + rng.normal(size=count) * RADIO.strength,
        "signature": np.zeros(count),
        "freshness": np.zeros(count),
        "no_return": np.full(count, np.nan),
        "verified": np.ones(count, dtype=bool),
        "silent": np.zeros(count, dtype=bool),
    }
    sent |= {name: world[name] for name in ("track", "identity")}
    if change is not None:
        for name in TRUTH:
            sent[name] = world[name]
        change(sent, now, rng)
        for name in TRUTH:
            sent.pop(name)
    talking = ~sent.pop("silent")
    sent["identity"] = [name for name, talks in zip(sent["identity"], talking, strict=True) if talks]
    picked = {name: value[talking] for name, value in sent.items() if name != "identity"}
    return Looks(identity=sent["identity"], **picked)


def axes(place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors along the lines of sight, of rising bearing, and of rising elevation."""
    lines = Lines.to(place, np.zeros_like(place), AT_ORIGIN)
    return lines.sight, lines.east, lines.up


def fly(world: World, rng: np.random.Generator) -> None:
    """Move all bodies one look on, by at most the acceleration that a body is believed."""
    kick = rng.normal(size=world["place"].shape) * world["acceleration"] * math.sqrt(STEP)
    kick /= np.maximum(np.linalg.norm(kick, axis=1) / (SPOOFING.acceleration * STEP), 1.0)[:, None]
    world["step"] += 1
    kick[:, 0] += world["push"] * STEP * (1.0 if world["step"] // 10 % 2 else -1.0)
    world["place"] = world["place"] + STEP * world["speed"] + 0.5 * STEP * kick
    world["speed"] = world["speed"] + kick


def begun(change: Change, onset: np.ndarray) -> Change:
    """A change from each trial's onset on."""

    def apply(sent: World, now: float, rng: np.random.Generator) -> None:
        before = {name: np.copy(value) for name, value in sent.items() if isinstance(value, np.ndarray)}
        sent["since"] = now - onset
        change(sent, now, rng)
        since = sent.pop("since")
        for name, value in before.items():
            old = since < 0.0
            sent[name] = np.where(old.reshape((-1,) + (1,) * (value.ndim - 1)), value, sent[name])

    return apply
