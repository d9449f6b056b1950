"""Each modulator in one attitude loop: on-time against the ideal, firings, propellant, pointing, time of a cycle.

    ./qiki env python benchmarks/modulation.py [--quick] [--seconds 300]

The vehicle's thrusters hold an attitude against a small constant torque, at 100 Hz, with the proportional-derivative
law of qiki_allocator.flight.attitude as the vehicle file sets it. Two bodies: 1000 kg m2 about every axis, and the
vehicle. Ideal: thrusters that throttle, in the same loop; its on-time is the integral of force over f_max. Sensors are
perfect, so that what is seen is the modulator's. The law has no integral part: the torque leaves the ideal an error.

The body is rigid; its torque is constant between valve edges, and each such piece is integrated by a Runge-Kutta step
of fourth order, at most 10 ms long (error of the angular momentum over ten minutes: below 1e-9 of it).
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qiki_allocator import Allocator, Limits
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.assembly import build_modulator, thrusters
from qiki_allocator.flight.attitude import ControlConfig, attitude_error, attitude_hold
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.modulator import Modulator
from qiki_vehicle import MassProperties, Vehicle

VEHICLE = Path(__file__).resolve().parent.parent / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
RATE = 100.0
"""Hz of the loop."""
LEAD = 0.02
"""s"""
DISTURBANCE = np.array([0.5, -0.4, 0.3])
"""N m, in base_link."""
START = np.array([0.5, -0.3, 0.4])
"""deg, rotation vector of the attitude at the start."""
SETTLE = 30.0
"""s from the start that do not count."""
MODULATORS = {
    "pulse width": "pulse_width",
    "PWPF": "pwpf",
    "bang-bang": "bang_bang",
    "impulse bit": "impulse_bit",
}
"""Kinds by name."""
GRAVITY = 9.80665
"""m/s2, of the specific impulse."""
GENTLE = 0.2
"""deg/s, limit of the rates at a contact."""


class RigidBody:
    """Attitude (4,) x, y, z, w and rates (3,) rad/s in base_link, moved on under a constant torque."""

    def __init__(self, inertia: Floats) -> None:
        self.inertia = np.diag(inertia)
        self._inverse = 1.0 / self.inertia
        half = 0.5 * np.radians(START)
        angle = float(np.linalg.norm(half))
        self.attitude = np.append(half * (math.sin(angle) / angle), math.cos(angle))
        self.rates = np.zeros(3)

    def advance(self, torque: Floats, duration: float) -> None:
        """Let some seconds pass, at most 10 ms."""
        state = np.concatenate([self.attitude, self.rates])
        k1 = self._derivative(state, torque)
        k2 = self._derivative(state + 0.5 * duration * k1, torque)
        k3 = self._derivative(state + 0.5 * duration * k2, torque)
        k4 = self._derivative(state + duration * k3, torque)
        state = state + duration / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        self.attitude = state[:4] / math.sqrt(state[:4].dot(state[:4]))
        self.rates = state[4:]

    def _derivative(self, state: Floats, torque: Floats) -> Floats:
        x, y, z, w, p, q, r = state.tolist()
        a, b, c = self.inertia.tolist()
        t = torque.tolist()
        i = self._inverse.tolist()
        return np.array(
            [
                0.5 * (w * p + y * r - z * q),
                0.5 * (w * q + z * p - x * r),
                0.5 * (w * r + x * q - y * p),
                -0.5 * (x * p + y * q + z * r),
                (t[0] - (c - b) * q * r) * i[0],
                (t[1] - (a - c) * r * p) * i[1],
                (t[2] - (b - a) * p * q) * i[2],
            ]
        )


class Throttled:
    """Ideal actuators: every thruster gives the force that is asked of it."""

    def __init__(self, allocator: Allocator, limits: Limits) -> None:
        self._allocator = allocator
        self._limits = limits
        self.on_time = np.zeros(len(allocator.array))
        self.firings = 0
        self.cpu = [0.0]

    def pieces(self, _now: float, wrench: Floats) -> list[tuple[float, Floats]]:
        """(duration, s; thrust, (n,) N) of the next cycle."""
        forces = self._allocator.solve(wrench, self._limits).forces
        self.on_time += forces / self._allocator.array.f_max / RATE
        return [(1.0 / RATE, forces)]


class Valves:
    """Valves that do what a modulator commands, at the instant."""

    def __init__(self, modulator: Modulator, limits: Limits) -> None:
        self._modulator = modulator
        self._limits = limits
        self._f_max = modulator.allocator.array.f_max
        n = len(self._f_max)
        self._is_open = np.zeros(n, dtype=bool)
        self._edges: list[tuple[float, int, bool]] = []
        self.on_time = np.zeros(n)
        self.firings = 0
        self.cpu: list[float] = []

    def pieces(self, now: float, wrench: Floats) -> list[tuple[float, Floats]]:
        """(duration, s; thrust, (n,) N) of the next cycle."""
        begun = time.process_time()
        command = self._modulator.step(now, wrench, self._limits)
        self.cpu.append(time.process_time() - begun)
        if command is not None:
            self._take(command)
        end = now + 1.0 / RATE
        found = []
        for at, valve, opens in [*(edge for edge in self._edges if edge[0] < end), (end, -1, False)]:
            found.append((at - now, self._f_max * self._is_open))
            self.on_time += self._is_open * (at - now)
            now = at
            if valve >= 0:
                self.firings += opens and not self._is_open[valve]
                self._is_open[valve] = opens
        self._edges = [edge for edge in self._edges if edge[0] >= end]
        return [piece for piece in found if piece[0] > 0.0]

    def _take(self, command: ValveCommand) -> None:
        edges = [edge for edge in self._edges if edge[0] < command.start]
        for opens, times in ((True, command.open_time), (False, command.close_time)):
            edges += [(command.start + at, i, opens) for i, at in enumerate(times.tolist()) if not math.isnan(at)]
        self._edges = sorted(edges)


@dataclass(frozen=True)
class Result:
    """In the time that counts, s: on_time, s, impulse, N s, and firings; error, deg, rms and largest; rate, deg/s, rms;
    gentle: share of the time with a rate below `GENTLE`; cpu, s of a step, mean and largest."""

    time: float
    on_time: float
    impulse: float
    firings: int
    error: float
    largest: float
    rate: float
    gentle: float
    cpu: tuple[float, float]


def run(
    actuators: Throttled | Valves, effectiveness: Floats, body: MassProperties, config: ControlConfig, seconds: float
) -> Result:
    """Hold the attitude for some seconds."""
    plant = RigidBody(body.inertia)
    target = np.array([0.0, 0.0, 0.0, 1.0])
    settled = round(SETTLE * RATE)
    errors, rates = [], []
    on_time, impulse, firings = 0.0, 0.0, 0
    for k in range(round((SETTLE + seconds) * RATE)):
        if k == settled:
            on_time, firings = float(actuators.on_time.sum()), actuators.firings
            impulse = 0.0
        if k >= settled:
            errors.append(np.linalg.norm(attitude_error(plant.attitude, target)))
            rates.append(np.linalg.norm(plant.rates))
        wrench = attitude_hold(plant.attitude, plant.rates, target, body, config)
        for duration, thrust in actuators.pieces(1.0 + k / RATE, wrench):
            plant.advance(effectiveness[3:].dot(thrust) + DISTURBANCE, duration)
            impulse += float(thrust.sum()) * duration
    error, rate = np.degrees(errors), np.degrees(rates)
    return Result(
        time=seconds,
        on_time=float(actuators.on_time.sum()) - on_time,
        impulse=impulse,
        firings=actuators.firings - firings,
        error=float(np.sqrt(np.mean(error**2))),
        largest=float(error.max()),
        rate=float(np.sqrt(np.mean(rate**2))),
        gentle=float(np.mean(rate < GENTLE)),
        cpu=(float(np.mean(actuators.cpu)), max(actuators.cpu)),
    )


def show(name: str, result: Result, ideal: Result, isp: float) -> None:
    """One row."""
    mean, longest = result.cpu
    print(f"{name:20}{result.on_time / ideal.on_time:9.1f}{3600.0 * result.on_time / result.time:9.0f}"
          f"{3600.0 * result.firings / result.time:11.0f}{3600.0 * result.impulse / result.time / isp / GRAVITY:8.1f}"
          f"{result.error:9.3f}{result.largest:9.3f}{result.rate:11.4f}{100.0 * result.gentle:8.1f}"
          f"{1e6 * mean:9.0f}{1e3 * longest:9.1f}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="simulated, of each run")
    parser.add_argument("--quick", action="store_true", help="30 s of each run")
    arguments = parser.parse_args()
    seconds = 30.0 if arguments.quick else arguments.seconds
    begun = time.perf_counter()
    vehicle = Vehicle.from_file(VEHICLE)
    array = thrusters(vehicle)
    effectiveness = array.effectiveness
    limits = Limits(vehicle.propulsion.peak_power)

    def allocator() -> Allocator:
        return Allocator(array, vehicle.propulsion.watts_per_newton)

    def valves(kind: str, body: MassProperties) -> Valves:
        modulator = build_modulator(vehicle, kind, allocator(), rate=RATE, lead=LEAD)
        modulator.move(body)
        return Valves(modulator, limits)

    config = ControlConfig(**vehicle.control.attitude.model_dump())
    bodies = {"J 1000 kg m2": (1000.0,) * 3, vehicle.name: vehicle.body.inertia}
    for title, inertia in bodies.items():
        body = MassProperties(mass=vehicle.body.mass, inertia=np.diag(inertia), com=np.array(vehicle.body.com))
        print(f"\n{title}, {seconds:g} s after {SETTLE:g} s")
        print(f"{'':20}{'x ideal':>9}{'on s/h':>9}{'firings/h':>11}{'kg/h':>8}{'rms deg':>9}{'max':>9}{'rms deg/s':>11}"
              f"{'gentle %':>9}{'us/step':>8}{'max ms':>9}")  # fmt: skip
        ideal = run(Throttled(allocator(), limits), effectiveness, body, config, seconds)
        show("ideal (throttled)", ideal, ideal, vehicle.body.isp)
        for name, kind in MODULATORS.items():
            show(name, run(valves(kind, body), effectiveness, body, config, seconds), ideal, vehicle.body.isp)
    print(f"\n{time.perf_counter() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
