"""Simulated seconds per CPU second of twin and flight core stepped together (qiki_loop), and where the time goes.

One bot holds its attitude and follows a wrench that a pilot commands ten times per simulated second, so that it pulses
all the while. Each configuration flies the same; the split is by clock readings around the parts, which cost a little.

    ./qiki env python benchmarks/closed_loop.py [--seconds 60] [--repeats 3]
"""

import argparse
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_loop import ClosedLoop

SCENARIO = Path(__file__).resolve().parents[1] / "launch/config/scenarios/single.yaml"
BOT = "alpha"
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "100 Hz, everything on": {},
    "100 Hz, no telemetry": {"telemetry_rate": 0.0},
    "20 Hz, no telemetry": {"control_rate": 20.0, "telemetry_rate": 0.0},
    "20 Hz, no telemetry, no fault detection": {
        "control_rate": 20.0,
        "telemetry_rate": 0.0,
        "fault_detection": False,
    },
}


def start(options: dict[str, Any]) -> ClosedLoop:
    """A loop with its pilot, one second old."""
    loop = ClosedLoop.from_file(SCENARIO, seed=1, **options)
    loop.act(BOT, lambda controller, now: controller.set_attitude(now, AttitudeMode.HOLD))

    def fly(_: object) -> None:
        if loop.world.time_us % 100_000 == 0:
            loop.command(BOT, [60.0 * np.sin(loop.time), 0.0, 0.0, 0.0, 0.0, 0.0])

    loop.listen(BOT, "odom", fly)
    loop.run(1.0)
    return loop


def speed(options: dict[str, Any], seconds: float) -> float:
    """Simulated seconds per CPU second."""
    loop = start(options)
    begun = time.process_time()
    loop.run(seconds)
    return seconds / (time.process_time() - begun)


class Split:
    """CPU time of parts, without that of the parts inside them."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inside = [0.0]

    def measure(self, name: str, owner: object, *methods: str) -> None:
        """Count calls of these methods of an object as that part."""
        for method in methods:
            setattr(owner, method, self._timed(name, getattr(owner, method)))

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            begun = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                whole = time.perf_counter() - begun
                self.spent[name] = self.spent.get(name, 0.0) + whole - self._inside.pop()
                self._inside[-1] += whole

        return timed


def split(options: dict[str, Any], seconds: float) -> dict[str, float]:
    """Share of each part."""
    loop, parts = start(options), Split()
    controller, world = loop.controller(BOT), loop.world
    parts.measure("rigid bodies", world.bodies, "advance")
    parts.measure("hardware", world, "step", "command")
    parts.measure("sensors", world, "odom", "valves", "energy", "thermal", "mass_properties")
    parts.measure("fault detection", controller.drive.faults, "move_seen")
    parts.measure(
        "telemetry in", controller, "update_motion", "update_valves", "update_energy", "update_thermal", "update_mass"
    )
    parts.measure("telemetry out", controller, "telemetry")
    parts.measure("commands and cycles", controller, "command", "tick")
    begun = time.perf_counter()
    loop.run(seconds)
    whole = time.perf_counter() - begun
    shares = {name: spent / whole for name, spent in parts.spent.items()}
    return {**shares, "exchange": 1.0 - sum(shares.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="simulated, of each run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each configuration, of which the best counts")
    arguments = parser.parse_args()
    for name, options in CONFIGURATIONS.items():
        best = max(speed(options, arguments.seconds) for _ in range(arguments.repeats))
        print(f"{name:42}{best:8.1f} times real time", flush=True)
        shares = sorted(split(options, arguments.seconds).items(), key=lambda item: -item[1])
        print("    " + ", ".join(f"{part} {100 * share:.0f} %" for part, share in shares), flush=True)


if __name__ == "__main__":
    main()
