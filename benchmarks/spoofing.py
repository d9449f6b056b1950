"""Spoofing: delay, probability of detection and false alarms of the evidence monitor, and of five public detectors.

    ./qiki env python benchmarks/spoofing.py [--quick] [--benign 5000] [--trials 1000]

A trial is one track for 60 s at 10 Hz, with a claim of its transponder in each look; an attack begins at 20 s and a
random part of a look later. The monitor is QIKI's own with its own thresholds; false alarms are counted on fresh benign
trials. The peers (own versions of published rules) get thresholds that 999 of 1 000 benign trials do not reach.
`found`: share within 2 s, with its Clopper-Pearson interval at 95 %; `Pfa 1e-3`: the same with a threshold set as those
of the peers. All trials of a scenario run at once, as rows of arrays.
"""

import argparse
import time
from typing import Any

import numpy as np
from scipy.special import betaincinv
from scipy.stats import kstest
from spoofing_scenes import ATTACKS, BENIGN, LENGTH, ONSET, STEP, VEHICLE, Change, begun, fly, look, ramp, scene

from qiki_xpdr.channels import Looks, residuals
from qiki_xpdr.geometry import AT_ORIGIN
from qiki_xpdr.modes import SpoofState
from qiki_xpdr.spoof import SpoofMonitor


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
        looks = look(world, rng, now, None if change is None else begun(change, onset))
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
            parts = residuals(looks, AT_ORIGIN, now, VEHICLE).shifts
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
    started = time.process_time()
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
    print(f"{time.process_time() - started:.0f} s of CPU")


if __name__ == "__main__":
    main()
