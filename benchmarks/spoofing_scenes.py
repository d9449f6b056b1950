"""Scenes of benchmarks/spoofing.py: bodies with honest transponders, and the changes that make attacks of them."""

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
World = dict[str, Any]
Change = Callable[[World, float, np.random.Generator], None]


def scene(rng: np.random.Generator, count: int, **options: Any) -> World:
    """Bodies of all trials. Options: `ranges` m, `speed` m/s, `acceleration` m/s^2 per sqrt(Hz)."""
    bearing, elevation = rng.uniform(0.0, 2.0 * np.pi, count), rng.uniform(-0.8, 0.8, count)
    low, high = options.get("ranges", (150.0, 1500.0))
    distance = rng.uniform(low, high, count)
    flat = np.cos(elevation)
    place = distance[:, None] * np.stack((flat * np.sin(bearing), flat * np.cos(bearing), np.sin(elevation)), axis=1)
    return {
        "place": place,
        "speed": rng.normal(0.0, options.get("speed", 1.5), (count, 3)),
        "acceleration": options.get("acceleration", 0.05),
    }


def look(world: World, rng: np.random.Generator, now: float, change: Change | None) -> Looks:
    """The look of this instant at all trials."""
    place, speed = world["place"], world["speed"]
    count = len(place)
    distance, bearing, elevation = spherical(place)
    rate = np.einsum("ij,ij->i", place, speed) / distance
    measured = np.column_stack((distance, bearing, elevation, rate)) + rng.normal(size=(count, 4)) * SIGMAS
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
        for name in ("place", "speed"):
            sent[name] = world[name]
        change(sent, now, rng)
        for name in ("place", "speed"):
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
    """Move all bodies one look on."""
    kick = rng.normal(size=world["place"].shape) * world["acceleration"] * math.sqrt(STEP)
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


def offset(sigmas: float) -> Change:
    """A step of the claimed position by so many deviations of one look, in a random direction."""

    def change(sent: World, now: float, rng: np.random.Generator) -> None:
        place = sent["place"]
        distance, _, elevation = spherical(place)
        flat = np.cos(elevation)
        sight, east, up = axes(place)
        turn = np.random.default_rng(7).normal(size=place.shape)
        turn *= sigmas / np.linalg.norm(turn, axis=1)[:, None]
        claim = SPOOFING.claim_position
        along = np.hypot(RADAR.range, claim)
        across = np.hypot(RADAR.angle * np.maximum(flat, 0.05) * distance, claim)
        above = np.hypot(RADAR.angle * distance, claim)
        sent["position"] += (turn[:, :1] * along) * sight
        sent["position"] += turn[:, 1:2] * across[:, None] * east + turn[:, 2:] * above[:, None] * up
        del now, rng

    return change


def ramp(sent: World, now: float, rng: np.random.Generator) -> None:
    """0.05 m/s away, with the velocity that fits."""
    del now, rng
    sight = sent["place"] / np.linalg.norm(sent["place"], axis=1)[:, None]
    sent["position"] += 0.05 * np.maximum(sent["since"], 0.0)[:, None] * sight
    sent["velocity"] += 0.05 * sight


def clone(sent: World, now: float, rng: np.random.Generator) -> None:
    """Another transmitter takes the id over, with claims of where the friend was going, and cannot sign."""
    del rng
    sent["verified"][:] = sent["since"] < 1.0
    sent["signature"] = np.where(np.abs((now * 10.0) % 10.0) < 0.5, 10.0, np.nan)


def wrong_key(sent: World, now: float, rng: np.random.Generator) -> None:
    """One manifest a second with a key that is unknown, expired or of the future."""
    del rng
    sent["verified"][:] = False
    sent["signature"] = np.where(np.abs((now * 10.0) % 10.0) < 0.5, 1.0, np.nan)


def replay(sent: World, now: float, rng: np.random.Generator) -> None:
    """Old messages, too late."""
    del now, rng
    sent["verified"][:] = False
    sent["freshness"][:] = 1.0
    for name in ("position", "velocity"):
        sent[name][:] = np.nan


def relay(sent: World, now: float, rng: np.random.Generator) -> None:
    """A relay: each round trip 100 ns late."""
    del now, rng
    sent["round_trip"] += 100e-9


def strength(sent: World, now: float, rng: np.random.Generator) -> None:
    """8 dB too strong."""
    del now, rng
    sent["strength"] += 8.0


def doppler(sent: World, now: float, rng: np.random.Generator) -> None:
    """A velocity 0.5 m/s off along the line of sight."""
    del now, rng
    sent["velocity"] += 0.5 * sent["place"] / np.linalg.norm(sent["place"], axis=1)[:, None]


def kinematics(sent: World, now: float, rng: np.random.Generator) -> None:
    """Claims that jump by 20 m at each look."""
    del now
    sent["position"] += rng.normal(size=sent["position"].shape) * 20.0


def ghost(sent: World, now: float, rng: np.random.Generator) -> None:
    """A claim where nothing is."""
    del now
    sent["measured"][:] = np.nan
    sent["no_return"] = (rng.random(len(sent["no_return"])) > 0.01).astype(float)
    sent["verified"][:] = False


def swap(sent: World, now: float, rng: np.random.Generator) -> None:
    """Ids of two bodies change places."""
    del now, rng
    for name in ("position", "velocity"):
        sent[name][:] = sent[name][::-1].copy()


def emcon(sent: World, now: float, rng: np.random.Generator) -> None:
    """Silence of 15 s."""
    del now, rng
    sent["silent"] = (sent["since"] > 0.0) & (sent["since"] < 15.0)


def dropout(sent: World, now: float, rng: np.random.Generator) -> None:
    """No radar for 3 s, then four of ten claims lost."""
    del now
    sent["measured"][sent["since"] < 3.0] = np.nan
    sent["silent"] = rng.random(len(sent["silent"])) < 0.4


def skew(sent: World, now: float, rng: np.random.Generator) -> None:
    """A clock 0.02 s late."""
    del now, rng
    sent["position"] -= 0.02 * sent["speed"]


ATTACKS: dict[str, tuple[Change, bool]] = {
    "offset 0.5 sigma": (offset(0.5), False),
    "offset 1 sigma": (offset(1.0), False),
    "offset 2 sigma": (offset(2.0), True),
    "offset 3 sigma": (offset(3.0), True),
    "offset 5 sigma": (offset(5.0), True),
    "offset 10 sigma": (offset(10.0), True),
    "ramp 0.05 m/s": (ramp, False),
    "clone without the key": (clone, True),
    "wrong key": (wrong_key, True),
    "replay": (replay, True),
    "relay, 100 ns": (relay, True),
    "8 dB too strong": (strength, True),
    "velocity 0.5 m/s off": (doppler, True),
    "impossible kinematics": (kinematics, True),
    "ghost": (ghost, True),
    "ids swapped": (swap, True),
}
"""Scenario → change, and gross or not."""
BENIGN: dict[str, tuple[Change | None, dict[str, Any]]] = {
    "straight": (None, {}),
    "manoeuvring": (None, {"acceleration": 0.5}),
    "silence": (emcon, {}),
    "dropout": (dropout, {}),
    "clock skew": (skew, {}),
    "close": (None, {"ranges": (5.0, 60.0), "speed": 0.05, "acceleration": 0.005}),
}
