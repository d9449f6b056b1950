"""The final metre to a station: how gently each modulator lets a bot touch its port.

    ./qiki env python benchmarks/docking_touch.py [--runs 20] [--only NAME ...]

Digital twin and flight core in one process, control cycles at 20 Hz, without the detector that judges thrusters by
their motion (`--faithful`: 100 Hz, with it). The bot starts at 1 m, up to 8 cm, 2 cm/s, 2 deg and 0.4 deg/s off,
waits 8 s and closes at 0.075 m/s. Position and velocity come from its noisy odometry through a filter with fixed gains,
the partner's state is known exactly. `in the box`: contacts within all seven limits of the contact box. Each run can be
repeated by its seed.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent / "src" / "qiki_loop" / "test"))

from touching import LIMITS, Touch, Touching


def dead(seed: int) -> tuple[str, str]:
    """A thruster, another one with each seed."""
    return "thruster_stuck_closed", str(seed % 16)


CASES: dict[str, dict[str, Any]] = {
    "pulse_width": {"modulator": "pulse_width"},
    "impulse_bit": {},
    "a dead thruster": {"fault": dead},
    "mass 20 % too large": {"mass_error": 0.2},
    "mass 20 % too small": {"mass_error": -0.2},
    "HOLD (22.5 kW)": {"soc": 0.45},
    "D inhibited inside 0.8 m": {"inhibit": 0.8},
    "partner turns, 0.1 deg/s": {"turn": (0.1, 0.0, 0.0)},
    "partner rolls, 0.1 deg/s": {"turn": (0.0, 0.0, 0.1)},
}
"""Options of `Touching`, or functions of the seed, by name."""


def fly(case: dict[str, Any], seeds: Iterable[int], folder: Path, *, faithful: bool) -> list[Touch | None]:
    """The first contact of each run."""
    touches = []
    for seed in seeds:
        options = {name: value(seed) if callable(value) else value for name, value in case.items()}
        touches.append(Touching(folder, seed, faithful=faithful, **options).fly())
    return touches


def show(name: str, touches: list[Touch | None], cpu: float) -> None:
    """One row."""
    made = [touch for touch in touches if touch is not None]
    good = sum(not touch.missed for touch in made)
    missed = Counter(limit for touch in made for limit in touch.missed)
    if len(made) < len(touches):
        missed["no contact"] = len(touches) - len(made)
    print(f"{name:26}{f'{good} of {len(touches)}':>12}", end="")
    for limit in LIMITS:
        median, high, worst = np.percentile([touch.values[limit] for touch in made], [50, 95, 100])
        print(f"{median:8.3f}{high:6.3f}{worst:6.3f}", end="")
    print(f"{np.mean([touch.propellant for touch in made]):8.2f}{np.mean([touch.firings for touch in made]):6.0f}"
          f"{np.mean([touch.time for touch in made]):6.0f}{sum(touch.inhibited_firings for touch in made):6}{cpu:7.1f}"
          f"  {dict(missed) or ''}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="of each case")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES), help="cases")
    parser.add_argument("--faithful", action="store_true", help="cycles and detector as in the node")
    arguments = parser.parse_args()
    print(f"{'median, p95, worst':26}{'in the box':>12}" + "".join(f"{name:>20}" for name in LIMITS)
          + f"{'kg':>8}{'fired':>6}{'s':>6}{'inh.':>6}{'CPU s':>7}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            begun = time.process_time()
            seeds = range(arguments.first, arguments.first + arguments.runs)
            touches = fly(CASES[name], seeds, Path(folder), faithful=arguments.faithful)
            show(name, touches, (time.process_time() - begun) / len(touches))


if __name__ == "__main__":
    main()
