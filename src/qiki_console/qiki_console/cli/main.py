"""The command line: one verb per module of `qiki_console.cli`, imported when it is called.

Other packages add verbs of their own through entry points of the group `qiki.commands`, each a click command.
"""

import io
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

import click

_VERBS = {
    "allocator": "Control a bot's allocator: mode, hold, brake, stop, health.",
    "groups": "Thrust groups of a bot, as a table and as a picture.",
    "sim": "Control the simulator: pause, resume, reset, step, speed, load, fault, clear.",
    "status": "One screen of the graph: nodes, bots, energy, heat, allocation.",
    "thrust": "Command a wrench for a time and account for the velocity gained.",
    "topics": "Look at topics: list, echo, hz, info.",
}


class _Verbs(click.Group):
    """Knows its own verbs by name; `qiki --help` imports only those of other packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted({*_VERBS, *_of_other_packages()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _VERBS:
            command: click.Command = getattr(import_module(f"qiki_console.cli.{cmd_name}"), cmd_name)
            return command
        entry = _of_other_packages().get(cmd_name)
        return None if entry is None else _load(entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        rows = dict(_VERBS)
        for name, entry in _of_other_packages().items():
            try:
                rows.setdefault(name, _load(entry).get_short_help_str(limit=100))
            except click.ClickException as error:
                rows.setdefault(name, error.message)
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))


def _of_other_packages() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="qiki.commands")}


def _load(entry: EntryPoint) -> click.Command:
    """A verb of another package; one that is broken must not take the others with it."""
    try:
        command: click.Command = entry.load()
    except Exception as error:
        raise click.ClickException(f"verb {entry.name}: {entry.value} cannot be loaded: {error}") from error
    return command


def _version() -> str:
    try:
        return version("qiki_console")
    except PackageNotFoundError:
        return "unknown"


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"qiki {_version()}")
        ctx.exit()


@click.command(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 refused or bad usage, 3 not reachable.",
)
@click.option(
    "--version", is_flag=True, callback=_show_version, expose_value=False, is_eager=True, help="Show the version."
)
def cli() -> None:
    """Operate QIKI's bots."""


def _keep_output_clean() -> None:
    """Redirect output of Fast DDS from standard output to standard error: it would break the reader of JSON lines."""
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper) and out.fileno() == 1:
        with suppress(OSError):  # there is no standard error
            own = os.fdopen(os.dup(1), "wb")
            os.dup2(2, 1)
            sys.stdout = io.TextIOWrapper(
                own,
                encoding=out.encoding,
                errors=out.errors,
                line_buffering=out.line_buffering,
                write_through=out.write_through,
            )


def main() -> None:
    """Entry point of `qiki` and of `python -m qiki_console`."""
    # SIGTERM ends like Ctrl-C: in order, with a zero wrench where one is due and without leaving shared memory. SIGINT
    # too where it is ignored, as in a background job of a script.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    _keep_output_clean()
    cli(prog_name="qiki")
