"""`launch`: plan a launch file, show it or run it."""

import os
import shlex
import sys
from pathlib import Path

import click
import yaml

from qiki_launch.cli.options import run_dir_option
from qiki_launch.errors import LaunchError, RunError
from qiki_launch.plan.arguments import declared_arguments, parse_arguments
from qiki_launch.plan.packages import find_launch_file
from qiki_launch.plan.planner import plan_launch
from qiki_launch.plan.scope import Scope
from qiki_launch.run.output import Screen
from qiki_launch.run.patient_stream import PatientStream
from qiki_launch.run.run_state import RunFolder
from qiki_launch.run.supervisor import Supervisor
from qiki_node.terminal import echo, printable


@click.command("launch")
@click.argument("target", metavar="FILE | PACKAGE")
@click.argument("words", nargs=-1, metavar="[FILE] [NAME:=VALUE]...")
@click.option("-s", "--show-args", "--show-arguments", is_flag=True, help="Show the arguments and start nothing.")
@click.option("-p", "--print", "print_plan", is_flag=True, help="Print what would be started and start nothing.")
@run_dir_option
def launch(target: str, words: tuple[str, ...], show_args: bool, print_plan: bool, run_dir: Path) -> None:
    """Run a launch file, given by its path or by its package and name, until Ctrl-C."""
    try:
        file, rest = resolve(target, words)
        if show_args:
            echo(arguments_text(file))
            return
        plan = plan_launch(file, parse_arguments(rest))
    except (LaunchError, OSError) as error:  # such as a name that is too long for a file
        raise click.ClickException(printable(str(error))) from error
    if print_plan:
        click.echo(yaml.safe_dump(plan.to_data(), sort_keys=False, width=1000), nl=False)
        return
    stream = PatientStream(sys.stdout)
    try:
        status = Supervisor(plan, RunFolder(run_dir), Screen(stream)).run()
    except RunError as error:
        raise click.ClickException(printable(str(error))) from error
    finally:
        stream.close()
    sys.exit(status)


def resolve(target: str, words: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
    """The launch file that is meant, and the remaining words, which are its arguments.

    Raises:
        LaunchError: there is no such file or package.
    """
    if Path(target).is_file():
        return Path(target).absolute(), words
    if not words or ":=" in words[0]:
        raise LaunchError(f"no file {shlex.quote(target)}; or is a file name of that package missing?")
    return find_launch_file(target, words[0], os.environ), words[1:]


def arguments_text(file: Path) -> str:
    """The arguments of a launch file, for people.

    Raises:
        LaunchError: a file cannot be read.
    """
    lines = ["Arguments (give them as 'name:=value'):"]
    for argument in declared_arguments(file, Scope(os.environ, Path.cwd())).values():
        default = "required" if argument.default is None else f"default: {argument.default!r}"
        choices = f"; one of: {', '.join(argument.choices)}" if argument.choices else ""
        condition = "; under a condition" if argument.conditional else ""
        lines += [f"  {argument.name}", f"      {argument.description or 'no description'}"]
        lines += [f"      ({default}{choices}{condition})"]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  none"])
