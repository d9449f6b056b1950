"""Twin, flight cores and docking cores stepped together, without ROS."""

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from qiki_docking.bridge import Role
from qiki_docking.core import DockingCore, Output
from qiki_docking.record import Record
from qiki_docking.values import Order, rebuilt
from qiki_loop.closed_loop import ClosedLoop
from qiki_loop.link import NEVER, Link
from qiki_loop.steering import Helm, authority
from qiki_sim import World
from qiki_sim.readings import EnergyReading, Motion
from qiki_vehicle import Pose

if TYPE_CHECKING:
    from qiki_docking.values import Occurrence

_CYCLE_US = 100_000
"""us between two cycles of a docking core."""
_STATES = 2
"""Cycles between two states of a body in which nothing has changed."""


class DockingLoop:
    """A world, the flight cores of its bots, and the docking cores of all bodies with docking hardware.

        docking = DockingLoop.from_file("launch/config/scenarios/docking.yaml", seed=1)
        docking.cores["alpha"].dock("station", now=docking.now)
        docking.loop.run_until(lambda: docking.cores["alpha"].phase == "BRIDGE", 300.0)

    Readings and messages go as on the graph: dock readings at the rate of the vehicle file, states of bodies at 10 Hz
    and 5 Hz, each with a delay of its own. All randomness comes from one seed: a rerun is bit-equal.

    Attributes:
        loop: twin and flight cores; its `run` steps the docking cores too.
        cores: by body.
        outputs: of the latest cycle. occurrences: of each core since the start.
    """

    def __init__(
        self,
        loop: ClosedLoop,
        cores: Mapping[str, DockingCore],
        *,
        seed: int = 0,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        delay: Callable[[random.Random], float] = lambda _: 0.02,
        sensor_delay: Callable[[random.Random], float] = lambda _: 0.02,
    ) -> None:
        """options: of the cores, for their restart. delay, sensor_delay: s, of messages and of dock readings."""
        self.loop, self.cores = loop, dict(cores)
        self.outputs: dict[str, Output] = {}
        self.occurrences: dict[str, list[Occurrence]] = {body: [] for body in cores}
        self._seed, self._options = seed, dict(options or {})
        self.silent: set[str] = set()
        """Bodies whose docking core does not run."""
        self._random = random.Random(seed)
        self._delays = {"state": delay, "reading": sensor_delay}
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._stations = {body: _Station(self, body) for body in cores}
        loop.join(self)

    @classmethod
    def from_file(
        cls,
        scenario: str | Path,
        seed: int | None = None,
        *,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        delay: Callable[[random.Random], float] = lambda _: 0.02,
        sensor_delay: Callable[[random.Random], float] = lambda _: 0.02,
        **assembled: Any,
    ) -> Self:
        """The loop of a scenario file; options: of `DockingCore` by body, `assembled`: of `ClosedLoop.from_file`.

        Bodies without thrusters are docked to only, and those that feed the bridges are sources.

        Raises:
            ConfigurationError: a file or an option is refused.
        """
        loop = ClosedLoop.from_file(scenario, seed, **assembled)
        number = 0 if seed is None else seed
        cores = {body: core_of(loop.world, body, number, **(options or {}).get(body, {})) for body in loop.world.docks}
        return cls(loop, cores, seed=number, options=options, delay=delay, sensor_delay=sensor_delay)

    def restart(self, body: str) -> None:
        """Replace a docking core by another with the state of its events and its file, as after a kill of its node."""
        old = self.cores[body]
        events = ((one.type, one.payload) for one in self.occurrences[body])
        record = None if old.record is None else Record.from_payload(old.record.as_payload())
        kept = {"state": rebuilt(events), "docking_id": old.docking_id, "record": record}
        self._seed += 1  # other nonces than those before
        self.cores[body] = core_of(self.loop.world, body, self._seed, **{**self._options.get(body, {}), **kept})

    @property
    def now(self) -> float:
        """s, simulated time."""
        return self.loop.time

    def of(self, body: str, type: str) -> list[Mapping[str, Any]]:
        """Payloads of a core's occurrences of one type."""
        return [one.payload for one in self.occurrences[body] if one.type == type]

    # Part of the closed loop ------------------------------------------------------------------------------------------

    @property
    def next_us(self) -> int:
        """Simulated time at which something is due, us."""
        mail = self._mail[0][0] if self._mail else NEVER
        return min([mail, *(station.next_us for station in self._stations.values())])

    def run_due(self) -> None:
        """Deliver messages, read sensors and run cores as they are due."""
        now_us = self.loop.world.time_us
        while self._mail and self._mail[0][0] <= now_us:
            heapq.heappop(self._mail)[2]()
        for station in self._stations.values():
            station.run_due(now_us)

    def post(self, kind: str, deliver: Callable[[], None]) -> None:
        """Deliver after the delay of a kind, "state" or "reading"."""
        due_us = self.loop.world.time_us + round(self._delays[kind](self._random) * 1e6)
        heapq.heappush(self._mail, (due_us, next(self._numbers), deliver))


class _Station:
    """Docking core of one body, connected to the twin, its flight core and the other bodies."""

    def __init__(self, docking: DockingLoop, body: str) -> None:
        self._docking, self._body = docking, body
        self._world = docking.loop.world
        link: Link | None = docking.loop.links.get(body)
        self._link, self._helm = link, None if link is None else Helm(link)
        rate = self._world.scenario.hardware[body].sensors.rates.dock
        self._reading_us = round(1e6 / rate)
        self._read_due_us = self._cycle_due_us = self._world.time_us
        self._sent: dict[str, tuple[object, int]] = {}
        self._cycles = 0
        if link is not None:
            link.listen("odom", self._odom)
            link.listen("thruster_state", lambda reading: self._core.fired(reading.on_time))
            link.listen("energy", self._energy)
            link.listen("mass_properties", lambda properties: self._core.mass(properties, self._working_mass()))

    @property
    def _core(self) -> DockingCore:
        return self._docking.cores[self._body]

    @property
    def next_us(self) -> int:
        return min(self._read_due_us, self._cycle_due_us)

    def run_due(self, now_us: int) -> None:
        if now_us >= self._read_due_us:
            self._read_due_us = max(self._read_due_us + self._reading_us, now_us + 1)
            reading = self._world.dock(self._body)
            if reading is not None:
                self._docking.post("reading", lambda: self._core.reading(reading, self._docking.now))
        if now_us >= self._cycle_due_us:
            self._cycle_due_us += _CYCLE_US
            if self._body not in self._docking.silent:
                self._cycle()

    def _cycle(self) -> None:
        core, now = self._core, self._docking.now
        if self._link is not None:
            core.authority(authority(self._link.controller))
        output = self._docking.outputs[self._body] = core.step(now)
        self._docking.occurrences[self._body] += core.take_occurrences()
        self._world.command_dock(self._body, output.command)
        if self._helm is not None:
            self._helm.steer(output.steering, touching=output.touching)
        self._cycles += 1
        state, bridge = output.state, output.bridge
        if self._changed("state", (state.phase, state.step, state.partner, state.offers, state.echo), _STATES):
            self._send(lambda other: other.partner(state, self._docking.now))
        key = (bridge.role, bridge.wanted, bridge.served, tuple((edge.name, edge.state) for edge in bridge.edges))
        if self._changed("bridge", key, 5):
            self._send(lambda other: other.bridge(bridge))

    def _changed(self, kind: str, key: object, cycles: int) -> bool:
        before = self._sent.get(kind)
        if before is not None and before[0] == key and self._cycles - before[1] < cycles:
            return False
        self._sent[kind] = (key, self._cycles)
        return True

    def _send(self, deliver: Callable[[DockingCore], None]) -> None:
        for body in self._docking.cores:
            if body != self._body:
                self._docking.post("state", lambda body=body: deliver(self._docking.cores[body]))  # type: ignore[misc]

    def _odom(self, motion: Motion) -> None:
        twist = np.concatenate([motion.velocity, motion.angular_velocity])
        self._core.odometry(self._docking.now, Pose(motion.position, motion.orientation), twist)

    def _energy(self, reading: EnergyReading) -> None:
        loads = dict(zip(reading.loads, reading.load_on, strict=True))
        self._core.energy(reading.thrust_energy, reading.battery_soc, loads)

    def _working_mass(self) -> float:
        return self._world.bot(self._body).working_mass


def core_of(world: World, body: str, seed: int, **options: Any) -> DockingCore:
    """The docking core of a body as its scenario describes it, with nonces of a seed; `options` count first."""
    hardware = world.docking.of(body)
    generator = random.Random(f"{seed} {body}")
    defaults: dict[str, Any] = {"nonces": lambda: f"{generator.getrandbits(128):032x}"}
    if body not in world.bots:
        feeds = hardware.source_power > 0.0
        defaults |= {"ports": tuple(hardware.ports.values()), "active": False}
        defaults |= {"role": Role.SOURCE if feeds else Role.RELAY, "source_power": hardware.source_power}
    entries = (one for one in world.scenario.file.docked if one.body == body)
    defaults["docked"] = next((Order(one.to, one.to_port, one.port) for one in entries), None)
    chosen = {"vehicle": world.scenario.hardware[body], **defaults, **options}
    return DockingCore(body=body, **chosen)
