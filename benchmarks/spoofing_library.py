"""Scenario library of benchmarks/spoofing.py: changes of honest looks, each with its expected verdict."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from spoofing_scenes import ONSET, RADAR, SPOOFING, STEP, Change, World, axes

from qiki_xpdr.geometry import spherical

MANIFESTS = round(1.0 / STEP)
"""Looks from one manifest to the next."""


@dataclass(frozen=True)
class Scenario:
    """A change of honest looks.

    Attributes:
        gross: an offset of at least 1.5 deviations, or a broken signature, identity or kinematics.
        begins: s after the onset at which the attack begins. onset: s; 0: from the first claim on.
        drift: m/s, of a ramp. options: of the scene.
    """

    change: Change | None
    gross: bool = False
    begins: float = 0.0
    onset: float = ONSET
    drift: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)


def offset(sigmas: float) -> Change:
    """A step of the claimed position by so many deviations of one look, in a random direction."""

    def change(sent: World, now: float, rng: np.random.Generator) -> None:
        place = sent["place"]
        distance, _, elevation = spherical(place)
        flat = np.cos(elevation)
        sight, east, up = axes(place)
        turn = sigmas * sent["turn"]
        claim = SPOOFING.claim_position
        along = np.hypot(RADAR.range, claim)
        across = np.hypot(RADAR.angle * np.maximum(flat, 0.05) * distance, claim)
        above = np.hypot(RADAR.angle * distance, claim)
        sent["position"] += (turn[:, :1] * along) * sight
        sent["position"] += turn[:, 1:2] * across[:, None] * east + turn[:, 2:] * above[:, None] * up
        del now, rng

    return change


def ramp(drift: float) -> Scenario:
    """Away along the line of sight at so many m/s, with the velocity that fits."""

    def change(sent: World, now: float, rng: np.random.Generator) -> None:
        del now, rng
        sight = sent["place"] / np.linalg.norm(sent["place"], axis=1)[:, None]
        sent["position"] += drift * np.maximum(sent["since"], 0.0)[:, None] * sight
        sent["velocity"] += drift * sight

    return Scenario(change, drift=drift)


def manifest(now: float) -> bool:
    """A manifest comes in this look."""
    return round(now / STEP) % MANIFESTS == 0


def clone(sent: World, now: float, rng: np.random.Generator) -> None:
    """Another transmitter takes the id over, with claims of where the friend was going, and cannot sign."""
    del rng
    sent["verified"][:] = sent["since"] < 1.0
    sent["signature"] = np.where(manifest(now), 10.0, np.nan)


def wrong_key(sent: World, now: float, rng: np.random.Generator) -> None:
    """One manifest a second with a key that is unknown, expired or not valid yet."""
    del rng
    sent["verified"][:] = False
    sent["signature"] = np.where(manifest(now), 1.0, np.nan)


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


def exchanged(sent: World, now: float, rng: np.random.Generator) -> None:
    """Two bodies that pass each other take each other's id, each with its own true place."""
    del now, rng
    new = [name if since < 0.0 else other for name, other, since in passing(sent)]
    sent["identity"] = new
    sent["verified"][:] = False


def passing(sent: World) -> list[tuple[str, str, float]]:
    """Of each trial its id, that of the body it passes, and the time since the onset."""
    return list(zip(sent["identity"], sent["identity"][::-1], sent["since"], strict=True))


def jam(sent: World, now: float, rng: np.random.Generator) -> None:
    """Neither radar nor radio for 3 s; then another transmitter, 6 dB louder, claims a place 3 deviations off."""
    jammed = sent["since"] < 3.0
    sent["silent"] = (sent["since"] >= 0.0) & jammed
    offset(3.0)(sent, now, rng)
    sent["strength"] += 6.0
    sent["verified"][:] = False


def docking_offset(sent: World, now: float, rng: np.random.Generator) -> None:
    """Claims of a place 4 m off, beside the dock."""
    del now, rng
    sent["position"] += (0.0, 2.4, 3.2)


def chatter(sent: World, now: float, rng: np.random.Generator) -> None:
    """The mode changes between ON and SILENT every 0.7 s."""
    del now, rng
    sent["silent"] = (sent["since"] > 0.0) & (sent["since"] % 1.4 < 0.7)


def crossing(sent: World, now: float, rng: np.random.Generator) -> None:
    """While two bodies pass each other no reply can be put to one of them."""
    del now, rng
    sent["silent"] = np.abs(sent["since"]) < 1.0


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


DOCK: dict[str, Any] = {"ranges": (4.0, 12.0), "speed": 0.02, "acceleration": 0.002}
ATTACKS: dict[str, Scenario] = {
    **{f"offset {n:g} sigma": Scenario(offset(n), n >= 1.5) for n in (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)},
    **{f"lasting {n:g} sigma": Scenario(offset(n), onset=0.0) for n in (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)},
    **{f"ramp of {drift:g} m/s": ramp(drift) for drift in (0.05, 0.2, 1.0)},
    "clone without the key": Scenario(clone, True),
    "wrong key": Scenario(wrong_key, True),
    "replay": Scenario(replay, True),
    "relay, 100 ns": Scenario(relay, True),
    "8 dB too strong": Scenario(strength, True),
    "velocity 0.5 m/s off": Scenario(doppler, True),
    "impossible kinematics": Scenario(kinematics, True),
    "ghost": Scenario(ghost, True),
    "ids swapped": Scenario(swap, True),
    "ids swapped at a crossing": Scenario(exchanged, True, options={"onset": ONSET}),
    "jam, then spoof": Scenario(jam, True, begins=3.0),
    "4 m off at the dock": Scenario(docking_offset, True, options=DOCK | {"hull": "fixed"}),
}
"""SPOOF is expected."""
BENIGN: dict[str, Scenario] = {
    "straight": Scenario(None),
    "manoeuvring": Scenario(None, options={"acceleration": 0.5}),
    "at full acceleration": Scenario(None, options={"push": SPOOFING.acceleration}),
    "silence": Scenario(emcon),
    "dropout": Scenario(dropout),
    "mode chatter": Scenario(chatter),
    "crossing": Scenario(crossing, options={"onset": ONSET}),
    "clock skew": Scenario(skew),
    "close": Scenario(None, options={"ranges": (5.0, 60.0), "speed": 0.05, "acceleration": 0.005}),
    "docking, fixed point": Scenario(None, options=DOCK | {"hull": "fixed"}),
    "docking, any point": Scenario(None, options=DOCK | {"hull": "wandering"}),
    "hull, any range": Scenario(None, options={"hull": "fixed"}),
}
"""No SPOOF is expected, ever."""
