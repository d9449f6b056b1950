"""`logs`: output of the nodes."""

import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

import click

from qiki_launch.cli.options import read_state, run_dir_option
from qiki_launch.run.output import LineSplitter, Screen
from qiki_launch.run.run_state import ProcessRecord, RunFolder, RunState
from qiki_node.completion import complete_nodes
from qiki_node.errors import UnknownNameError

_POLL = 0.1
"""s between two looks for new lines."""


class Follower:
    """Reads a log file that may grow and may be replaced by a new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._splitter = LineSplitter()
        self._file: BinaryIO | None = None

    def lines(self) -> list[bytes]:
        """Lines since the last call."""
        found = self._read()
        if self._replaced():
            found += self._splitter.flush()
            self.close()
            found += self._read()
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> list[bytes]:
        if self._file is None and self._path.exists():
            self._file = self._path.open("rb")
        return [] if self._file is None else self._splitter.feed(self._file.read())

    def _replaced(self) -> bool:
        if self._file is None or not self._path.exists():
            return False
        return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino


def select(state: RunState, name: str | None) -> list[ProcessRecord]:
    """Processes of that name: the whole name (a slash before it is allowed) or its end after a slash.

    Raises:
        UnknownNameError: there is none.
    """
    if name is None:
        return list(state.processes)
    wanted = name.lstrip("/")
    found = [record for record in state.processes if record.name == wanted]
    found = found or [record for record in state.processes if record.name.endswith(f"/{wanted}")]
    if not found:
        raise UnknownNameError("node", name, [record.name for record in state.processes])
    return found


@click.command("logs")
@click.argument("node", required=False, shell_complete=complete_nodes)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=200, show_default=True, help="Last lines of each.")
@run_dir_option
def logs(node: str | None, follow: bool, lines: int, run_dir: Path) -> None:
    """Show the last lines that the nodes of the run wrote, of all or of one."""
    folder = RunFolder(run_dir)
    state = read_state(folder)
    if state is None:
        raise click.ClickException(f"nothing was started in {folder.path}")
    screen = Screen(sys.stdout)
    followers = [(record.name, Follower(Path(record.log))) for record in select(state, node)]
    for name, follower in followers:
        for line in deque(follower.lines(), maxlen=lines):
            screen.line(name, line.decode(errors="replace"))
    try:
        while follow and screen.is_open:
            time.sleep(_POLL)
            for name, follower in followers:
                for line in follower.lines():
                    screen.line(name, line.decode(errors="replace"))
    except KeyboardInterrupt:
        pass
    finally:
        for _, follower in followers:
            follower.close()
