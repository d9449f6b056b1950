"""Spoofing: delay, probability of detection and false alarms of the evidence monitor, and of five public detectors.

    ./qiki env python benchmarks/spoofing.py [--quick] [--benign 5000] [--trials 1000]

A trial is one track for 60 s at 10 Hz, with a claim of its transponder in each look; an attack begins at 20 s and a
random part of a look later. The monitor is QIKI's own with its own thresholds; false alarms are counted on fresh benign
trials. The peers (own versions of published rules) get thresholds that 999 of 1 000 benign trials do not reach.
`found`: share within 2 s, with its Clopper-Pearson interval at 95 %; `Pfa 1e-3`: the same with a threshold set as those
of the peers. All trials of a scenario run at once, as rows of arrays.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import betaincinv
from scipy.stats import kstest

from qiki_vehicle import Vehicle
from qiki_xpdr.channels import Looks, free_space_loss, residuals
from qiki_xpdr.geometry import AT_ORIGIN, LIGHT, Lines, spherical
from qiki_xpdr.modes import SpoofState
from qiki_xpdr.spoof import SpoofMonitor

VEHICLE = Vehicle.from_file(Path(__file__).resolve().parent.parent / "launch/config/vehicles/dodecahedron.yaml")
RADAR, RADIO, SPOOFING = VEHICLE.radar, VEHICLE.radio, VEHICLE.spoofing
STEP, LENGTH, ONSET = 0.1, 60.0, 20.0
SIGMAS = np.array((RADAR.range, RADAR.angle, RADAR.angle, RADAR.radial_velocity))
World = dict[str, Any]
Change = Callable[[World, float, np.random.Generator], None]


def scene(rng: np.random.Generator, count: int, **options: Any) -> World:
    """Bodies of all trials; `acceleration` m/s^2 of a manoeuvre, `near` m."""
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


class Peers:
    """Scores of the public detectors, trial by trial."""

    names = ("declared mode", "track verification, 25", "strength", "angle and gain", "one look")

    def __init__(self, count: int) -> None:
        self.claims = np.zeros((25, count))
        self.number = 0

    def scores(self, looks: Looks, rows: np.ndarray, now: float, count: int) -> np.ndarray:
        """(5, count), NaN where nothing is seen."""
        found = np.full((5, count), np.nan)
        found[0] = 0.0  # no attacker declares SPOOF
        parts, _ = residuals(looks, AT_ORIGIN, now, VEHICLE)
        chi = np.einsum("ij,ij->i", parts["position"], parts["position"])
        row = np.full(count, np.nan)
        row[rows] = np.sqrt(chi)
        self.claims[self.number % 25] = np.nan_to_num(row, nan=1.6)
        self.number += 1
        found[1] = self.claims.mean(axis=0) if self.number >= 25 else np.nan
        found[2, rows] = np.abs(parts["strength"][:, 0])
        found[3, rows] = np.linalg.norm(np.column_stack((parts["direction"], parts["strength"])), axis=1)
        found[4] = row
        return found


def run(seed: int, count: int, change: Change | None, *, peers: bool = False, **options: Any) -> dict[str, Any]:
    """Times of the first SPOOF of each trial (NaN: none), last states, largest and first scores of the peers."""
    rng = np.random.default_rng(seed)
    world = scene(rng, count, **options)
    world |= {"track": np.arange(count), "identity": [f"ALLY-{n:06X}" for n in range(count)]}
    monitor, judges = SpoofMonitor(VEHICLE), Peers(count)
    first, onset = np.full(count, np.nan), ONSET + rng.uniform(0.0, STEP, count)
    highest, reached = np.zeros((5, count)), []
    top, soon = np.zeros(count), np.zeros(count)
    residual: list[np.ndarray] = []
    for number in range(round(LENGTH / STEP)):
        now = number * STEP
        world["onset"] = onset
        looks = look(world, rng, now, None if change is None else _begun(change, onset))
        monitor.observe(now, looks, AT_ORIGIN)
        spoofed = np.array([state is SpoofState.SPOOF for state in monitor.states.values()])
        rows = np.array([key[0] for key in monitor.states])
        hit = rows[spoofed]
        first[hit] = np.where(np.isnan(first[hit]), now, first[hit])
        score = np.zeros(count)
        score[rows] = monitor.score()
        top = np.maximum(top, score)
        soon = np.where((now >= onset) & (now <= onset + 2.0), np.maximum(soon, score), soon)
        if peers:
            scores = judges.scores(looks, looks.track, now, count)
            highest = np.fmax(highest, scores)
            reached.append(np.where(now < onset, np.nan, scores)[:, :] if now < ONSET + 2.2 else None)
        if change is None and number % 40 == 0:
            parts, _ = residuals(looks, AT_ORIGIN, now, VEHICLE)
            chi = np.einsum("ij,ij->i", parts["position"], parts["position"])
            residual.append(chi[np.isfinite(chi)])
        fly(world, rng)
    states = {key[0]: state for key, state in monitor.states.items()}
    return {
        "first": first,
        "onset": onset,
        "states": states,
        "highest": highest,
        "top": top,
        "soon": soon,
        "reached": [one for one in reached if one is not None],
        "chi": np.concatenate(residual) if residual else None,
    }


def _begun(change: Change, onset: np.ndarray) -> Change:
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


def interval(found: int, trials: int) -> tuple[float, float]:
    """Clopper-Pearson, 95 %."""
    low = 0.0 if found == 0 else float(betaincinv(found, trials - found + 1, 0.025))
    return low, 1.0 if found == trials else float(betaincinv(found + 1, trials - found, 0.975))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benign", type=int, default=5000)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="300 benign trials, 100 of each scenario")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.benign, arguments.trials = 300, 100
    begun = time.process_time()
    set_on = run(1, arguments.benign, None, peers=True)
    limits = np.quantile(set_on["highest"], 0.999, axis=1)
    limit = float(np.quantile(set_on["top"], 0.999))
    print(f"score that 1 of 1 000 benign trials reaches: {limit:.3f} of the threshold")
    print(f"p-values of the position's residual: KS {kstest(set_on['chi'], 'chi2', args=(3,)).pvalue:.3f}")
    for number, (name, (change, options)) in enumerate(BENIGN.items()):
        count = arguments.benign if number == 0 else arguments.trials
        fresh = run(100 + number, count, change, **options)
        last = [state.name for state in fresh["states"].values()]
        ends = ", ".join(f"{one} {last.count(one)}" for one in sorted(set(last)))
        print(
            f"benign, {name:14} {count:5} trials: {int(np.isfinite(fresh['first']).sum()):3} alarms; at the end {ends}"
        )
    head = f"{'scenario':24} {'found':>6} {'95 %':>15} {'Pfa 1e-3':>8} {'p50':>7} {'p95':>7} {'mean':>7}  "
    print(head + " | ".join(Peers.names))
    for number, (name, (change, gross)) in enumerate(ATTACKS.items()):
        made = run(200 + number, arguments.trials, change, peers=True)
        delay = made["first"] - made["onset"]
        early = delay < 0.0
        delay = np.where(early, np.nan, delay)
        found = int((delay <= 2.0).sum())
        low, high = interval(found, arguments.trials)
        loose = (made["soon"] > limit).mean()
        seen = np.nanmax(np.array(made["reached"]), axis=0, initial=0.0, where=np.isfinite(np.array(made["reached"])))
        peers = " | ".join(f"{(seen[n] > max(limits[n], 1e-9)).mean():.3f}" for n in range(5))
        p50, p95, mean = np.nanmedian(delay), np.nanpercentile(delay, 95), np.nanmean(delay)
        if change is ramp:
            offsets = 0.05 * delay[np.isfinite(delay)]
            peers += f"  offset at detection {np.median(offsets):.2f} m (p95 {np.percentile(offsets, 95):.2f} m)"
        missed = "" if not gross or loose >= 0.99 else "  MISSED"
        share = f"{found / arguments.trials:6.3f} [{low:.3f}, {high:.3f}] {loose:8.3f}"
        print(
            f"{name:24} {share} {p50:7.2f} {p95:7.2f} {mean:7.3f}  {peers}  never {int(np.isnan(delay).sum())}{missed}"
        )
    print(f"{time.process_time() - begun:.0f} s of CPU")


if __name__ == "__main__":
    main()
