"""`down`: stop a run, whether its supervisor still lives or not."""

import contextlib
import os
import signal
import time
from pathlib import Path

import click

from qiki_launch.cli.options import read_state, run_dir_option
from qiki_launch.run.orphans import find_orphans, stop_orphans
from qiki_launch.run.run_state import STOPPED, RunFolder, RunState, ended
from qiki_node.shared_memory import remove_stale
from qiki_node.terminal import echo

_POLL = 0.05
"""s"""


@click.command("down")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.0),
    default=60.0,
    show_default=True,
    help="s that the supervisor gets to stop the run before it is killed.",
)
@run_dir_option
def down(timeout: float, run_dir: Path) -> None:
    """Stop the run, wait for its end and list the stopped processes."""
    folder = RunFolder(run_dir)
    state = read_state(folder)
    if state is None or not (state.supervisor_alive() or find_orphans(state)):
        if state is not None and state.phase != STOPPED:
            folder.write(ended(state))
            remove_stale()
        echo("nothing is running")
        return
    stopped = [record.name for record in state.living()]
    if state.supervisor_alive():
        stopped += _stop_supervisor(folder, state, timeout)
    else:
        echo(f"the supervisor (pid {state.supervisor.pid}) is gone; stopping what it left")
    # Read again: a node may have been restarted since.
    latest = read_state(folder) or state
    stopped += [record.name for record in stop_orphans(latest)]
    left = [record.name for record in find_orphans(latest)]
    if left:
        raise click.ClickException(f"still running: {', '.join(left)}")
    folder.write(ended(latest))
    remove_stale()
    echo(f"stopped: {', '.join(dict.fromkeys(stopped)) or 'the supervisor; no node was running'}")


def _stop_supervisor(folder: RunFolder, state: RunState, timeout: float) -> list[str]:
    """Signal the supervisor to stop and wait; kill it where it does not. Returns names seen running meanwhile."""
    deadline = time.monotonic() + timeout
    _signal(state, signal.SIGTERM)
    names: list[str] = []
    while state.supervisor.is_alive() and time.monotonic() < deadline:
        names += [record.name for record in (read_state(folder) or state).living()]
        time.sleep(_POLL)
    if state.supervisor.is_alive():
        echo(f"the supervisor did not stop in {timeout:g} s: killing it")
        _signal(state, signal.SIGKILL)
        while state.supervisor.is_alive():
            time.sleep(_POLL)
    return names


def _signal(state: RunState, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.supervisor.pid, number)
