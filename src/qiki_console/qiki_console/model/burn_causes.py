"""Likely causes of a burn that gave another change of motion than commanded, from what was observed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

TOLERANCE = 0.05
"""Share of the expected change by which the gained one may differ."""

_LOW = 1.0 - 0.5 * TOLERANCE
_KEEPS_UP = 0.9
"""Share of the asked speed under which the simulator counts as overloaded, as it judges itself."""


@dataclass(frozen=True)
class Evidence:
    """Observations from a burn's start until now, or until its end. None: unknown.

    Attributes:
        allocated: wrench that the allocator planned, as a share of the commanded one along it.
        binding: limits that the allocator named meanwhile.
        energy_commanded, energy_drawn: J of the pulses that the allocator commanded, and of the valves.
        openings_commanded, openings: of all valves, by the counters of allocator and valves.
        working_mass: kg that is left.
        late_edges: valve edges whose time had passed when their command arrived.
        watchdog: True if valves were closed because commands stopped.
        speed_asked, speed_reached: simulated seconds per wall second.
        commands, commands_read: valve commands that the allocator sent, and of the bot those that were read.
        lasted, duration: s of simulated time from the first command to the zero wrench, and as asked.
        failed: thrusters that became unhealthy meanwhile, with their health.
        others: nodes and activities that commanded the bot meanwhile.
    """

    duration: float
    lasted: float | None = None
    allocated: float | None = None
    binding: tuple[str, ...] = ()
    energy_commanded: float | None = None
    energy_drawn: float | None = None
    openings_commanded: int | None = None
    openings: int | None = None
    working_mass: float | None = None
    late_edges: int | None = None
    watchdog: bool = False
    speed_asked: float | None = None
    speed_reached: float | None = None
    commands: int | None = None
    commands_read: int | None = None
    failed: Mapping[int, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def overloaded(self) -> bool:
        """True if the simulator does not reach the speed that was asked of it."""
        if self.speed_asked is None or self.speed_reached is None:
            return False
        return self.speed_reached < _KEEPS_UP * self.speed_asked

    @property
    def empty(self) -> bool:
        """True if no working mass is left."""
        return self.working_mass is not None and self.working_mass <= 0.0


def troubles(seen: Evidence) -> dict[str, str]:
    """Everything that can make the account not close, the likeliest cause first, by a key that stays the same."""
    found: dict[str, str] = {}
    if seen.empty:
        found["empty"] = "the tank is empty: no working mass is left, valves open without thrust"
    if seen.others:
        found["others"] = f"others command the bot too: {', '.join(seen.others)}"
    if seen.failed:
        thrusters = ", ".join(f"{index} {health}" for index, health in seen.failed.items())
        found["failed"] = f"thrusters failed on the way: {thrusters}"
    if seen.allocated is not None and seen.allocated < _LOW:
        limits = f"; limited by {', '.join(seen.binding)}" if seen.binding else ""
        found["allocated"] = f"the allocator planned {100.0 * seen.allocated:.0f} % of the command{limits}"
    if seen.overloaded:
        found["overloaded"] = (
            f"the simulator is overloaded: it reached a speed of {seen.speed_reached:.2f}, asked were "
            f"{seen.speed_asked:g}{_commands_read(seen)}"
        )
    if seen.late_edges:
        found["late"] = f"the allocator's commands came late: {seen.late_edges} valve edges had passed"
    if seen.watchdog:
        found["watchdog"] = "commands stopped reaching the bot: its watchdog closed the valves"
    lost = _lost_openings(seen)
    if lost and not seen.empty:
        found["lost"] = "commands were lost: " + ", ".join(f"{count} {name}" for name, count in lost.items())
    if (share := _share_opened(seen)) is not None and not seen.empty and abs(share - 1.0) > 0.5 * TOLERANCE:
        found["valves"] = f"the valves drew {100.0 * share:.0f} % of the energy of the commanded pulses"
    if seen.lasted is not None and abs(seen.lasted - seen.duration) > 0.5 * TOLERANCE * seen.duration:
        found["console"] = (
            f"this machine is busy: the command lasted {seen.lasted:.2f} s in place of {seen.duration:g} s"
        )
    return found


def _share_opened(seen: Evidence) -> float | None:
    commanded, drawn = seen.energy_commanded, seen.energy_drawn
    if commanded is None or drawn is None or not isfinite(commanded + drawn) or commanded <= 0.0:
        return None
    return drawn / commanded


def _commands_read(seen: Evidence) -> str:
    if seen.commands is None or seen.commands_read is None:
        return ""
    return f"; {seen.commands_read} of {seen.commands} valve commands were read"


def _lost_openings(seen: Evidence) -> dict[str, int]:
    if seen.openings_commanded is None or seen.openings is None:
        return {}
    lost = seen.openings_commanded - seen.openings
    return {"openings of valves": lost} if lost > 0 else {}
