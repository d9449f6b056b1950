"""The graph at one moment as plain values, with the age of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from qiki_console.model.bridge import BridgeStatus
from qiki_console.model.docking import DockingStatus

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

T = TypeVar("T")

CLOCK_SILENCE = 2.0
"""s of wall time without /clock after which ages are no longer counted in simulated time."""


class Freshness(Enum):
    """True if a datum can be relied on."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True)
class Now:
    """The time of a snapshot: wall (s, monotonic), simulated (s, None if unknown), silence of /clock (s of wall time),
    and whether the simulator's fresh diagnostics report a pause (None if unknown)."""

    wall: float
    simulated: float | None
    silence: float
    paused: bool | None = None

    @property
    def clock_runs(self) -> bool:
        """True if ages are counted in simulated time: /clock comes, or rests because the simulator is paused."""
        return self.simulated is not None and (self.silence <= CLOCK_SILENCE or self.paused is True)


@dataclass(frozen=True)
class Datum(Generic[T]):
    """A value with the time of its measurement (s, simulated) and of its arrival (s, wall), and the age from which it
    is stale (s)."""

    value: T
    stamp: float
    received: float
    limit: float

    def age(self, now: Now) -> float:
        """Seconds of simulated time since the measurement; of wall time since the arrival where /clock is silent."""
        if now.clock_runs and now.simulated is not None:
            return now.simulated - self.stamp
        return now.wall - self.received

    def freshness(self, now: Now) -> Freshness:
        """Stale if older than its limit, or stamped in the future: then it is from before a reset."""
        return Freshness.FRESH if -self.limit <= self.age(now) <= self.limit else Freshness.STALE


@dataclass(frozen=True)
class Motion:
    """Position of base_link in world (m), its orientation, velocity (m/s) and angular rate (rad/s) in base_link."""

    position: Vector
    orientation: Quaternion
    velocity: Vector
    rate: Vector


@dataclass(frozen=True)
class Power:
    """Energy books: SoC 0..1 (NaN if unknown), thruster power (W, mean), energy of the thrusters since start (J)."""

    supercap_soc: float
    battery_soc: float
    thrust_power: float
    thrust_energy: float
    pdu: str
    pdu_trips: int


@dataclass(frozen=True)
class HottestNode:
    """The hottest node; temperature and trip limit in degC."""

    name: str
    temperature: float
    trip: float
    status: str


@dataclass(frozen=True)
class Thrusters:
    """Valves and propellant: working mass left (kg, NaN if unknown), valves open, unhealthy thrusters by index."""

    working_mass: float
    valves_open: int
    unhealthy: Mapping[int, str]
    watchdog: bool


@dataclass(frozen=True)
class AllocationStatus:
    """Last report of the allocator: wrenches as (force N, torque N m), thrusters that it believes to be unhealthy.

    modulator: empty if unknown.
    """

    state: str
    mode: str
    refusal: str
    commanded: tuple[Vector, Vector]
    achieved: tuple[Vector, Vector]
    unhealthy: Mapping[int, str] = field(default_factory=dict)
    modulator: str = ""


DATA = ("motion", "power", "hottest", "thrusters", "mass", "allocation", "docking", "bridge")
"""Data of a bot: attributes of `Bot`."""


@dataclass(frozen=True)
class Bot:
    """Data of one bot; None until the first message of each has come. `expected`: those that something publishes."""

    name: str
    motion: Datum[Motion] | None = None
    power: Datum[Power] | None = None
    hottest: Datum[HottestNode] | None = None
    thrusters: Datum[Thrusters] | None = None
    mass: Datum[float] | None = None
    allocation: Datum[AllocationStatus] | None = None
    docking: Datum[DockingStatus] | None = None
    bridge: Datum[BridgeStatus] | None = None
    expected: frozenset[str] = frozenset(DATA)

    def lacking(self, now: Now) -> list[str]:
        """Expected data that have not come, or are stale."""
        found: dict[str, Datum[Any] | None] = {name: getattr(self, name) for name in DATA}
        return [
            name
            for name, datum in found.items()
            if (name in self.expected and datum is None) or (datum and datum.freshness(now) is Freshness.STALE)
        ]


@dataclass(frozen=True)
class Simulator:
    """Simulated time (s), simulated seconds per wall second, paused; None if unknown."""

    time: float | None
    real_time_factor: float | None
    paused: bool | None
    scenario: str | None = None


NO_ANSWER = "no answer"
"""State of a node that did not answer the question for its lifecycle state."""

MISSING = "missing"
"""State of a node that should be there and is not."""

UNKNOWN = "unknown"
"""State of a node that lives, but whose service for the question is not found."""

OLD = 2.5
"""s of wall time after which diagnostics (1 Hz) count as outdated."""


@dataclass(frozen=True)
class Node:
    """A node: its lifecycle state (None for a node without one; NO_ANSWER, MISSING, UNKNOWN), problems from its newest
    diagnostics and their age (s of wall time, None if none have come), and whether it publishes diagnostics at all."""

    state: str | None
    problems: tuple[str, ...] = ()
    age: float | None = None
    diagnosed: bool = False

    @property
    def silent(self) -> bool:
        """True if its diagnostics are missing or outdated."""
        return self.diagnosed and (self.age is None or self.age > OLD)

    @property
    def ready(self) -> bool:
        """True if its lifecycle, if it has one, is active, and its diagnostics, if it has any, are fresh."""
        return self.state in (None, "active") and not self.silent


@dataclass(frozen=True)
class Snapshot:
    """The graph at one moment; nodes by full name, those that should be there included.

    `clocks`: full names of the publishers of /clock, one entry for each.
    """

    now: Now
    simulator: Simulator
    nodes: Mapping[str, Node] = field(default_factory=dict)
    bots: tuple[Bot, ...] = ()
    clocks: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Names of the nodes that should be there and are not."""
        return [name for name, node in self.nodes.items() if node.state == MISSING]

    @property
    def down(self) -> bool:
        """True if no node is there at all."""
        return all(node.state == MISSING for node in self.nodes.values())

    @property
    def whole(self) -> bool:
        """True if every node that should be there is there, active as far as it has a state, and fresh, and the data of
        every bot too, in the time of one clock."""
        ready = all(node.ready for node in self.nodes.values())
        return not self.down and ready and not any(bot.lacking(self.now) for bot in self.bots) and len(self.clocks) <= 1
