"""`ps`: the processes of a run."""

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
import psutil
from rich.table import Table
from rich.text import Text

from qiki_launch.cli.options import read_state, run_dir_option
from qiki_launch.run.run_state import RUNNING, STOPPED, ProcessRecord, RunFolder, RunState
from qiki_node.terminal import echo, make_console, printable

_SAMPLE = 0.3
"""s over which the CPU load is measured."""
_WIDTH_OF_A_FILE = 200
"""Columns where the output does not go to a terminal."""
_STYLES = {"running": "green", "waiting": "yellow", "stopping": "yellow", "failed": "red", "lost": "red"}
LOST = "lost"
"""State of a process that the file calls running and that is not there."""


@dataclass(frozen=True)
class Row:
    """One line of the table; None where there is no living process."""

    name: str
    state: str
    pid: int | None
    uptime: float | None
    """s"""
    restarts: int
    cpu: float | None
    """Percent of one core."""
    memory: int | None
    """Bytes, resident."""
    last_exit: str


def rows(state: RunState) -> list[Row]:
    """Present load of a run's processes; takes as long as the measurement of the CPU load."""
    living = {record.name: record for record in state.living()}
    before = {name: _cpu_seconds(record) for name, record in living.items()}
    begin = time.monotonic()
    if living:
        time.sleep(_SAMPLE)
    after = {name: _cpu_seconds(record) for name, record in living.items()}
    took = max(time.monotonic() - begin, 1e-6)
    table = []
    for record in state.processes:
        first, last = before.get(record.name), after.get(record.name)
        identity = record.identity if last is not None else None
        table.append(
            Row(
                name=record.name,
                state=LOST if record.state == RUNNING and identity is None else record.state,
                pid=identity.pid if identity else None,
                uptime=identity.age() if identity else None,
                restarts=record.restarts,
                cpu=100.0 * (last - first) / took if first is not None and last is not None else None,
                memory=_memory(record) if identity else None,
                last_exit=record.last_exit,
            )
        )
    return table


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@run_dir_option
def ps(as_json: bool, run_dir: Path) -> None:
    """Show the processes of the run: state, uptime, restarts, CPU and memory."""
    folder = RunFolder(run_dir)
    state = read_state(folder)
    if state is None:
        raise click.ClickException(f"nothing was started in {folder.path}")
    table = rows(state)
    alive = state.supervisor_alive()
    if as_json:
        summary = {"file": state.file, "phase": state.phase, "supervisor": state.supervisor.pid, "alive": alive}
        echo(json.dumps({**summary, "processes": [dataclasses.asdict(row) for row in table]}, indent=1))
    else:
        _print(state, table, alive)
    if not alive and state.phase != STOPPED:
        sys.exit(1)


def _print(state: RunState, table: list[Row], alive: bool) -> None:
    console = make_console(_WIDTH_OF_A_FILE)
    drawn = Table(box=None, header_style="bold")
    for title, justify in (("NAME", "left"), ("PID", "right"), ("STATE", "left"), ("UPTIME", "right")):
        drawn.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for title in ("RESTARTS", "CPU %", "MEMORY MB"):
        drawn.add_column(title, justify="right", no_wrap=True)
    drawn.add_column("LAST EXIT")
    for row in table:
        drawn.add_row(
            printable(row.name),
            "-" if row.pid is None else str(row.pid),
            Text(printable(row.state), style=_STYLES.get(row.state, "")),
            "-" if row.uptime is None else duration(row.uptime),
            str(row.restarts),
            "-" if row.cpu is None else f"{row.cpu:.0f}",
            "-" if row.memory is None else f"{row.memory / 1e6:.0f}",
            printable(row.last_exit) or "-",
        )
    console.print(drawn)
    file = printable(state.file)
    if alive:
        console.print(f"supervisor: pid {state.supervisor.pid}, {state.phase}, {file}")
    elif state.phase == STOPPED:
        console.print(f"the run has ended ({file})")
    else:
        console.print("the supervisor is gone without having stopped the run; 'down' stops what is left", style="red")


def duration(seconds: float) -> str:
    """A time for people: 4.2s, 3m05s, 2h07m, 3d04h."""
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def _cpu_seconds(record: ProcessRecord) -> float | None:
    try:
        times = psutil.Process(record.identity.pid).cpu_times() if record.identity else None
    except psutil.Error:
        return None
    return None if times is None else float(times.user + times.system)


def _memory(record: ProcessRecord) -> int | None:
    try:
        return int(psutil.Process(record.identity.pid).memory_info().rss) if record.identity else None
    except psutil.Error:
        return None
