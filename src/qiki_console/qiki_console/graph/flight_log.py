"""Messages about a bot during a burn: kept in order, read as evidence about the burn."""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import InertiaStamped, WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from qiki_console.graph import messages
from qiki_console.model.burn_account import Command, Sample
from qiki_console.model.burn_causes import Evidence
from qiki_console.model.names import SIMULATOR
from qiki_console.model.sim_clock import SimClock
from qiki_console.model.snapshot import Vector
from qiki_msgs.msg import Allocation, Energy, ThrusterState
from qiki_node.qos import CLOCK, STATE, TELEMETRY
from qiki_node.session import Session
from qiki_node.stamps import nanoseconds, seconds
from qiki_vehicle import ConfigurationError, MassProperties

T = TypeVar("T")

SETTLE = 0.5
"""s of simulated time after the command in which the last pulses and messages may still come."""

BEFORE = 0.1
"""s of simulated time after the start in which messages may still be of the time before it."""

_ENOUGH = 10
"""Reports of the allocator, half a second of them, from which the mean of its plan says something."""

_FOREIGN = {
    Allocation.ACTIVITY_PROFILE: "a thrust profile",
    Allocation.ACTIVITY_BRAKE: "a brake",
    Allocation.ACTIVITY_LEVELS: "levels of single thrusters",
}

_DEEP = QoSProfile(depth=100)
"""Reliable, and deeper than commands are for those who carry them out: every command counts here."""


class Planned(NamedTuple):
    """A report of the allocator: see qiki_msgs/Allocation."""

    state: int
    activity: int
    allocated: tuple[Vector, Vector]
    achieved: tuple[Vector, Vector]
    binding: tuple[str, ...]
    energy: float
    openings: int
    unhealthy: dict[int, str]
    refused: int
    refusal: str
    commands: int
    lead: float
    longest_pause: float


class Valves(NamedTuple):
    """A report of the valves: see qiki_msgs/ThrusterState."""

    openings: int
    late_edges: int
    watchdog: bool
    working_mass: float
    commands: int


@dataclass
class FlightLog:
    """Messages about a bot, with their stamps (s); filled by the session's callbacks."""

    bot: str
    clock: SimClock = field(default_factory=SimClock)
    samples: list[Sample] = field(default_factory=list)
    bodies: list[MassProperties] = field(default_factory=list)
    energy: list[tuple[float, float]] = field(default_factory=list)
    """J, drawn by the valves since start."""
    allocations: list[tuple[float, Planned]] = field(default_factory=list)
    valves: list[tuple[float, Valves]] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)
    """Stamps of the own commands, ns."""
    foreign: int = 0
    """Commands on `cmd_wrench` that are not the own ones."""
    speed: float | None = None
    """Simulated s per wall s that is asked of the simulator, by its diagnostics."""

    def subscribe(self, session: Session) -> None:
        """Begin to listen."""
        bot = self.bot
        session.subscribe(Clock, "/clock", self._on_clock, CLOCK)
        session.subscribe(Odometry, f"/{bot}/odom", self._on_odometry, TELEMETRY)
        session.subscribe(InertiaStamped, f"/{bot}/body/mass_properties", self._on_mass, STATE)
        session.subscribe(Energy, f"/{bot}/energy", self._on_energy, TELEMETRY)
        session.subscribe(ThrusterState, f"/{bot}/thruster_state", self._on_thrusters, TELEMETRY)
        session.subscribe(Allocation, f"/{bot}/allocation", self._on_allocation, TELEMETRY)
        session.subscribe(WrenchStamped, f"/{bot}/cmd_wrench", self._on_command, _DEEP)
        session.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=100))

    def covers(self, settled: float, end: float) -> bool:
        """True if odometry until `end` has come, and until `settled` all other telemetry that came before (s)."""
        counted: tuple[Sequence[tuple[float, Any]], ...] = (self.energy, self.allocations, self.valves)
        return bool(
            self.samples and self.samples[-1].time >= end and all(log[-1][0] >= settled for log in counted if log)
        )

    def _on_clock(self, message: Clock) -> None:
        self.clock.tick(seconds(message.clock), time.monotonic())

    def _on_odometry(self, message: Odometry) -> None:
        self.samples.append(Sample(_stamp(message), messages.motion(message)))

    def _on_mass(self, message: InertiaStamped) -> None:
        with suppress(ConfigurationError):  # counts as not received
            self.bodies.append(messages.body(message))

    def _on_energy(self, message: Energy) -> None:
        self.energy.append((_stamp(message), message.thrust_energy))

    def _on_thrusters(self, message: ThrusterState) -> None:
        openings = int(sum(message.firings))
        state = Valves(openings, message.late_edges, message.watchdog, message.working_mass, message.commands)
        self.valves.append((_stamp(message), state))

    def _on_allocation(self, message: Allocation) -> None:
        status = messages.allocation(message)
        planned = Planned(
            state=message.state,
            activity=message.activity,
            allocated=messages.wrench(message.allocated),
            achieved=messages.wrench(message.achieved),
            binding=tuple(message.binding),
            energy=message.energy,
            openings=int(sum(message.firings)),
            unhealthy=dict(status.unhealthy),
            refused=message.refused,
            refusal=message.refusal,
            commands=message.commands,
            lead=message.lead,
            longest_pause=message.longest_pause,
        )
        self.allocations.append((_stamp(message), planned))

    def _on_command(self, message: WrenchStamped) -> None:
        self.foreign += nanoseconds(message.header.stamp) not in self.sent

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{SIMULATOR[1:]}: simulation":
                values = {entry.key: entry.value for entry in status.values}
                with suppress(ValueError, KeyError):
                    self.speed = float(values["speed"])

    def evidence(self, command: Command, start: float, end: float, others: Sequence[str]) -> Evidence:
        """Evidence about a command between two instants (s, simulated) of it.

        Args:
            command: what is asked.
            start, end: of the evidence.
            others: nodes that can command the bot too.
        """
        inside = between(self.allocations, start + BEFORE, end - SETTLE)
        first = self.allocations[: bisect_right(self.allocations, start, key=_time)][-1:]
        activities = {_FOREIGN[m.activity] for m in inside if m.activity in _FOREIGN}
        foreign = tuple(others) or ("a node that has gone",)
        counters: tuple[tuple[str, Sequence[tuple[float, Any]]], ...] = (
            ("allocator", self.allocations),
            ("valves", self.valves),
        )
        reported = between(self.allocations, start, end)
        return Evidence(
            duration=command.duration,
            allocated=_share(inside, command),
            binding=tuple(sorted({limit for m in inside for limit in m.binding})),
            energy_commanded=growth(self.allocations, start, end, lambda m: m.energy),
            energy_drawn=growth(self.energy, start, end, lambda joule: joule),
            openings_commanded=_whole(growth(self.allocations, start, end, lambda m: m.openings)),
            openings=_whole(growth(self.valves, start, end, lambda m: m.openings)),
            working_mass=self.valves[-1][1].working_mass if self.valves else None,
            late_edges=_whole(growth(self.valves, start, end, lambda m: m.late_edges)),
            watchdog=any(m.state == Allocation.STATE_WATCHDOG for m in inside),
            speed_asked=self.speed,
            commands=_whole(growth(self.allocations, start, end, lambda m: m.commands)),
            commands_read=_whole(growth(self.valves, start, end, lambda m: m.commands)),
            longest_pause=max((m.longest_pause for m in reported), default=None),
            lead=max((m.lead for m in reported), default=None),
            restarted=tuple(name for name, log in counters if _fell([m.commands for m in between(log, start, end)])),
            failed=_failed([m for _, m in first], inside),
            others=tuple(sorted({*(foreign if self.foreign else ()), *activities})),
        )


def between(log: Sequence[tuple[float, T]], start: float, end: float) -> list[T]:
    """Messages from a start to before an end (s)."""
    return [message for _, message in log[bisect_left(log, start, key=_time) : bisect_left(log, end, key=_time)]]


def growth(log: Sequence[tuple[float, T]], start: float, end: float, counter: Callable[[T], float]) -> float | None:
    """Growth of a counter from the last message before the start to the first after the end, None if unknown or if it
    began anew meanwhile."""
    before, after = bisect_right(log, start, key=_time) - 1, bisect_left(log, end, key=_time)
    if not 0 <= before < after < len(log):
        return None
    values = [counter(message) for _, message in log[before : after + 1]]
    return None if _fell(values) else float(values[-1] - values[0])


def mean_wrench(wrenches: Sequence[tuple[Vector, Vector]]) -> tuple[Vector, Vector] | None:
    """Mean force and torque of those that are known (finite), None without any."""
    known = [wrench for wrench in wrenches if np.isfinite(wrench).all()]
    if not known:
        return None
    force, torque = np.mean(known, axis=0).tolist()
    return (force[0], force[1], force[2]), (torque[0], torque[1], torque[2])


def _fell(values: Sequence[float]) -> bool:
    return any(after < before for before, after in pairwise(values))


def _time(entry: tuple[float, Any]) -> float:
    return entry[0]


def _share(inside: Sequence[Planned], command: Command) -> float | None:
    """Mean planned wrench along the commanded one, as a share of it."""
    if len(inside) < _ENOUGH:
        return None
    wanted = np.concatenate([command.force, command.torque])
    planned = np.mean([np.concatenate(message.allocated) for message in inside], axis=0)
    size = float(wanted @ wanted)
    return float(planned @ wanted) / size if size > 0.0 else None


def _failed(first: Sequence[Planned], inside: Sequence[Planned]) -> dict[int, str]:
    if not first or not inside:
        return {}
    before, after = first[-1].unhealthy, inside[-1].unhealthy
    return {index: health for index, health in after.items() if before.get(index) != health}


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _stamp(message: Any) -> float:
    return seconds(message.header.stamp)
