"""The verbs of `qiki`: the table of the console's own, and those of other packages.

A verb of the console is a file beside this one, with a click command of the same name, and a line in `VERBS`. Another
package adds one by an entry point of the group `qiki.commands`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click
from click.shell_completion import CompletionItem

from qiki_node.terminal import READER_GONE, drop_output
from qiki_node.verb_group import VerbGroup

VERBS = {
    "bridge": "The network of bridges between docked bodies: show, set.",
    "dock": "Dock a bot and bridge power and data; release, reset, report.",
    "undock": "Undock a bot: power down, unlock, push off, retreat.",
    "allocator": "Control a bot's allocator: mode, hold, brake, stop, health.",
    "run": "Run a procedure: commands and conditions, step by step, from a YAML file.",
    "guard": "Rules that raise alerts on a bot's tracks: rules, alerts, mode.",
    "iff": "Demand proof of a track's identity.",
    "tracks": "Tracks of other bodies: identity, verdict on it, place, evidence.",
    "xpdr": "State and mode of a bot's transponder.",
    "groups": "Thrust groups of a bot, as a table and as a picture.",
    "sim": "Control the simulator: pause, resume, reset, step, speed, load, fault, clear.",
    "status": "One screen of the graph: nodes, bots, energy, heat, allocation.",
    "thrust": "Command a wrench for a time and account for the velocity gained.",
    "topics": "Look at topics: list, echo, hz, info.",
}

SLOW_VERBS = {
    "keys": "Key files of the transponders: create, list, rotate, revoke.",
}
"""Verbs of other packages that take long to import, with their text for `--help`."""

SCRIPT_VERBS = "QIKI_SCRIPT_VERBS"
"""Environment variable with the verbs of the script that hands over to this program."""


class Verbs(VerbGroup):
    """A group that imports a verb of the console only when it is called, those of other packages for `--help` too."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted({*VERBS, *_of_other_packages()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in VERBS:
            command: click.Command = getattr(import_module(f"qiki_console.cli.{cmd_name}"), cmd_name)
            return command
        entry = _of_other_packages().get(cmd_name)
        return None if entry is None else _load(entry)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # The script `./qiki` has verbs of its own before these.
        more = (name for name in os.environ.get(SCRIPT_VERBS, "").split() if name.startswith(incomplete))
        return [*super().shell_complete(ctx, incomplete), *map(CompletionItem, more)]

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _reader_may_go():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_go():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        rows = dict(VERBS)
        for name, entry in _of_other_packages().items():
            try:
                rows.setdefault(name, SLOW_VERBS.get(name) or _load(entry).get_short_help_str(limit=100))
            except click.ClickException as error:
                rows.setdefault(name, error.message)
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))


@contextmanager
def _reader_may_go() -> Iterator[None]:
    """End with `READER_GONE` where the reader of the output is gone: click would end with 1, as after a failure."""
    try:
        yield
    except BrokenPipeError:
        drop_output()
        sys.exit(READER_GONE)


def _of_other_packages() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="qiki.commands")}


def _load(entry: EntryPoint) -> click.Command:
    """A verb of another package; one that is broken must not take the others with it."""
    try:
        command: click.Command = entry.load()
    except Exception as error:
        raise click.ClickException(f"verb {entry.name}: {entry.value} cannot be loaded: {error}") from error
    return command
