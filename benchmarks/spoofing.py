"""Spoofing: delay, probability of detection and false alarms of the evidence monitor, and of five public detectors.

    ./qiki env python benchmarks/spoofing.py [--quick] [--benign 5000] [--trials 500] [--only NAME ...]

A trial is one track for 60 s at 10 Hz, with a claim of its transponder in each look; an attack begins at 20 s and a
random part of a look later, or with the first claim (`lasting`). The scenarios are those of `spoofing_library.py`. The
monitor is QIKI's own with its own thresholds; its false alarms are counted on fresh benign trials. The peers (own
versions of published rules) get thresholds that 999 of 1 000 benign trials do not reach. `found`: share within 2 s,
with its Clopper-Pearson interval at 95 %; `Pfa 1e-3`: the same with a threshold set as those of the peers; `law`: mean
delay by 2 h / d² with h = 15.1; `bound`: see `bound`. Trials are rows of arrays, in batches over processes.
"""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import betaincinv
from scipy.stats import kstest, norm
from spoofing_library import ATTACKS, BENIGN, Scenario
from spoofing_scenes import LENGTH, STEP, VEHICLE, begun, fly, look, scene

from qiki_xpdr.change import nearest
from qiki_xpdr.channels import Looks, residuals
from qiki_xpdr.geometry import AT_ORIGIN
from qiki_xpdr.modes import SpoofState
from qiki_xpdr.spoof import SpoofMonitor

WITHIN = 2.0  # s
BATCH = 500  # trials at once, whose arrays stay in a core's cache
ALL_PAIRS = VEHICLE.model_copy(update={"spoofing": VEHICLE.spoofing.model_copy(update={"pairs_max": 100_000})})
"""All trials run at once, more than the vehicle tests."""
LAW = {0.5: 12.1, 1.0: 3.0, 1.5: 1.34, 2.0: 0.75, 3.0: 0.34, 5.0: 0.12, 10.0: 0.05}
SIDES = ("honest", "attack, gross", "attack, other")


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
        parts = residuals(looks, AT_ORIGIN, now, VEHICLE).shifts
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


@dataclass
class Outcome:
    """Trials of a scenario.

    Attributes:
        first: s of the first SPOOF, NaN: none. begins: s of the attack. worst: states at their worst. last: at the end.
        top, soon: largest scores of the trial, and within 2 s of the attack. highest, seen: the same of the peers.
        chi: squared residuals of the position.
    """

    first: np.ndarray
    begins: np.ndarray
    worst: np.ndarray
    last: np.ndarray
    top: np.ndarray
    soon: np.ndarray
    highest: np.ndarray
    seen: np.ndarray
    chi: np.ndarray


def run(
    seed: int | Sequence[int], count: int, scenario: Scenario, *, peers: bool = False, length: float = LENGTH
) -> Outcome:
    """Run trials of a scenario."""
    rng = np.random.default_rng(seed)
    world = scene(rng, count, **scenario.options)
    world |= {"track": np.arange(count), "identity": [f"ALLY-{n:06X}" for n in range(count)]}
    monitor, judges = SpoofMonitor(ALL_PAIRS), Peers(count)
    onset = scenario.onset + rng.uniform(0.0, STEP, count) * (1.0 if scenario.onset else -1.0)
    change = None if scenario.change is None else begun(scenario.change, onset)
    begins = onset + scenario.begins
    first, worst = np.full(count, np.nan), np.zeros(count, dtype=int)
    highest, seen = np.zeros((5, count)), np.zeros((5, count))
    top, soon = np.zeros(count), np.zeros(count)
    chi: list[np.ndarray] = []
    for number in range(round(length / STEP)):
        now = number * STEP
        looks = look(world, rng, now, change)
        monitor.observe(now, looks, AT_ORIGIN)
        states = monitor.states
        rows = np.array([key[0] for key in states])
        state, score = np.zeros(count, dtype=int), np.zeros(count)
        np.maximum.at(state, rows, list(states.values()))
        np.maximum.at(score, rows, monitor.score())
        first = np.where(np.isnan(first) & (state == SpoofState.SPOOF), now, first)
        worst, top = np.maximum(worst, state), np.maximum(top, score)
        near = (now >= begins) & (now <= begins + WITHIN)
        soon = np.where(near, np.maximum(soon, score), soon)
        if peers:
            scores = judges.scores(looks, looks.track, now, count)
            highest, seen = np.fmax(highest, scores), np.where(near, np.fmax(seen, scores), seen)
        if scenario.change is None and number % 40 == 0:
            shift = residuals(looks, AT_ORIGIN, now, VEHICLE).shifts["position"]
            squared = np.einsum("ij,ij->i", shift, shift)
            chi.append(squared[np.isfinite(squared)])
        fly(world, rng)
    if monitor.refused:
        raise RuntimeError(f"{monitor.refused} looks were not tested")
    whole = np.concatenate(chi) if chi else np.zeros(0)
    return Outcome(first, begins, worst, state, top, soon, highest, seen, whole)


def one(seed: int, part: int, count: int, name: str, peers: bool) -> Outcome:
    """Run a batch of a scenario of the library."""
    return run((seed, part), count, (BENIGN | ATTACKS)[name], peers=peers)


class Runs:
    """Trials of scenarios in batches on some processes."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def start(self, seed: int, count: int, name: str, *, peers: bool = False) -> Callable[[], Outcome]:
        """Begin trials; a function that waits for their outcome."""
        sizes = [min(BATCH, count - done) for done in range(0, count, BATCH)]
        parts = [self._pool.submit(one, seed, part, size, name, peers) for part, size in enumerate(sizes)]

        def wait() -> Outcome:
            names = [each.name for each in fields(Outcome)]
            made = [part.result() for part in parts]
            return Outcome(*(np.concatenate([getattr(each, name) for each in made], axis=-1) for name in names))

        return wait


def bound(sigmas: float, count: int = 20_000) -> float:
    """Most that any test finds of a lasting offset in 2 s, where it accuses no honest hull in more than 1 of 1 000.

    The test may know size, direction and begin of the offset. The likeliest honest explanation is a return from the
    point of the hull that is nearest to the offset; against it the likelihood ratio is best (Neyman and Pearson).
    """
    rng = np.random.default_rng(3)
    world = scene(rng, count) | {"track": np.arange(count), "identity": [str(number) for number in range(count)]}
    margins = residuals(look(world, rng, 0.0, None), AT_ORIGIN, 0.0, VEHICLE).margins["position"]
    shift = sigmas * world["turn"]
    beyond = np.linalg.norm(shift - nearest(shift, margins), axis=1)
    beyond = beyond[np.isfinite(beyond)]  # looks with a return
    returns = rng.binomial(round(WITHIN / STEP), VEHICLE.radar.detection, len(beyond))
    return float(norm.sf(norm.isf(1e-3) - beyond * np.sqrt(returns)).mean())


def interval(found: int, trials: int) -> tuple[float, float]:
    """Clopper-Pearson, 95 %."""
    low = 0.0 if found == 0 else float(betaincinv(found, trials - found + 1, 0.025))
    return low, 1.0 if found == trials else float(betaincinv(found + 1, trials - found, 0.975))


def judged(worst: np.ndarray) -> np.ndarray:
    """Row of the confusion matrix: trials that were calm, SUSPECT, SPOOF at their worst."""
    calm = int((worst < SpoofState.SUSPECT).sum())
    return np.array((calm, int((worst == SpoofState.SUSPECT).sum()), int((worst == SpoofState.SPOOF).sum())))


def calm(arguments: argparse.Namespace, runs: Runs) -> tuple[float, np.ndarray, np.ndarray]:
    """Threshold of the score and of the peers at 1e-3, and the row of the confusion matrix."""
    first = runs.start(1, arguments.benign, "straight", peers=True)
    names = [name for name in BENIGN if not arguments.only or name in arguments.only]
    counts = [arguments.benign if name == "straight" else arguments.trials for name in names]
    started = [runs.start(100 + [*BENIGN].index(name), count, name) for name, count in zip(names, counts, strict=True)]
    set_on = first()
    limit = float(np.quantile(set_on.top, 0.999))
    print(f"score that 1 of 1 000 benign trials reaches: {limit:.3f} of the threshold; largest {set_on.top.max():.3f}")
    print(f"p-values of the position's residual: KS {kstest(set_on.chi, 'chi2', args=(3,)).pvalue:.3f}")
    matrix = np.zeros(3, dtype=int)
    for name, wait in zip(names, started, strict=True):
        fresh = wait()
        ends = ", ".join(f"{state.name} {n}" for state in SpoofState if (n := int((fresh.last == state).sum())))
        alarms, high = int(np.isfinite(fresh.first).sum()), int((fresh.top > limit).sum())
        text = f"benign, {name:22} {len(fresh.first):5} trials: {alarms:3} alarms, {high:3} above the score of 1e-3"
        print(f"{text}; at the end {ends}", flush=True)
        matrix += judged(fresh.worst)
    return limit, np.quantile(set_on.highest, 0.999, axis=1), matrix


def attacked(name: str, scenario: Scenario, made: Outcome, limit: float, limits: np.ndarray) -> str:
    """Row of a scenario."""
    trials = len(made.first)
    delay = made.first - made.begins
    delay = np.where(delay < 0.0, np.nan, delay)
    found = int((delay <= WITHIN).sum())
    low, high = interval(found, trials)
    loose = int((made.soon > limit).sum())
    text = f"{name:26} {found / trials:6.3f} [{low:.3f}, {high:.3f}]"
    low, high = interval(loose, trials)
    text += f" {loose / trials:9.3f} [{low:.3f}, {high:.3f}]"
    known = delay[np.isfinite(delay)]
    shown = [np.median(known), np.percentile(known, 95), known.mean()] if len(known) else [np.nan] * 3
    text += "".join(f" {value:7.2f}" for value in shown) + f" {trials - len(known):5}"
    text += "  " + " | ".join(f"{(made.seen[n] > max(limits[n], 1e-9)).mean():.3f}" for n in range(5))
    if " sigma" in name:
        sigmas = float(name.split()[-2])
        text += f"  law {LAW[sigmas]:.2f} s"
        text += f", bound {bound(sigmas):.3f}" if not scenario.onset else ""
    if scenario.drift and len(known):
        offsets = scenario.drift * known
        text += f"  offset at detection {np.median(offsets):.2f} m (p95 {np.percentile(offsets, 95):.2f} m)"
    return text if not scenario.gross or loose >= 0.99 * trials else text + "  MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benign", type=int, default=5000)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="300 benign trials, 100 of each scenario")
    parser.add_argument("--only", nargs="+", choices=[*BENIGN, *ATTACKS], help="some scenarios")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.benign, arguments.trials = 300, 100
    started = time.monotonic()
    with ProcessPoolExecutor(arguments.processes) as pool:
        report(arguments, Runs(pool))
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    print(f"{time.monotonic() - started:.0f} s with {arguments.processes} processes, {cpu:.0f} s of CPU")


def report(arguments: argparse.Namespace, runs: Runs) -> None:
    limit, limits, honest = calm(arguments, runs)
    matrix = np.zeros((3, 3), dtype=int)
    matrix[0] = honest
    spans = f"{'found':>6} {'95 %':>14} {'Pfa 1e-3':>9} {'95 %':>14}"
    print(f"{'scenario':26} {spans} {'p50':>7} {'p95':>7} {'mean':>7} {'never':>5}  " + " | ".join(Peers.names))
    names = [name for name in ATTACKS if not arguments.only or name in arguments.only]
    started = [runs.start(200 + [*ATTACKS].index(name), arguments.trials, name, peers=True) for name in names]
    for name, wait in zip(names, started, strict=True):
        made, scenario = wait(), ATTACKS[name]
        print(attacked(name, scenario, made, limit, limits), flush=True)
        matrix[1 if scenario.gross else 2] += judged(made.worst)
    print(f"{'worst state of a trial':22} {'calm':>7} {'SUSPECT':>7} {'SPOOF':>7}")
    for side, row in zip(SIDES, matrix, strict=True):
        print(f"{side:22}" + "".join(f" {value:7}" for value in row))


if __name__ == "__main__":
    main()
