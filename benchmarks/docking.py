"""Docking with dispersions and faults, from the stand-off to a powered bridge: safety, margins, means.

    ./qiki env python benchmarks/docking.py [--set A ...] [--runs 12] [--quick]
    ./qiki env python benchmarks/docking.py --set B --seed 7        # one run again, bit-equal
    ./qiki env python benchmarks/docking.py --set A --first 12 --runs 12 --results a.jsonl

With `--results` each run is added to a file as it ends. Runs of the same commit that the file has are not made again,
and all of them are reported together: a large set can be gathered in parts.

Twin, flight cores and docking cores in one process; two worker processes. Control cycles at 20 Hz without the detector
that judges thrusters by their motion; the cores know the nominal vehicle, the twin flies a dispersed one (mass 5 %,
inertia 10 %, centre of mass 2 cm, thrust 3 % per thruster, standard deviations). Start: 0.5 m (set D: 5 cm), 0.01 m/s,
3 deg and 0.2 deg/s per axis; the station drifts up to 2 cm/s and turns up to 0.1 deg/s. Cameras: 1 cm + 0.2 % of the
range, 0.3 deg, delay up to 0.1 s, 2 % outliers, a dropout of 1 to 3 s each minute. Messages between bodies take up to
0.1 s.

Sets: A from 5 m and from 60 m; B each thruster dead; C a thruster weak or open for 0.3 s, or late valves; D a fault of
the docking hardware or the partner in each phase, from 1.5 m, against the table in docs/docking.md; E chains of 2 to 4
hops that begin mated.
Safe: no contact outside of the ports' collars, each contact of the ports inside the box, no thrust later than 0.5 s
after capture, a tank that is not empty, currents within 2 % of the closed form. Bounds: Clopper and Pearson, 95 %.
"""

import argparse
import dataclasses
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from docking_runs import RUNS, Result, run
from scipy.stats import beta

from qiki_docking.contact import UNITS

QUICK = {"A": 3, "B": 2, "C": 3, "D": 4, "E": 3}
ROOT = Path(__file__).resolve().parent.parent


def bound(failed: int, runs: int) -> float:
    """Upper bound, 95 %, of the share of failures (Clopper and Pearson)."""
    return 1.0 if failed >= runs else float(beta.ppf(0.95, failed + 1, runs - failed))


def spread(values: Sequence[float], unit: str, worst: Callable[[Sequence[float]], float] = max) -> str:
    """Median, 95th percentile towards the worst, and worst."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "unknown"
    far = 95.0 if worst is max else 5.0
    shown = (float(np.median(known)), float(np.percentile(known, far)), worst(known))
    return "  ".join(f"{value:9.4g}" for value in shown) + f"  {unit}"


def report(name: str, results: list[Result]) -> None:
    """Print one set."""
    docked = [one for one in results if one.ended == "BRIDGE"]
    unsafe = [one for one in results if one.unsafe]
    failed = [one for one in results if not one.as_expected]
    share = sum(one.time for one in results) / sum(one.cpu for one in results)
    print(f"\nSet {name}: {len(results)} runs ({share:.1f} x real time per core)")
    print(f"  safe {len(results) - len(unsafe)}, unsafe {len(unsafe)} (at most {bound(len(unsafe), len(results)):.1%})")
    ends = "ended as in the table" if name == "D" else "docked"
    print(f"  {ends} {len(results) - len(failed)}, not {len(failed)} (at most {bound(len(failed), len(results)):.1%})")
    print(f"  at the first try {sum(one.tries == 1 for one in docked)} of {len(docked)}")
    print("                            median        p95      worst")
    for quantity, unit in UNITS.items():
        values = [one.margins[quantity] for one in results if quantity in one.margins]
        print(f"  margin {quantity:15s} {spread(values, unit, min)}")
    for label, unit in (("time", "s"), ("propellant", "kg"), ("energy", "J"), ("plume", "N s"), ("cycles", "openings")):
        print(f"  {label:22s} {spread([getattr(one, label) for one in results], unit)}")
    if name == "E":
        print(f"  current off by         {spread([one.currents for one in results], '')}")
    for one in results:
        if one.unsafe or one in failed:
            found = "; ".join(one.unsafe) or "safe"
            expected = f" instead of {one.expected}" if one.expected else ""
            print(
                f"  --set {name} --seed {one.seed}: {one.kind}: {one.ended} {one.reason}{expected}, {one.text}; {found}"
            )


class Kept:
    """Results in a file of JSON lines, each with the commit that it was made with."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
        self.commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"

    def of(self, name: str) -> dict[int, Result]:
        """Results of a set by seed, made with the present commit."""
        if self._path is None or not self._path.exists():
            return {}
        lines = [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]
        return {
            line["result"]["seed"]: Result(**line["result"])
            for line in lines
            if line["commit"] == self.commit and line["result"]["set"] == name
        }

    def add(self, result: Result) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                line = {"commit": self.commit, "result": dataclasses.asdict(result)}
                file.write(json.dumps(line) + "\n")


def work(job: tuple[str, int]) -> Result:
    """One run in a worker."""
    return run(*job)


def gather(name: str, seeds: Iterable[int], again: int, kept: Kept, workers: int) -> list[Result]:
    """Runs of a set, those of the file first; `again`: number of them that are made twice, to be equal."""
    done = kept.of(name)
    jobs = [(name, seed) for seed in seeds if seed not in done]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for one in pool.imap_unordered(work, jobs):
            done[one.seed] = one
            kept.add(one)
            print(
                f"{name} {one.seed:3d} {one.kind:32s} {one.ended:10s} {one.reason} {'; '.join(one.unsafe)}", flush=True
            )
        for one in pool.imap_unordered(work, [(name, seed) for seed in sorted(done)[:again]]):
            print(f"{name} {one.seed:3d} again: {'bit-equal' if str(one) == str(done[one.seed]) else 'DIFFERENT'}")
    return [done[seed] for seed in sorted(done)]


def main() -> int:
    """Run the sets; 1: something was not safe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", action="append", choices=sorted(RUNS))
    parser.add_argument("--seed", type=int, help="one run alone")
    parser.add_argument("--runs", type=int, help="of each set")
    parser.add_argument("--first", type=int, default=0, help="seed of the first run")
    parser.add_argument("--again", type=int, default=1, help="number of runs that are made twice, to be bit-equal")
    parser.add_argument("--results", type=Path, help="file of JSON lines that runs are added to")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    sets = options.set or sorted(RUNS)
    if options.seed is not None:
        results = [run(name, options.seed) for name in sets]
        print(*results, sep="\n")
        return int(any(one.unsafe for one in results))
    kept, unsafe = Kept(options.results), False
    print(f"commit {kept.commit}")
    for name in sets:
        count = RUNS[name][0] if options.runs is None else options.runs
        count = QUICK[name] if options.quick else count
        results = gather(name, range(options.first, options.first + count), options.again, kept, options.workers)
        report(name, results)
        unsafe = unsafe or any(one.unsafe for one in results)
    return int(unsafe)


if __name__ == "__main__":
    sys.exit(main())
