"""Runs of benchmarks/docking.py: dispersed vehicles, starts, faults; each replayable by set and seed."""

import dataclasses
import functools
import itertools
import math
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from docking_dispersions import FACE, START, VEHICLE, direction, dispersed, station

from qiki_allocator.assembly import assemble
from qiki_docking import Phase, Reason
from qiki_docking.bridge import EdgeState, Role
from qiki_docking.bridge.network import solve
from qiki_docking.faults import FAULTS, PHASES, end
from qiki_loop import ClosedLoop
from qiki_loop.docking_loop import DockingLoop, core_of
from qiki_sim import World
from qiki_sim.scenario import load_scenario
from qiki_vehicle import Vehicle, quaternion

THRUST_OFF = 0.5
"""s after capture, within which no valve is open any more."""
LONGEST = {"near": 700.0, "far": 1500.0}
"""s of simulated time after which a run has failed."""
INJECTED: dict[str, tuple[str, str, str, float]] = {
    "latch jam": ("alpha", "latch_jam", "B", 0.0),
    "umbilical misaligned": ("station", "umbilical_misaligned", "A", 0.0),
    "polarity reversed": ("station", "polarity_reversed", "A", 0.0),
    "contact resistance": ("alpha", "contact_resistance", "B", 20.0),
    "sensors disagree": ("alpha", "port_sensor_wrong", "B", 1.0),
    "contacts welded": ("alpha", "contacts_welded", "B", 0.0),
    "partner silent": ("", "", "", 0.0),
    "partner without power": ("station", "converter_dead", "dock", 0.0),
}
"""Body, kind, target and value of each of `qiki_docking.faults.FAULTS` in the twin; no kind: its core stops."""
OBSERVED = 15.0
"""s for which a bridge is observed that the fault leaves closed."""


@dataclass
class Result:
    """One run. `unsafe`: each thing that was not safe; `margins`: of the seven quantities, least of all contacts."""

    set: str
    seed: int
    kind: str
    ended: str = ""
    reason: str = ""
    text: str = ""
    tries: int = 0
    time: float = math.nan
    propellant: float = math.nan
    energy: float = math.nan
    plume: float = math.nan
    cycles: int = 0
    margins: dict[str, float] = field(default_factory=dict)
    currents: float = 0.0
    """Largest relative error of a current against the closed form."""
    unsafe: list[str] = field(default_factory=list)
    expected: str = ""
    """Phase and reason of the end by the table, of set D; empty: a closed bridge."""
    cpu: float = field(default=math.nan, compare=False, repr=False)
    """s of the processor."""

    @property
    def as_expected(self) -> bool:
        return self.ended == "BRIDGE" if not self.expected else f"{self.ended} {self.reason}" == self.expected


@functools.cache
def vehicle_file() -> Vehicle:
    """The nominal vehicle; reading it takes as long as two seconds of flight."""
    return Vehicle.from_file(VEHICLE)


def build(content: dict[str, Any], seed: int, *, detects: bool = False, **options: Any) -> DockingLoop:
    """The loop of a scenario whose bots are dispersed, with cores that know the nominal vehicle.

    detects: the flight cores judge their thrusters by the motion, which costs time.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "docking.yaml"
        path.write_text(yaml.safe_dump(content))
        scenario = load_scenario(path)
    rng = np.random.default_rng((seed, 1))
    nominal = vehicle_file()
    vehicles = tuple(dispersed(vehicle, rng) for vehicle in scenario.vehicles)
    names = [bot.name for bot in scenario.file.bots]
    hardware = scenario.hardware | dict(zip(names, vehicles, strict=True))
    world = World(dataclasses.replace(scenario, vehicles=vehicles, hardware=hardware), seed)
    controllers = {}
    for name in names:
        core = assemble(nominal, rate=20.0, fault_detection=detects, stopwatch=lambda: 0.0)
        # Mass properties are known from the file, not from telemetry.
        core.update_mass = lambda *_, **__: False  # type: ignore[method-assign]
        controllers[name] = core
    loop = ClosedLoop(world, controllers, control_rate=20.0, telemetry_rate=0)
    cores = {}
    for name in world.docks:
        cores[name] = core_of(world, name, seed, vehicle=nominal, **options.get(name, {}))
        if name in names:
            cores[name].mass = lambda *_: None  # type: ignore[method-assign]
    return DockingLoop(loop, cores, seed=seed, delay=lambda generator: generator.uniform(0.0, 0.1))


class Watch:
    """Judges a run while it flies: contacts, thrust after capture, tank, current at opening contacts."""

    def __init__(self, docking: DockingLoop, result: Result) -> None:
        self.docking, self.result = docking, result
        self.limits = vehicle_file().docking.contact_box
        self._captured: float | None = None
        self._firings = self._cycles()
        self._mass = docking.loop.world.bot("alpha").working_mass

    def step(self, seconds: float = 0.1) -> None:
        """Advance and look."""
        docking, result = self.docking, self.result
        docking.loop.run(seconds)
        for body, kind, payload in docking.loop.world.docking.take_occurrences():
            if kind == "port_contact":
                self._contact(payload)
            elif kind == "captured":
                self._captured = docking.now
            elif kind == "collision":
                self._flag(f"contact outside of the collar at {payload['speed_mps']:.2f} m/s: {body}")
            elif kind in {"latch_broken", "capture_lost"}:
                self._flag(kind)
        bot = docking.loop.world.bot("alpha")
        if bot.working_mass <= 0.0:
            self._flag("tank empty")
        phase = docking.cores["alpha"].phase
        held = phase in (Phase.SOFT_DOCK, Phase.HARD_DOCK, Phase.BRIDGE)
        if held and self._captured is not None and docking.now - self._captured > THRUST_OFF + 0.1:
            if any(bot.valves.open) and result.kind != "stuck open":
                self._flag("thrust after capture")
        elif not held:
            self._captured = None

    def end(self) -> Result:
        """Take the means that the run took."""
        docking, result = self.docking, self.result
        bot, state = docking.loop.world.bot("alpha"), docking.cores["alpha"].state
        result.cycles = self._cycles() - self._firings
        result.time = docking.now
        result.ended, result.reason, result.text = state.phase.value, state.reason.name, state.reason.meaning
        ended = docking.of("alpha", "docking.ended")
        if ended:
            first = ended[0]
            result.tries, result.text = first["tries"], first["text"]
            result.energy = first.get("energy_j", math.nan)
            result.plume = first.get("plume_impulse_ns", math.nan)
        result.propellant = self._mass - bot.working_mass
        return result

    def _contact(self, payload: dict[str, Any]) -> None:
        limits = self.limits
        closing = payload["closing_mps"]
        values = {"closing": min(closing - limits.closing_min, limits.closing_max - closing)}
        names = {
            "lateral_rate": "lateral_rate_mps",
            "tilt_rate": "tilt_rate_radps",
            "roll_rate": "roll_rate_radps",
            "lateral_offset": "lateral_offset_m",
            "tilt": "tilt_rad",
            "roll": "roll_rad",
        }
        values |= {name: float(getattr(limits, name) - abs(payload[key])) for name, key in names.items()}
        # A rebound after the first touch of a try is no first contact.
        if self.docking.cores["alpha"].state.step not in {"close", "hold", "settle"}:
            return
        for name, margin in values.items():
            self.result.margins[name] = min(self.result.margins.get(name, math.inf), margin)
        outside = [name for name, margin in values.items() if margin < 0.0]
        if outside:
            self._flag(f"contact outside of the box: {', '.join(outside)}")

    def _flag(self, text: str) -> None:
        if text not in self.result.unsafe:
            self.result.unsafe.append(text)

    def _cycles(self) -> int:
        return int(np.sum(self.docking.loop.world.bot("alpha").valves.firings))


class LateValves:
    """Valve commands arrive late, by a time of their own each."""

    def __init__(self, loop: ClosedLoop, seed: int, latest: float) -> None:
        self._loop, self._random, self._latest = loop, random.Random(seed), latest
        self._due: list[tuple[int, str, Any]] = []
        self._command, loop.world.command = loop.world.command, self._take  # type: ignore[method-assign]
        loop.join(self)

    @property
    def next_us(self) -> int:
        return min((due for due, _, _ in self._due), default=2**62)

    def run_due(self) -> None:
        now_us = self._loop.world.time_us
        for one in [one for one in self._due if one[0] <= now_us]:
            self._due.remove(one)
            self._command(one[1], one[2])

    def _take(self, bot: str, command: Any) -> None:
        self._due.append(
            (self._loop.world.time_us + round(self._random.uniform(0.0, self._latest) * 1e6), bot, command)
        )


def single(set_: str, seed: int, kind: str, distance: float, rng: np.random.Generator) -> tuple[DockingLoop, Watch]:
    """A bot that stands off a station by `distance` m, dispersed."""
    turn = math.radians(0.1) * rng.uniform() * direction(rng)
    drift = 0.02 * rng.uniform() * direction(rng)
    spin = START["angle"] * rng.standard_normal(3)
    offset = START["near"] if distance < 5.0 else START["position"]
    place = np.array([0.0, 0.0, FACE + 1.2 + distance]) + offset * rng.standard_normal(3)
    entry = {
        "name": "alpha",
        "vehicle": str(VEHICLE),
        "position": place.tolist(),
        "orientation": quaternion.from_rotation_vector(spin).tolist(),
        "velocity": (drift + START["velocity"] * rng.standard_normal(3)).tolist(),
        "angular_velocity": (START["rate"] * rng.standard_normal(3)).tolist(),
    }
    content = {"name": "docking", "seed": 1, "bots": [entry], "bodies": [station(turn, drift)]}
    docking = build(content, seed, detects=set_ in {"B", "C"})
    return docking, Watch(docking, Result(set_, seed, kind))


def fly(docking: DockingLoop, watch: Watch, longest: float, until: Callable[[], bool]) -> None:
    """Order docking as soon as it is accepted, and run until it is over."""
    core, ordered = docking.cores["alpha"], False
    while docking.now < longest and not until():
        watch.step()
        if not ordered and docking.now > 2.0:
            ordered = core.dock("station", "A", "B", now=docking.now).accepted
        elif ordered and core.phase in (Phase.FREE, Phase.FAULT):
            return


def bridged(docking: DockingLoop) -> bool:
    """The bridge carries its final current."""
    output = docking.outputs.get("alpha")
    edges = () if output is None else output.bridge.edges
    return docking.cores["alpha"].phase is Phase.BRIDGE and bool(edges) and edges[0].state is EdgeState.CLOSED


def approach(set_: str, seed: int, near: float = 5.0) -> Result:
    """Sets A, B, C. near: m, of those that do not start at 60 m."""
    rng = np.random.default_rng((seed, ord(set_)))
    far = set_ == "A" and seed % 3 == 2
    kind = "from 60 m" if far else f"from {near:g} m"
    if set_ == "B":
        kind = f"thruster {seed % 16} dead"
    if set_ == "C":
        kind = ("weak", "stuck open", "late valves")[seed % 3]
    docking, watch = single(set_, seed, kind, 60.0 if far else near, rng)
    world = docking.loop.world
    if set_ == "B":
        world.inject_fault("alpha", "thruster_stuck_closed", str(seed % 16))
    elif kind == "weak":
        world.inject_fault("alpha", "thruster_weak", str(rng.integers(16)), float(rng.uniform(0.3, 0.9)))
    elif kind == "late valves":
        LateValves(docking.loop, seed, 0.05)
    opened = float(rng.uniform(5.0, 12.0 * near))
    thruster = str(rng.integers(16))

    def over() -> bool:
        nonlocal opened
        if kind == "stuck open" and docking.now >= opened:
            opened = math.inf
            world.inject_fault("alpha", "thruster_stuck_open", thruster, 0.0, 0.3)
        return bridged(docking)

    fly(docking, watch, LONGEST["far" if far else "near"], over)
    return watch.end()


def faulty(seed: int) -> Result:
    """Set D: one fault in one phase, until the bot is free or a fault holds it, or its bridge stays closed."""
    name, phase = list(FAULTS)[seed % len(FAULTS)], PHASES[seed // len(FAULTS) % len(PHASES)]
    docking, watch = single("D", seed, f"{name} in {phase}", 1.5, np.random.default_rng((seed, 4)))
    core, world = docking.cores["alpha"], docking.loop.world
    ended, reason = end(FAULTS[name], phase, vehicle_file())
    watch.result.expected = f"{ended} {reason.name}"
    if phase is Phase.UNDOCKING:
        fly(docking, watch, LONGEST["near"], lambda: bridged(docking))
        core.undock(docking.now)
    fly(docking, watch, LONGEST["near"], lambda: core.phase is phase)
    if core.phase is phase:
        body, kind, target, value = INJECTED[name]
        if kind:
            world.inject_fault(body, kind, target, value)
        else:
            docking.silent.add("station")
    until, closed = docking.now + LONGEST["near"], 0.0
    while docking.now < until and core.phase not in (Phase.FREE, Phase.FAULT) and closed < OBSERVED:
        watch.step()
        closed = closed + 0.1 if core.phase is Phase.BRIDGE else 0.0
    return watch.end()


def cascade(seed: int) -> Result:
    """Set E: a chain of 2 to 4 hops from a source, closed hop by hop."""
    rng = np.random.default_rng((seed, 5))
    names = ["bravo", "alpha", "charlie", "delta", "echo"][: 3 + seed % 3]
    bots = [{"name": name, "vehicle": str(VEHICLE), "position": [0.0, 0.0, 0.0]} for name in names]
    joints = [{"body": below, "port": "B", "to": above, "to_port": "A"} for above, below in itertools.pairwise(names)]
    power = float(rng.uniform(62.0 * (len(names) - 1), 250.0))
    options = {"bravo": {"role": Role.SOURCE, "source_power": power}}
    content = {"name": "cascade", "seed": 1, "bots": bots, "docked": joints}
    docking = build(content, seed, **options)
    watch = Watch(docking, Result("E", seed, f"{len(names) - 1} hops"))
    for above, below in itertools.pairwise(names):
        core = docking.cores[below]
        while docking.now < 300.0 and core.phase is not Phase.BRIDGE:
            if core.phase is Phase.FREE and docking.now > 1.0:
                core.dock(above, "A", "B", now=docking.now)
            watch.step()
    for _ in range(50):
        watch.step()
    result = watch.end()
    bridges = {name: output.bridge for name, output in docking.outputs.items()}
    served = [math.fsum(bridges[name].served) for name in names[1:]]
    hops = len(names) - 1
    volts = solve(28.0, list(range(-1, hops - 1)), [0.05] * hops, served)
    if volts is None or any(docking.cores[name].phase is not Phase.BRIDGE for name in names[1:]):
        result.ended, result.reason = "FAULT", Reason.NO_VOLTS.name
        return result
    for hop, name in enumerate(names[1:]):
        expected = math.fsum(watts / v for watts, v in zip(served[hop:], volts[hop:], strict=True))
        edge = next(edge for edge in bridges[name].edges if edge.partner == names[hop])
        result.currents = max(result.currents, abs(edge.current / expected - 1.0))
    if result.currents > 0.02:
        result.unsafe.append(f"current {100.0 * result.currents:.1f} % off")
    return result


RUNS: dict[str, tuple[int, Callable[[int], Result]]] = {
    "A": (300, lambda seed: approach("A", seed)),
    "B": (160, lambda seed: approach("B", seed)),
    "C": (160, lambda seed: approach("C", seed)),
    "D": (240, faulty),
    "E": (50, cascade),
}
"""Number of runs and the run of a seed, by set."""


def run(set_: str, seed: int) -> Result:
    """One run."""
    began = time.process_time()
    result = RUNS[set_][1](seed)
    result.cpu = time.process_time() - began
    return result
