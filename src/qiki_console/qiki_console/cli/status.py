"""`qiki status`."""

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from qiki_node.errors import UnreachableError, up_hint
from qiki_node.terminal import echo, make_console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qiki_console.graph.watcher import Watcher
    from qiki_console.model.snapshot import Snapshot


_PLAIN_WIDTH = 240
"""Columns where the output goes to no terminal: nothing is cut."""


@click.command()
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per look.")
@click.option(
    "--period",
    type=click.FloatRange(0.1, 60.0),
    default=1.0,
    show_default=True,
    help="Wall time between two looks with --watch, s.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0.0, 60.0),
    default=4.0,
    show_default=True,
    help="Longest wait for missing data, s of wall time.",
)
def status(watch: bool, as_json: bool, period: float, patience: float) -> None:
    """One screen of the graph: nodes, bots, energy, heat, allocation.

    Unknown values are shown as N/A, outdated ones as STALE. Ends with 0 when the graph is whole: every node that was
    started is there, active, and publishes fresh diagnostics, as every bot does its data; with 1 when it is not, with 3
    when the graph is down. --watch ends with 0; into a pipe it prints each look.
    """
    from qiki_console.graph.watcher import Watcher
    from qiki_node.session import Session

    with Session("console") as session:
        watcher = Watcher(session)
        snapshot = watcher.collect(patience)
        if watch:
            _watch(watcher, snapshot, as_json, period)
            return
    if snapshot.down:
        if as_json:
            _show(snapshot, as_json)
        raise UnreachableError("the graph is down: no node is found", hint=up_hint())
    _show(snapshot, as_json)
    if not snapshot.whole:
        raise click.exceptions.Exit(1)


def _show(snapshot: "Snapshot", as_json: bool) -> None:
    if as_json:
        from qiki_console.model.report import report
        from qiki_node.json_text import to_json

        echo(to_json(report(snapshot)))
    else:
        make_console(_PLAIN_WIDTH).print(_screen(snapshot))


def _watch(watcher: "Watcher", snapshot: "Snapshot", as_json: bool, period: float) -> None:
    from rich.live import Live

    console = make_console()
    live = Live(console=console, auto_refresh=False, screen=True) if console.is_terminal and not as_json else None
    try:
        with live or nullcontext():
            while True:
                due = time.monotonic() + period
                if live:
                    live.update(_screen(snapshot), refresh=True)
                else:
                    _show(snapshot, as_json)
                time.sleep(max(due - time.monotonic(), 0.0))
                watcher.look()
                snapshot = watcher.snapshot()
    except KeyboardInterrupt:
        pass  # the ordinary end of watching


def _screen(snapshot: "Snapshot") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from qiki_console.model.screen import screen

    if snapshot.down:
        return Group(screen(snapshot), Text(f"the graph is down; {up_hint()}", style="bold red"))
    return screen(snapshot)
