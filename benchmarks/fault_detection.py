"""Detection time and false alarms of the fault detector, over random flights in the digital twin.

    ./qiki env python benchmarks/fault_detection.py [--runs 4] [--free 32] [--seconds 30] [--seed 1]

Each flight commands random wrenches, held for random times, with the spin damped, through the allocator and its pulse
width modulator; the twin moves the bot and its odometry, with the noise of the vehicle file, goes to the detector.
`--runs` flights for each of the 16 thrusters and each kind of fault, each fault at a random moment; `--free` flights
without a fault. A fault is found when its thruster is named, and whether it gives too little or cannot be closed. The
allocator does not learn of the fault, so that detection time is that of the detector alone.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.health.detection import DEAD, STUCK_OPEN, WEAK, FaultDetector, Verdict
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.modulation.ledger import Reader, ValveLedger
from qiki_allocator.modulation.pulse_width import PulseWidth
from qiki_sim import ValveCommand, World, faults

CONFIG = Path(__file__).parents[1] / "launch/config"
BOT = "alpha"
TICK = 0.01  # s, of the control loop
TICKS_PER_SAMPLE = 2  # odometry at 50 Hz
TICKS_PER_MASS = 100
REACH = np.array([600.0, 600.0, 600.0, 200.0, 300.0, 500.0])  # N, N m, of the random wrenches
DAMPING = 400.0  # N m s, of the spin
FAULTS = {DEAD: (faults.STUCK_CLOSED, 0.0), WEAK: (faults.WEAK, 0.5), STUCK_OPEN: (faults.STUCK_OPEN, 1.0)}


@dataclass
class Outcome:
    """One flight: verdict, how long it took after the fault and how long the thruster was commanded open till then, how
    long the flight was; s of simulated time, and CPU s of each observe()."""

    verdict: Verdict | None
    delay: float
    excited: float
    flown: float
    costs: list[float]


def fly(seed: int, seconds: float, fault: tuple[str, int] | None) -> Outcome:
    """One flight, until the first verdict."""
    random = np.random.default_rng(seed)
    world = World.from_file(CONFIG / "scenarios/single.yaml", seed=seed)
    vehicle = world.bot(BOT).vehicle
    array = ThrusterArray.of(vehicle.thrusters, com=vehicle.body.com)
    power = vehicle.propulsion.continuous_power
    modulator = PulseWidth(Allocator(array, vehicle.propulsion.watts_per_newton))
    noise, rates = vehicle.sensors.noise, vehicle.sensors.rates
    detector = FaultDetector(
        array,
        vehicle.body.mass,
        np.diag(vehicle.body.inertia),
        DetectorSettings(noise.velocity, noise.angular_velocity, rates.odom),
    )
    ledger = ValveLedger(len(array))
    log = Reader(ledger)
    log.advance(world.time)
    begins = random.uniform(2.0, 5.0)
    excited, costs = 0.0, []
    is_faulty = False
    held, wrench, spin = 0.0, np.zeros(6), np.zeros(3)
    for tick in range(round(seconds / TICK)):
        now = world.time
        if fault is not None and not is_faulty and now >= begins:
            kind, share = FAULTS[fault[0]]
            world.inject_fault(BOT, kind, str(fault[1]), share)
            is_faulty, begins = True, now
        if now >= held:
            held = now + random.uniform(0.2, 3.0)
            wrench = random.uniform(-0.5, 0.5, 6) * REACH * (random.random(6) < 0.5)
        commanded = wrench - DAMPING * np.concatenate([np.zeros(3), spin])
        sent = modulator.step(now, commanded, Limits(power))
        if sent is not None:
            world.command(BOT, ValveCommand(sent.start, sent.window, sent.open_time, sent.close_time))
            ledger.take(sent)
        world.step(TICK)
        if tick % TICKS_PER_MASS == 0:
            mass = world.mass_properties(BOT)
            detector.track_body(array, mass.mass, mass.inertia)
        if tick % TICKS_PER_SAMPLE:
            continue
        odometry = world.odom(BOT)
        spin = odometry.angular_velocity
        on = log.advance(world.time)
        if is_faulty:
            excited += on[fault[1]]
        begin = time.thread_time()
        verdict = detector.observe(world.time, odometry.velocity, odometry.angular_velocity, on)
        costs.append(time.thread_time() - begin)
        if verdict is not None:
            return Outcome(verdict, world.time - begins, excited, world.time, costs)
    return Outcome(None, np.nan, excited, world.time, costs)


def spread(values: list[float], unit: str) -> str:
    """Median, 99th percentile and largest."""
    if not values:
        return "N/A"
    middle, high = np.percentile(values, [50, 99])
    return f"{middle:.2f} / {high:.2f} / {max(values):.2f} {unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4, help="flights per thruster and kind of fault")
    parser.add_argument("--free", type=int, default=32, help="flights without a fault")
    parser.add_argument("--seconds", type=float, default=30.0, help="longest flight")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seed = options.seed
    columns = f"{'after (p50 / p99 / max)':<28}{'commanded open till then':<28}level error"
    print(f"{'fault':<12}{'found':>9}{'misnamed':>10}  {columns}")
    for kind, (_, share) in FAULTS.items():
        right: list[Outcome] = []
        wrong: list[Outcome] = []
        for run in range(16 * options.runs):
            seed += 1
            outcome = fly(seed, options.seconds, (kind, run % 16))
            verdict = outcome.verdict
            if verdict is None:
                continue
            same = {DEAD, WEAK} if kind in {DEAD, WEAK} else {STUCK_OPEN}
            named = verdict.kind in same and verdict.thrusters == (run % 16,) and outcome.delay >= 0.0
            (right if named else wrong).append(outcome)
        print(
            f"{kind:<12}{f'{len(right)}/{16 * options.runs}':>9}{len(wrong):>10}  "
            f"{spread([o.delay for o in right], 's'):<28}"
            f"{spread([o.excited for o in right], 's'):<28}"
            f"{spread([abs(o.verdict.level - share) for o in right if o.verdict], '')}"
        )
        for outcome in wrong:
            print(f"    {outcome.verdict}")
    alarms, flown, costs = 0, 0.0, []
    for _ in range(options.free):
        seed += 1
        outcome = fly(seed, options.seconds, None)
        costs += outcome.costs
        flown += outcome.flown
        if outcome.verdict is not None:
            alarms += 1
            print(f"    {outcome.verdict}")
    print(f"no fault: {alarms} false alarms in {flown:.0f} s, {3600.0 * alarms / flown:.1f} per hour")
    middle, high = np.percentile(np.array(costs) * 1e6, [50, 99])
    print(f"observe(): CPU {middle:.0f} us p50, {high:.0f} us p99 of {len(costs)} samples without a fault")


if __name__ == "__main__":
    main()
