"""A scene of benchmarks/spoofing.py as CSV: truth, radar detection, claim, radio and verdict of each look.

    ./qiki env python benchmarks/spoofing_csv.py --list
    ./qiki env python benchmarks/spoofing_csv.py "offset 2 sigma" --seed 1 --trials 2 > offset.csv

A row for each trial and look. Positions and velocities are in world, with the observer at rest at its origin; an empty
cell is not known, such as a look without a radar return. A trial that is silent keeps its truth alone.
"""

import argparse
import csv
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from spoofing_library import ATTACKS, BENIGN, Scenario
from spoofing_scenes import LENGTH, STEP, VEHICLE, begun, fly, look, scene

from qiki_xpdr.channels import Looks
from qiki_xpdr.geometry import AT_ORIGIN
from qiki_xpdr.spoof import SpoofMonitor

TRUTH = ("true_x_m", "true_y_m", "true_z_m", "true_vx_m_s", "true_vy_m_s", "true_vz_m_s")
LOOK = {
    "measured": ("range_m", "bearing_rad", "elevation_rad", "radial_velocity_m_s"),
    "position": ("claimed_x_m", "claimed_y_m", "claimed_z_m"),
    "velocity": ("claimed_vx_m_s", "claimed_vy_m_s", "claimed_vz_m_s"),
    "time": ("claimed_time_s",),
    "arrival": ("arrival_bearing_rad", "arrival_elevation_rad"),
    "round_trip": ("round_trip_s",),
    "strength": ("strength_dbm",),
    "signature": ("forged_receptions",),
    "freshness": ("receptions_out_of_time",),
    "no_return": ("no_return",),
    "verified": ("verified",),
}
VERDICT = ("verdict", "strongest_channel", "statistic", "threshold")
COLUMNS = (
    "trial", "time_s", "since_onset_s", "claimed_id", *TRUTH, *(name for names in LOOK.values() for name in names),
    *VERDICT,
)  # fmt: skip


def rows(seed: int, trials: int, scenario: Scenario) -> Iterator[tuple[Any, ...]]:
    """Rows of all trials, look by look; two for a look with two claims."""
    rng = np.random.default_rng(seed)
    world = scene(rng, trials, **scenario.options)
    world |= {"track": np.arange(trials), "identity": [f"ALLY-{number:06X}" for number in range(trials)]}
    onset = scenario.onset + rng.uniform(0.0, STEP, trials) * (1.0 if scenario.onset else -1.0)
    change = None if scenario.change is None else begun(scenario.change, onset)
    begins = onset + scenario.begins
    monitor = SpoofMonitor(VEHICLE)
    for number in range(round(LENGTH / STEP)):
        now = number * STEP
        looks = look(world, rng, now, change)
        monitor.observe(now, looks, AT_ORIGIN)
        for trial in range(trials):
            truth = (*world["place"][trial], *world["speed"][trial])
            start = (trial, round(now, 3), now - begins[trial])
            found = np.flatnonzero(looks.track == trial)
            for row in found:
                name = looks.identity[row]
                yield (*start, name, *truth, *_look(looks, row), *_verdict(monitor, trial, name))
            if not len(found):
                yield (*start, "", *truth)
        fly(world, rng)


def _look(looks: Looks, row: int) -> list[float]:
    return [float(value) for name in LOOK for value in np.atleast_1d(getattr(looks, name)[row])]


def _verdict(monitor: SpoofMonitor, track: int, identity: str) -> tuple[Any, ...]:
    state, evidence = monitor.state(track, identity).name, monitor.evidence(track, identity)
    if not evidence:
        return (state, "", math.nan, math.nan)
    return (state, evidence[0].channel, evidence[0].statistic, evidence[0].threshold)


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return f"{value:.9g}" if math.isfinite(value) else ""


def main() -> None:
    scenes = ATTACKS | BENIGN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", nargs="?", choices=list(scenes), metavar="SCENE")
    parser.add_argument("--list", action="store_true", help="names of the scenes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.list or arguments.scene is None:
        print("\n".join(scenes))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    try:
        writer.writerow(COLUMNS)
        for row in rows(arguments.seed, arguments.trials, scenes[arguments.scene]):
            cells = [*map(_cell, row)]
            writer.writerow([*cells, *[""] * (len(COLUMNS) - len(cells))])
        sys.stdout.flush()
    except BrokenPipeError:  # such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
