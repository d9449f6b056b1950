"""A snapshot as one screen for the operator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import degrees, isfinite, sqrt
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from qiki_console.model.numbers import NA, number
from qiki_console.model.snapshot import (
    MISSING,
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
from qiki_node.terminal import printable_values
from qiki_vehicle.quaternion import roll_pitch_yaw, rotate


def screen(snapshot: Snapshot) -> RenderableType:
    """The whole graph; unknown values are shown as N/A, outdated ones as STALE."""
    snapshot = printable_values(snapshot)
    parts: list[RenderableType] = [_headline(snapshot)]
    if warning := clock_warning(snapshot.clocks):
        parts.append(Text(f"warning: {warning}", style="bold red"))
    if snapshot.nodes:
        parts.append(_nodes(snapshot))
    if snapshot.missing:
        parts.append(Text("missing: " + ", ".join(snapshot.missing), style="bold red"))
    if snapshot.bots:
        parts.append(_Bots(snapshot))
    for bot in snapshot.bots:
        parts += [Text(remark) for remark in _remarks(bot)]
    return Group(*parts)


def clock_warning(publishers: Sequence[str]) -> str:
    """A sentence about several publishers of /clock, empty for one or none."""
    if len(publishers) < 2:
        return ""
    return f"{len(publishers)} publishers of /clock: {', '.join(publishers)}: simulated time jumps between them"


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
    for _ in range(3):
        table.add_column(overflow="fold")
    for name, node in snapshot.nodes.items():
        style = {"active": "green", None: "dim"}.get(node.state, "yellow")
        remarks = list(node.problems)
        if node.state != MISSING and node.silent:
            age = "unknown: none received" if node.age is None else f"STALE {node.age:.1f} s"
            remarks.insert(0, f"diagnostics {age}")
        table.add_row(name, Text(node.state or "no lifecycle", style=style), Text("; ".join(remarks)))
    return table


class _Bots:
    """The bots side by side, as many as fit into the width, the others below."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bots, unbounded = list(self._snapshot.bots), options.update(max_width=10_000)
        while bots:
            count = len(bots)
            while (
                count > 1 and Measurement.get(console, unbounded, self._table(bots[:count])).maximum > options.max_width
            ):
                count -= 1
            yield self._table(bots[:count])
            bots = bots[count:]

    def _table(self, bots: list[Bot]) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=0)
        table.add_column("", overflow="fold")
        for bot in bots:
            table.add_column(bot.name, justify="right", overflow="fold")
            table.add_column("age s", justify="right", style="dim", overflow="fold")
        for label, source, text in _ROWS:
            cells = [cell for bot in bots for cell in _cell(getattr(bot, source), text, self._snapshot.now)]
            table.add_row(label, *cells)
        return table


def _cell(datum: Datum[Any] | None, text: Callable[[Any], str], now: Now) -> tuple[Text, Text]:
    if datum is None:
        return Text(NA, style="dim"), Text("")
    age = f"{datum.age(now):.1f}"
    if datum.freshness(now) is Freshness.STALE:
        return Text(text(datum.value), style="yellow"), Text(f"STALE {age}", style="bold yellow")
    return Text(text(datum.value)), Text(age)


def _remarks(bot: Bot) -> list[str]:
    remarks = []
    if bot.allocation and bot.allocation.value.refusal:
        remarks.append(f"{bot.name} refused: {bot.allocation.value.refusal}")
    if bot.docking and bot.docking.value.text and bot.docking.value.phase in ("FAULT", "ABORT"):
        remarks.append(f"{bot.name} docking: {bot.docking.value.reason} {bot.docking.value.text}")
    if bot.bridge:
        faults = [edge for edge in bot.bridge.value.edges if edge.fault]
        remarks += [f"{bot.name} bridge {edge.name}: {edge.fault}" for edge in faults]
    if bot.thrusters and bot.thrusters.value.unhealthy:
        remarks.append(f"{bot.name} thrusters: {_faults(bot.thrusters.value.unhealthy)}")
    if bot.allocation and bot.allocation.value.unhealthy:
        remarks.append(f"{bot.name} thrusters, by the allocator: {_faults(bot.allocation.value.unhealthy)}")
    return remarks


def _faults(unhealthy: Mapping[int, str]) -> str:
    return ", ".join(f"{index} {health}" for index, health in unhealthy.items())


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
    return f"{status.state} {status.mode} {status.modulator}".rstrip()


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
    ("docking", "docking", lambda d: d.summary),
    ("range  m, closing  m/s", "docking", lambda d: f"{number(d.range, 2)} {number(d.closing, 3)}"),
    ("partner's identity", "docking", lambda d: d.identity or "none"),
    ("bridge", "bridge", lambda b: b.summary),
    ("commanded  N", "allocation", lambda a: _vector(a.commanded[0], 1)),
    ("achieved  N", "allocation", lambda a: _vector(a.achieved[0], 1)),
    ("commanded  N m", "allocation", lambda a: _vector(a.commanded[1], 1)),
    ("achieved  N m", "allocation", lambda a: _vector(a.achieved[1], 1)),
)
