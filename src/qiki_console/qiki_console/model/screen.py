"""A snapshot as one screen for the operator."""

from collections.abc import Callable, Iterable
from math import degrees, isfinite, sqrt
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qiki_console.model.snapshot import (
    AllocationStatus,
    Bot,
    Datum,
    Freshness,
    HottestNode,
    Now,
    Power,
    Snapshot,
    Thrusters,
)
from qiki_vehicle.quaternion import roll_pitch_yaw, rotate

NA = "N/A"


def screen(snapshot: Snapshot) -> RenderableType:
    """The whole graph; unknown values are shown as N/A, outdated ones as STALE."""
    parts: list[RenderableType] = [_headline(snapshot)]
    if snapshot.nodes:
        parts.append(_nodes(snapshot))
    if snapshot.missing:
        parts.append(Text("missing: " + ", ".join(snapshot.missing), style="bold red"))
    if snapshot.bots:
        parts.append(_bots(snapshot))
    return Group(*parts)


def number(value: float, digits: int) -> str:
    """A number, N/A if it is not finite."""
    return f"{value:.{digits}f}" if isfinite(value) else NA


def _headline(snapshot: Snapshot) -> Text:
    simulator, now = snapshot.simulator, snapshot.now
    line = Text("simulator  ", style="bold")
    line.append("time " + (NA if simulator.time is None else f"{simulator.time:.2f} s"))
    factor = simulator.real_time_factor
    line.append("  real-time factor " + (NA if factor is None else number(factor, 2)))
    running = {None: NA, True: "paused", False: "running"}[simulator.paused]
    line.append("  " + running, style="yellow" if simulator.paused else "")
    if simulator.scenario:
        line.append(f"  scenario {simulator.scenario}")
    if simulator.time is not None and not now.clock_runs:
        line.append(f"  STALE: no /clock for {now.silence:.1f} s", style="bold red")
    return line


def _nodes(snapshot: Snapshot) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, node in snapshot.nodes.items():
        style = {"active": "green", None: "dim"}.get(node.state, "yellow")
        table.add_row(name, Text(node.state or "no lifecycle", style=style), "; ".join(node.problems))
    return table


def _bots(snapshot: Snapshot) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=0)
    table.add_column("")
    for bot in snapshot.bots:
        table.add_column(bot.name, justify="right")
        table.add_column("age s", justify="right", style="dim")
    for label, source, text in _ROWS:
        cells = [cell for bot in snapshot.bots for cell in _cell(getattr(bot, source), text, snapshot.now)]
        table.add_row(label, *cells)
    for bot in snapshot.bots:
        _add_remarks(table, bot)
    return table


def _cell(datum: Datum[Any] | None, text: Callable[[Any], str], now: Now) -> tuple[Text, Text]:
    if datum is None:
        return Text(NA, style="dim"), Text("")
    age = f"{datum.age(now):.1f}"
    if datum.freshness(now) is Freshness.STALE:
        return Text(text(datum.value), style="yellow"), Text(f"STALE {age}", style="bold yellow")
    return Text(text(datum.value)), Text(age)


def _add_remarks(table: Table, bot: Bot) -> None:
    remarks = []
    if bot.allocation and bot.allocation.value.refusal:
        remarks.append(f"{bot.name} refused: {bot.allocation.value.refusal}")
    if bot.thrusters and bot.thrusters.value.unhealthy:
        faults = (f"{index} {health}" for index, health in bot.thrusters.value.unhealthy.items())
        remarks.append(f"{bot.name} thrusters: " + ", ".join(faults))
    if remarks:
        table.caption = "\n".join(filter(None, [str(table.caption or ""), *remarks]))


def _vector(vector: Iterable[float], digits: int) -> str:
    return " ".join(number(component, digits) for component in vector)


def _share_of_one(value: float) -> str:
    return f"{100 * value:.1f} %" if isfinite(value) else NA


def _pdu(power: Power) -> str:
    return power.pdu + (f", {power.pdu_trips} trips" if power.pdu_trips else "")


def _hottest(node: HottestNode) -> str:
    status = "" if node.status == "OK" else f" {node.status}"
    return f"{node.name} {number(node.temperature, 1)} °C{status}"


def _valves(thrusters: Thrusters) -> str:
    return f"{thrusters.valves_open}" + (" (watchdog)" if thrusters.watchdog else "")


def _allocation(status: AllocationStatus) -> str:
    return f"{status.state} {status.mode}"


_ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("position  m", "motion", lambda m: _vector(m.position, 2)),
    ("roll pitch yaw  deg", "motion", lambda m: _vector(tuple(map(degrees, roll_pitch_yaw(m.orientation))), 1)),
    ("velocity, world  m/s", "motion", lambda m: _vector(rotate(m.orientation, m.velocity).tolist(), 3)),
    ("speed  m/s", "motion", lambda m: number(sqrt(sum(v * v for v in m.velocity)), 3)),
    ("rate, body  deg/s", "motion", lambda m: _vector(tuple(map(degrees, m.rate)), 2)),
    ("supercap SoC", "power", lambda p: _share_of_one(p.supercap_soc)),
    ("battery SoC", "power", lambda p: _share_of_one(p.battery_soc)),
    ("thruster power  kW", "power", lambda p: number(p.thrust_power / 1e3, 2)),
    ("PDU", "power", _pdu),
    ("hottest node", "hottest", _hottest),
    ("working mass left  kg", "thrusters", lambda t: number(t.working_mass, 2)),
    ("mass  kg", "mass", lambda mass: number(mass, 1)),
    ("valves open", "thrusters", _valves),
    ("allocation", "allocation", _allocation),
    ("commanded  N", "allocation", lambda a: _vector(a.commanded[0], 1)),
    ("achieved  N", "allocation", lambda a: _vector(a.achieved[0], 1)),
    ("commanded  N m", "allocation", lambda a: _vector(a.commanded[1], 1)),
    ("achieved  N m", "allocation", lambda a: _vector(a.achieved[1], 1)),
)
