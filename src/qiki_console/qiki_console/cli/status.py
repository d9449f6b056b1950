"""`qiki status`."""

import time
from typing import TYPE_CHECKING

import click

from qiki_node.errors import UnreachableError, up_hint
from qiki_node.terminal import echo

if TYPE_CHECKING:
    from rich.console import RenderableType

    from qiki_console.graph.watcher import Watcher
    from qiki_console.model.snapshot import Snapshot


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

    Unknown values are shown as N/A, outdated ones as STALE. Ends with 0 when the graph is whole, 1 when a node is
    missing or not active, 3 when the graph is down.
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
        from rich.console import Console

        Console().print(_screen(snapshot))


def _watch(watcher: "Watcher", snapshot: "Snapshot", as_json: bool, period: float) -> None:
    from contextlib import nullcontext

    from rich.live import Live

    live = nullcontext() if as_json else Live(auto_refresh=False, screen=True)
    try:
        with live:
            while True:
                due = time.monotonic() + period
                if isinstance(live, Live):
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
