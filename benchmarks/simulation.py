"""Simulated seconds per wall second of the digital twin without ROS, beside bare mj_step of the same model.

Each bot's thrusters are pulsing: a command every 10 ms, pulses of 30 to 90 ms on some thrusters at random.
Prints one line per number of bots, and the CPU time of a radar frame and of a transmission among them.
Compare figures of one run only.

    ./qiki env python benchmarks/simulation.py [--seconds 5] [--repeats 3]
"""

import argparse
import tempfile
import time
from pathlib import Path

import mujoco
import numpy as np
import yaml

from qiki_sim import Transmission, ValveCommand, World

VEHICLE = Path(__file__).resolve().parents[1] / "launch/config/vehicles/dodecahedron.yaml"
CONTROL_PERIOD = 0.01  # s
OPENING_SHARE = 0.02  # 1, chance that an idle thruster starts a pulse in a control period


def scenario(folder: str, bots: int) -> Path:
    """A scenario of that many bots on a grid, 10 m apart."""
    entries = [
        {"name": f"bot_{i}", "vehicle": str(VEHICLE), "position": [10.0 * (i % 4), 10.0 * (i // 4), 0.0]}
        for i in range(bots)
    ]
    path = Path(folder) / f"bots_{bots}.yaml"
    path.write_text(yaml.safe_dump({"name": f"bots_{bots}", "bots": entries}), encoding="utf-8")
    return path


def commands(world: World, seconds: float) -> list[list[ValveCommand]]:
    """Per control period and bot a command, made beforehand so that making it is not measured."""
    random = np.random.default_rng(7)
    periods = round(seconds / CONTROL_PERIOD)
    closes_at = np.zeros((len(world.bots), 16))
    table = []
    for period in range(periods):
        stamp = period * CONTROL_PERIOD
        row = []
        for bot in range(len(world.bots)):
            starts = (random.random(16) < OPENING_SHARE) & (closes_at[bot] + 0.03 <= stamp)
            offset = random.random(16) * CONTROL_PERIOD
            ends = starts & True
            opening = np.where(starts, offset, np.nan)
            closes_at[bot, ends] = stamp + offset[ends] + random.uniform(0.03, 0.09, int(ends.sum()))
            due = (closes_at[bot] >= stamp) & (closes_at[bot] <= stamp + CONTROL_PERIOD)
            closing = np.where(due, np.clip(closes_at[bot] - stamp, 0.0, CONTROL_PERIOD), np.nan)
            row.append(ValveCommand(stamp, CONTROL_PERIOD, opening, closing))
        table.append(row)
    return table


def fly(path: Path, seconds: float) -> tuple[float, int]:
    """Wall seconds that the flight took, and how often a valve opened."""
    world = World.from_file(path)
    table = commands(world, seconds)
    start = time.perf_counter()
    for row in table:
        for bot, command in zip(world.bots, row, strict=True):
            world.command(bot, command)
        world.step(CONTROL_PERIOD)
    wall = time.perf_counter() - start
    return wall, sum(sum(world.bot(bot).valves.firings) for bot in world.bots)


def bare(path: Path, seconds: float) -> float:
    """Wall seconds of nothing but mj_step over the same time, five steps a call."""
    bodies = World.from_file(path).bodies
    bodies.data.ctrl[:] = 1.0
    start = time.perf_counter()
    for _ in range(round(seconds / CONTROL_PERIOD)):
        mujoco.mj_step(bodies.model, bodies.data, nstep=round(CONTROL_PERIOD / bodies.model.opt.timestep))
    return time.perf_counter() - start


def air(path: Path, count: int) -> tuple[float, float]:
    """CPU milliseconds of a radar frame of the first bot, and of a transmission that all others receive."""
    world = World.from_file(path)
    first, *others = world.bots
    world.step(CONTROL_PERIOD)
    start = time.process_time()
    for _ in range(count):
        world.radar(first)
    read = time.process_time()
    for _ in range(count):
        world.transmit(first, Transmission(bytes(81), 30.0))
    world.air.advance(world.time_us + 1000)
    end = time.process_time()
    if any(len(world.take_receptions(other)) != count for other in others):
        raise RuntimeError("a reception is missing")
    return 1e3 * (read - start) / count, 1e3 * (end - read) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="simulated seconds of each run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the fastest counts")
    arguments = parser.parse_args()
    print(f"{'bots':>4} {'real time':>10} {'ms per bot s':>13} {'bare mj_step':>13} {'ratio':>6} {'firings/s/bot':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for bots in (1, 4, 16):
            path = scenario(folder, bots)
            flights = [fly(path, arguments.seconds) for _ in range(arguments.repeats)]
            wall, firings = min(flights)
            base = min(bare(path, arguments.seconds) for _ in range(arguments.repeats))
            per_bot = 1e3 * wall / arguments.seconds / bots
            rate = firings / arguments.seconds / bots
            print(
                f"{bots:>4} {arguments.seconds / wall:>9.1f}x {per_bot:>13.2f} {arguments.seconds / base:>12.1f}x "
                f"{wall / base:>6.2f} {rate:>14.1f}"
            )
        print(f"\n{'bots':>4} {'ms per radar frame':>19} {'ms per transmission':>20}")
        for bots in (2, 16):
            frame, transmission = min(air(scenario(folder, bots), 300) for _ in range(arguments.repeats))
            print(f"{bots:>4} {frame:>19.3f} {transmission:>20.3f}")


if __name__ == "__main__":
    main()
