"""Quality and speed of thrust allocation: QIKI's allocator beside the usual methods, in one run.

    ./qiki env python benchmarks/allocation.py [--quick] [--solves 10000] [--repeats 5]

The quadratic solvers that are no part of QIKI are installed with

    .venv/bin/pip install -r requirements/bench.txt -c requirements/constraints.txt

and a method whose package is absent is reported as absent. Three sequences with fixed seeds: random wrenches; a
trajectory of wrenches, heat bounds and power limits that move; random wrenches with thrusters dead and derated. Whether
a wrench is attainable, and the least thrust that gives it, comes from scipy's linear programming (HiGHS).

Times: every method solves every sequence `repeats` times, in turns of 250 solves. The 20 solves before a turn are done
first, uncounted: else much of a p99 would be caches that another method has filled (`--cold` leaves them out). p50 and
p99 of all solves, then of the shortest time of each solve over the repeats, which leaves out what else the machine did.
All as ratio to exact NNLS. The answers judged are those of the last repeat. Last come the times of two docked vehicles,
for which facets are too many, as ratio to those of one.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from allocation_methods import METHODS, Problem, Solve
from scipy.optimize import linprog  # type: ignore[import-untyped]

from qiki_allocator import Allocator, Limits, ThrusterArray
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.assembly import thrusters
from qiki_vehicle import Vehicle

VEHICLE = Path(__file__).resolve().parent.parent / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
TURN = 250
LEAD_IN = 20


@dataclass(frozen=True)
class Sequence:
    """Wrenches (m, 6), bounds (m, n) and power limits (m,), and of each wrench the least thrust, NaN: unattainable."""

    name: str
    wrenches: Floats
    bounds: Floats
    power: Floats
    least_thrust: Floats = field(default_factory=lambda: np.empty(0))


def random_wrenches(rng: np.random.Generator, count: int) -> Floats:
    """Of any direction, about 85 % attainable with everything working."""
    size = rng.uniform(0.0, 1.5, (count, 1))
    return size * rng.normal(size=(count, 6)) * [190.0, 190.0, 190.0, 100.0, 150.0, 250.0]


def sequences(array: ThrusterArray, peak: float, count: int) -> list[Sequence]:
    """The three sequences, without the least thrust."""
    n = len(array)
    full = np.tile(array.f_max, (count, 1))
    rng = np.random.default_rng(1)
    found = [Sequence("random", random_wrenches(rng, count), full, np.full(count, peak))]

    rng = np.random.default_rng(2)
    t = 0.01 * np.arange(count)[:, None]
    waves = sum(np.sin(rng.uniform(0.1, 3.0, 6) * t + rng.uniform(0.0, 6.3, 6)) for _ in range(3))
    heat = 0.65 + 0.35 * np.sin(rng.uniform(0.05, 0.5, 4) * t + rng.uniform(0.0, 6.3, 4))
    bounds = array.f_max * heat[:, np.arange(n) * 4 // n]
    power = peak * np.where(np.sin(0.2 * t[:, 0]) > 0.0, 1.0, 0.5)
    found.append(Sequence("trajectory", np.asarray(waves) * [120.0, 120.0, 120.0, 60.0, 90.0, 150.0], bounds, power))

    rng = np.random.default_rng(3)
    health = np.ones((count, n))
    for i in range(0, count, 20):
        broken = rng.choice(n, rng.integers(1, 4), replace=False)
        health[i : i + 20, broken] = rng.choice([0.0, 0.5], len(broken))
    found.append(Sequence("faults", random_wrenches(rng, count), full * health, np.full(count, peak)))
    return found


def least_thrust(array: ThrusterArray, watts: float, sequence: Sequence) -> Sequence:
    """The sequence with the least thrust of each wrench, N, by linear programming."""
    rows = np.full((1, len(array)), watts)
    per_reach = Problem(array, watts).per_reach
    least = np.full(len(sequence.wrenches), np.nan)
    cases = zip(sequence.wrenches, sequence.bounds, sequence.power, strict=True)
    for i, (wrench, bounds, power) in enumerate(cases):
        answer = linprog(
            np.ones(len(array)),
            A_ub=rows,
            b_ub=[power],
            A_eq=per_reach[:, None] * array.effectiveness,
            b_eq=per_reach * wrench,
            bounds=np.column_stack([np.zeros(len(array)), bounds]),
        )
        if answer.status == 0:
            least[i] = answer.fun
    return Sequence(sequence.name, sequence.wrenches, sequence.bounds, sequence.power, least)


@dataclass
class Result:
    """Of one method and sequence: times (repeats, m) s, forces (m, n) N."""

    times: Floats
    forces: Floats


def run(methods: dict[str, Solve], sequence: Sequence, repeats: int, lead_in: int) -> dict[str, Result]:
    """Solve everything with every method, in turns, each after so many solves that are not counted."""
    count, n = sequence.bounds.shape
    results = {name: Result(np.empty((repeats, count)), np.empty((count, n))) for name in methods}
    clock = time.perf_counter
    cases = list(zip(sequence.wrenches, sequence.bounds, sequence.power.tolist(), strict=True))
    gc.collect()
    gc.disable()
    for repeat in range(repeats):
        for start in range(0, count, TURN):
            for name, solve in methods.items():
                times, forces = results[name].times[repeat], results[name].forces
                for wrench, bounds, power in cases[max(start - lead_in, 0) : start] or cases[:lead_in]:
                    solve(wrench, bounds, power)
                for i in range(start, min(start + TURN, count)):
                    wrench, bounds, power = cases[i]
                    begun = clock()
                    answer = solve(wrench, bounds, power)
                    times[i] = clock() - begun
                    forces[i] = answer
    gc.enable()
    return results


def quality(array: ThrusterArray, watts: float, sequence: Sequence, forces: Floats) -> dict[str, float]:
    """Shares in %, thrust as ratio to the least of all wrenches given within 1 %, mean and largest."""
    per_reach = Problem(array, watts).per_reach
    error = np.linalg.norm(per_reach * (sequence.wrenches - forces @ array.effectiveness.T), axis=1)
    is_met = error <= 0.01 * np.linalg.norm(per_reach * sequence.wrenches, axis=1)
    attainable = ~np.isnan(sequence.least_thrust)
    judged = attainable & is_met & (sequence.least_thrust > 1.0)
    fuel = forces[judged].sum(axis=1) / sequence.least_thrust[judged]
    breaks = forces.sum(axis=1) * watts > sequence.power * (1.0 + 1e-6)
    outside = ((forces < -1e-3) | (forces > sequence.bounds + 1e-3)).any(axis=1)
    return {
        "missed": 100.0 * float((attainable & ~is_met).sum()) / max(int(attainable.sum()), 1),
        "power": 100.0 * float(breaks.mean()),
        "bounds": 100.0 * float(outside.mean()),
        "fuel": float(fuel.mean()) if len(fuel) else float("nan"),
        "fuel_max": float(fuel.max()) if len(fuel) else float("nan"),
    }


def percentiles(times: Floats) -> Floats:
    """(4,) s: p50 and p99 of all, p50 and p99 of the shortest per solve."""
    shortest = times.min(axis=0)
    return np.array([*np.percentile(times, [50, 99]), *np.percentile(shortest, [50, 99])])


def report(array: ThrusterArray, watts: float, sequence: Sequence, results: dict[str, Result]) -> None:
    """Print the table of one sequence."""
    count, reference = len(sequence.wrenches), next(iter(results))
    base = percentiles(results[reference].times)
    attainable = 100.0 * float((~np.isnan(sequence.least_thrust)).mean())
    print(f"\n{sequence.name}: {count} solves, {attainable:.1f} % attainable; {reference}: p50 {base[0] * 1e6:.1f}, "
          f"p99 {base[1] * 1e6:.1f}, shortest p50 {base[2] * 1e6:.1f}, p99 {base[3] * 1e6:.1f} us")  # fmt: skip
    print(f"{'method':30}{'p50':>7}{'p99':>7}{'min p50':>9}{'min p99':>9}{'missed %':>10}{'power %':>9}{'bounds %':>10}"
          f"{'fuel mean':>11}{'fuel max':>10}")  # fmt: skip
    for name, result in results.items():
        ratio = percentiles(result.times) / base
        q = quality(array, watts, sequence, result.forces)
        print(f"{name:30}{ratio[0]:7.2f}{ratio[1]:7.2f}{ratio[2]:9.2f}{ratio[3]:9.2f}{q['missed']:10.2f}"
              f"{q['power']:9.2f}{q['bounds']:10.2f}{q['fuel']:11.5f}{q['fuel_max']:10.5f}")  # fmt: skip


def docked(array: ThrusterArray) -> ThrusterArray:
    """Two vehicles, one turned half round about x and docked on top of the other: twice the thrusters."""
    half_turn = np.diag([1.0, -1.0, -1.0])
    return ThrusterArray(
        np.vstack([array.positions, array.positions @ half_turn + [0.0, 0.0, 2.4]]),
        np.vstack([array.directions, array.directions @ half_turn]),
        np.tile(array.f_max, 2),
        com=(0.0, 0.0, 1.2),
    )


def compare_sizes(array: ThrusterArray, watts: float, peak: float, count: int) -> None:
    """Print the time of a `solve` of two docked vehicles as ratio to that of one, in turns, a third with faults."""
    rng = np.random.default_rng(4)
    arrays = (array, docked(array))
    for policy, unattainable in (("weighted", "closest"), ("priority", "closest"), ("priority", "direction")):
        times = np.empty((2, count))
        both = []
        for one in arrays:
            reach = np.linalg.norm(one.effectiveness * one.f_max, axis=1)
            wrenches = rng.uniform(0.0, 0.6, (count, 1)) * rng.normal(size=(count, 6)) * reach
            alive = (rng.random((count // 20 + 1, len(one))) > 0.1).repeat(20, axis=0)[:count]
            alive[np.arange(count) % 60 >= 20] = True
            solver = Allocator(one, watts, policy, unattainable)
            both.append((solver, wrenches, one.f_max * alive, peak * len(one) / len(array)))
        for start in range(0, count, TURN):
            for row, (solver, wrenches, bounds, power) in zip(times, both, strict=True):
                for i in range(start, min(start + TURN, count)):
                    begun = time.perf_counter()
                    solver.solve(wrenches[i], Limits(power, bounds[i]))
                    row[i] = time.perf_counter() - begun
        p50, p99 = np.percentile(times[1], [50, 99]) / np.percentile(times[0], [50, 99])
        title = f"{len(arrays[1])} against {len(array)} thrusters, {policy}, {unattainable}"
        print(f"{title}: {p50:.2f} at p50, {p99:.2f} at p99")


def available(array: ThrusterArray, watts: float) -> Iterator[tuple[str, Solve]]:
    """The methods whose packages are installed; the others are named."""
    for name, make in METHODS.items():
        try:
            yield name, make(array, watts)
        except ModuleNotFoundError as error:
            print(f"{name}: ABSENT, package {error.name} is not installed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1000 solves of each sequence, 2 repeats")
    parser.add_argument("--solves", type=int, default=10_000, help="of each sequence")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="no uncounted solves before each turn")
    parser.add_argument(
        "--only", nargs="*", default=[], help="methods whose name contains one of these, and exact NNLS"
    )
    arguments = parser.parse_args()
    count, repeats = (1000, 2) if arguments.quick else (arguments.solves, arguments.repeats)
    vehicle = Vehicle.from_file(VEHICLE)
    array, watts = thrusters(vehicle), vehicle.propulsion.watts_per_newton
    methods = dict(available(array, watts))
    reference = next(iter(methods))
    if arguments.only:
        methods = {
            name: solve
            for name, solve in methods.items()
            if name == reference or any(part in name for part in arguments.only)
        }
    print(f"times as ratio to {reference}; Python {sys.version.split()[0]}, NumPy {np.__version__}")
    for sequence in sequences(array, vehicle.propulsion.peak_power, count):
        judged = least_thrust(array, watts, sequence)
        report(array, watts, judged, run(methods, judged, repeats, 0 if arguments.cold else LEAD_IN))
    print()
    compare_sizes(array, watts, vehicle.propulsion.peak_power, count)


if __name__ == "__main__":
    main()
