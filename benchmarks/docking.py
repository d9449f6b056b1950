"""Docking with dispersions and faults, from the stand-off to a powered bridge: safety, margins, means.

    ./qiki env python benchmarks/docking.py [--set A ...] [--runs 12] [--quick]
    ./qiki env python benchmarks/docking.py --set B --seed 7        # one run again, bit-equal

Twin, flight cores and docking cores in one process; two worker processes. Control cycles at 20 Hz without the detector
that judges thrusters by their motion; the cores know the nominal vehicle, the twin flies a dispersed one (mass 5 %,
inertia 10 %, centre of mass 2 cm, thrust 3 % per thruster, standard deviations). Start: 0.5 m, 0.01 m/s, 3 deg and
0.2 deg/s per axis; the station drifts up to 2 cm/s and turns up to 0.1 deg/s. Cameras: 1 cm + 0.2 % of the range,
0.3 deg, delay up to 0.1 s, 2 % outliers, a dropout of 1 to 3 s each minute. Messages between bodies take up to 0.1 s.

Sets: A from 5 m and from 60 m; B each thruster dead; C a thruster weak or open for 0.3 s, or late valves; D a fault of
the docking hardware or the partner in each phase, from 1.5 m; E chains of 2 to 4 hops that begin mated.
Safe: no contact outside of the ports' collars, each contact of the ports inside the box, no thrust later than 0.5 s
after capture, a tank that is not empty, currents within 2 % of the closed form. Bounds: Clopper and Pearson, 95 %.
"""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from docking_runs import RUNS, Result, run

from qiki_docking.contact import UNITS

QUICK = {"A": 3, "B": 2, "C": 3, "D": 4, "E": 3}
DONE = {"A": "BRIDGE", "B": "BRIDGE", "C": "BRIDGE", "E": "BRIDGE"}
"""Phase in which a run of a set is docked."""


def bound(failed: int, runs: int) -> float:
    """Upper bound, 95 %, of the share of failures (Clopper and Pearson), by bisection of the binomial distribution."""
    if failed >= runs:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        share = 0.5 * (low + high)
        if _at_most(failed, runs, share) > 0.05:
            low = share
        else:
            high = share
    return high


def _at_most(count: int, runs: int, share: float) -> float:
    term, total = (1.0 - share) ** runs, 0.0
    for k in range(count + 1):
        total += term
        term *= (runs - k) / (k + 1) * share / (1.0 - share) if share < 1.0 else 0.0
    return total


def spread(values: Sequence[float], unit: str, worst: Callable[[Sequence[float]], float] = max) -> str:
    """Median, 95th percentile towards the worst, and worst."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "unknown"
    far = 95.0 if worst is max else 5.0
    shown = (float(np.median(known)), float(np.percentile(known, far)), worst(known))
    return "  ".join(f"{value:9.4g}" for value in shown) + f"  {unit}"


def report(name: str, results: list[Result], seconds: float) -> None:
    """Print one set."""
    docked = [one for one in results if one.ended == DONE.get(name)]
    unsafe = [one for one in results if one.unsafe]
    share = sum(one.time for one in results) / seconds
    print(f"\nSet {name}: {len(results)} runs in {seconds:.0f} s ({share:.1f} x real time)")
    print(f"  safe {len(results) - len(unsafe)}, unsafe {len(unsafe)} (at most {bound(len(unsafe), len(results)):.1%})")
    if name != "D":
        failed = len(results) - len(docked)
        print(f"  docked {len(docked)}, not {failed} (at most {bound(failed, len(results)):.1%})")
        first = sum(one.tries == 1 for one in docked)
        print(f"  at the first try {first} of {len(docked)}")
    print("                            median        p95      worst")
    for quantity, unit in UNITS.items():
        values = [one.margins[quantity] for one in results if quantity in one.margins]
        print(f"  margin {quantity:15s} {spread(values, unit, min)}")
    for label, unit in (("time", "s"), ("propellant", "kg"), ("energy", "J"), ("plume", "N s"), ("cycles", "openings")):
        print(f"  {label:22s} {spread([getattr(one, label) for one in results], unit)}")
    if name == "E":
        print(f"  current off by         {spread([one.currents for one in results], '')}")
    if name == "D":
        for kind, group in sorted(Counter((one.kind, one.ended, one.reason) for one in results).items()):
            print(f"  {group:3d}  {kind[0]:32s} {kind[1]:10s} {kind[2]}")
    for one in results:
        if one.unsafe or (name != "D" and one not in docked):
            found = "; ".join(one.unsafe) or "safe"
            print(f"  --set {name} --seed {one.seed}: {one.kind}: {one.ended} {one.text}; {found}")


def work(job: tuple[str, int]) -> Result:
    """One run in a worker."""
    return run(*job)


def main() -> int:
    """Run the sets; 1: something was not safe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", action="append", choices=sorted(RUNS))
    parser.add_argument("--seed", type=int, help="one run alone")
    parser.add_argument("--runs", type=int, help="of each set, from its first seed on")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    sets = options.set or sorted(RUNS)
    if options.seed is not None:
        results = [run(name, options.seed) for name in sets]
        print(*results, sep="\n")
        return int(any(one.unsafe for one in results))
    unsafe = False
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for name in sets:
            count = options.runs or (QUICK[name] if options.quick else RUNS[name][0])
            began, results = time.perf_counter(), []
            for one in pool.imap(work, [(name, seed) for seed in range(count)]):
                results.append(one)
                print(
                    f"{name} {one.seed:3d} {one.kind:32s} {one.ended:10s} {one.reason} {'; '.join(one.unsafe)}",
                    flush=True,
                )
            report(name, results, time.perf_counter() - began)
            unsafe = unsafe or any(one.unsafe for one in results)
    return int(unsafe)


if __name__ == "__main__":
    sys.exit(main())
