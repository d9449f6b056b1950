"""Likely causes of a burn that gave another change of motion than commanded, from what was observed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

TOLERANCE = 0.05
"""Share of the expected change by which the gained one may differ."""

_LOW = 1.0 - 0.5 * TOLERANCE
_WINDOW = 0.25
"""s between two control cycles from which pulses are missing: edges are planned so far ahead at most."""

_READ = 0.25
"""Share of the valve commands that is read at least: of those that wait only the newest, which holds all, is read."""

_COMMANDS = 8
"""Valve commands, from which the share of those that were read says something."""

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
        longest_pause: s, longest time between two control cycles of the allocator.
        lead: s, by which the allocator planned valve edges ahead, at most.
        restarted: sources whose counters began anew: allocator, valves.
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
    longest_pause: float | None = None
    lead: float | None = None
    restarted: tuple[str, ...] = ()
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
    if seen.restarted:
        found["restarted"] = f"started again meanwhile: {', '.join(seen.restarted)}"
    if seen.allocated is not None and seen.allocated < _LOW:
        limits = f"; limited by {', '.join(seen.binding)}" if seen.binding else ""
        found["allocated"] = f"the allocator planned {100.0 * seen.allocated:.0f} % of the command{limits}"
    if seen.overloaded:
        found["overloaded"] = (
            f"the simulator is overloaded: it reached a speed of {seen.speed_reached:.2f}, asked were "
            f"{seen.speed_asked:g}{_commands_read(seen)}"
        )
    found |= _late(seen)
    if seen.watchdog:
        found["watchdog"] = "commands stopped reaching the bot: its watchdog closed the valves"
    if (lost := _lost(seen)) and not seen.empty:
        found["lost"] = f"valve commands were lost: {lost}{_commands_read(seen)}"
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


def _late(seen: Evidence) -> dict[str, str]:
    """Late valve edges: by an allocator that paused, or else on their way."""
    edges = f"{seen.late_edges} valve edges had passed"
    pause = seen.longest_pause
    if pause is not None and (pause > _WINDOW or (seen.late_edges and seen.lead is not None and pause > seen.lead)):
        missed = f"; {edges}" if seen.late_edges else ""
        return {"late": f"the allocator was late: its control cycles paused for up to {pause:.2f} s{missed}"}
    if seen.late_edges:
        lead = "" if seen.lead is None else f" than the lead of {seen.lead:.2f} s"
        return {"way": f"valve commands took longer on their way{lead}: {edges}"}
    return {}


def _lost(seen: Evidence) -> str:
    """Commands that had no effect on the valves, in words; empty: none is known."""
    lost = (seen.openings_commanded or 0) - (seen.openings or 0)
    if lost > 0 and None not in (seen.openings_commanded, seen.openings):
        return f"{lost} openings of valves"
    sent, read = seen.commands, seen.commands_read
    if sent is not None and read is not None and sent >= _COMMANDS and read < _READ * sent and not seen.overloaded:
        return "most were not read"
    return ""
