"""Health of the simulation and of the simulated hardware, for diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qiki_node.health import Health, Level
from qiki_sim.readings import Health as ValveHealth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qiki_sim.ros.runner import Runner

KEEPS_UP = 0.9
"""Share of the asked speed under which the simulation counts as too slow."""


@dataclass(frozen=True)
class Flow:
    """Of late, until the newest diagnostics.

    factor: simulated s per wall s, None: not measured yet. commands: valve commands per wall s. late: valve edges that
    had passed when their command came.
    """

    factor: float | None = None
    commands: float = 0.0
    late: int = 0


def of_simulation(
    runner: Runner | None, flow: Flow, refusals: int, last_refusal: str, others: Sequence[str] = ()
) -> Health:
    """`refusals`: valve commands refused since start. `others`: other nodes that publish /clock."""
    if runner is None:
        return Health(Level.WARN, "no scenario", unready="no scenario")
    world, speed = runner.world, runner.pacer.speed
    faults = [f"{bot} {f.kind} {f.target}".strip() for bot in world.bots for f in world.faults(bot).active]
    values = {
        "scenario": world.scenario.file.name,
        "seed": world.seed,
        "time": f"{world.time:.3f}",
        "paused": runner.paused,
        "speed": speed,
        "real_time_factor": "" if flow.factor is None else f"{flow.factor:.3f}",
        "commands_per_second": f"{flow.commands:.1f}",
        "late_edges": flow.late,
        "faults": "; ".join(faults),
        "commands_refused": refusals,
        "last_refusal": last_refusal,
    }
    if others:
        names = ", ".join(others)
        state = "paused, but " if runner.paused else ""
        return Health(Level.ERROR, f"{state}/clock is published by {names} too: simulated time jumps", values)
    if runner.paused:
        return Health(Level.OK, "paused", values)
    taken = f"{flow.commands:.0f} valve commands taken per s"
    if flow.factor is not None and flow.factor < KEEPS_UP * speed:
        return Health(Level.WARN, f"slower than asked: {flow.factor:.2f} of {speed:g}, {taken}", values)
    if flow.late:
        return Health(Level.WARN, f"{flow.late} valve edges came late at speed {speed:g}, {taken}", values)
    return Health(Level.OK, "running", values)


def of_hardware(runner: Runner | None) -> Health:
    """Parts that the bots' hardware has switched off by itself, one value per bot."""
    if runner is None:
        return Health(Level.WARN, "no scenario")
    troubles = {name: _troubles(runner, name) for name in runner.world.bots}
    bad = [f"{name}: {text}" for name, text in troubles.items() if text]
    values = {name: text or "ok" for name, text in troubles.items()}
    return Health(Level.ERROR, "; ".join(bad), values) if bad else Health(Level.OK, "ok", values)


def _troubles(runner: Runner, name: str) -> str:
    bot = runner.world.bot(name)
    energy, heat, valves = bot.energy, bot.heat, bot.valves
    found = []
    if energy.tripped:
        found.append("PDU tripped")
    found += [f"{node} over temperature" for node, hot in zip(heat.names, heat.tripped, strict=True) if hot]
    found += [f"{load} shed" for load, on in zip(energy.loads, energy.load_on, strict=True) if not on]
    found += [f"thruster {i} {h.name.lower()}" for i, h in enumerate(valves.health) if h != ValveHealth.OK]
    if valves.watchdog:
        found.append("valves closed by the watchdog")
    if valves.working_mass <= 0.0:
        found.append("working mass used up")
    return ", ".join(found)
