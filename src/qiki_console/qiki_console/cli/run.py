"""`qiki run`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from qiki_node.errors import CommandError, RefusedError, UnknownNameError
from qiki_node.terminal import echo, make_console, printable

if TYPE_CHECKING:
    from qiki_console.model.procedure import Plan

_SUFFIXES = (".yaml", ".yml", ".json")


def _folder() -> Path:
    """Folder of the shipped procedures.

    Raises:
        CommandError: package qiki_bringup is not found.
    """
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        return Path(get_package_share_directory("qiki_bringup")) / "config" / "procedures"
    except PackageNotFoundError as error:
        raise CommandError(f"package qiki_bringup is not found: {error}") from error


def _shipped() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = [CompletionItem(name) for name in _shipped() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("procedure", required=False, metavar="NAME|FILE", shell_complete=_complete)
@click.option("--list", "listed", is_flag=True, help="Names of the shipped procedures.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Value of a variable; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Show and check the steps, against the graph if one is up; do nothing.")
def run(procedure: str | None, *, listed: bool, given: tuple[str, ...], dry_run: bool) -> None:
    """Run a procedure: commands of the console, and conditions on telemetry to wait for, step by step.

    NAME is a shipped procedure, FILE a YAML file. Ends with 0 when every step was executed, else with 1. Ctrl-C ends
    the step under way, carries out its on_failure, and stops.
    """
    if listed:
        for name in _shipped():
            echo(name)
        return
    if procedure is None:
        raise RefusedError("NAME|FILE: missing; allowed: a file, or one of " + ", ".join(_shipped()))
    plan = _read(procedure, given)
    problems = _unparsable(plan)
    if dry_run:
        _rehearse(plan, problems)
        return
    _refuse(problems)
    _run(plan)


def _refuse(problems: list[str]) -> None:
    """End with all problems, if there are any."""
    for problem in problems[:-1]:
        RefusedError(problem).show()
    if problems:
        raise RefusedError(problems[-1])


def _read(name: str, given: tuple[str, ...]) -> "Plan":
    from qiki_console.model.procedure import read_plan
    from qiki_vehicle import ConfigurationError

    path = Path(name)
    if path.suffix not in _SUFFIXES:
        path = _folder() / f"{name}.yaml"
        if name not in _shipped():
            raise UnknownNameError("procedure", name, _shipped(), "a file needs its ending, such as ./mine.yaml")
    values: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or key in values:
            raise RefusedError(f"--set: {pair!r} is not allowed; allowed: NAME=VALUE, each name once")
        values[key] = value
    try:
        return read_plan(path, values)
    except ConfigurationError as error:
        _refuse(str(error).splitlines())
        raise  # not reached: it has a text


def _unparsable(plan: "Plan") -> list[str]:
    """Problems of the commands that show without a graph."""
    from qiki_console.cli.calls import parsed

    problems = []
    for task in plan.tasks:
        if task.words:
            try:
                parsed(task.words)
            except click.ClickException as error:
                problems.append(_problem(plan, task, "command", error))
    return problems


def _problem(plan: "Plan", task: Any, field: str, error: click.ClickException) -> str:
    import shlex

    from qiki_console.model.procedure import refused

    value = shlex.join(task.words) if field == "command" else task.wait.text
    return str(refused(plan.path, task.place, field, value, error.format_message()))


def _rehearse(plan: "Plan", problems: list[str]) -> None:
    import shlex

    from rich.table import Column, Table

    # Nothing is cut off in a narrow terminal: names stay whole, the rest goes on in the next line.
    names, texts = Column("step", no_wrap=True), [Column(title, overflow="fold") for title in ("command", "wait for")]
    table = Table(names, *texts, "within", "on failure", box=None, padding=(0, 2, 0, 0))
    ways = {}
    for step in plan.steps:
        ways[step.task.place] = "tasks below" if step.failure else "continue" if step.goes_on else "stop"
    for task in plan.tasks:
        wait = f"{task.condition}  ({task.samples} samples)" if task.wait else task.condition
        cells = (task.place, shlex.join(task.words), wait, f"{task.timeout:g} s", ways.get(task.place, ""))
        table.add_row(*map(printable, cells))
    make_console(240).print(table)
    found = _against_graph(plan) if not problems else None
    if found is None and not problems:
        echo("no graph is up: names, topics and fields were not checked")
    _refuse([*problems, *(found or [])])
    echo(f"{plan.name}: {len(plan.steps)} steps, nothing was done")


def _against_graph(plan: "Plan") -> list[str] | None:
    """Names, topics and fields that the graph does not have; None without a graph."""
    from qiki_console.cli.calls import parsed
    from qiki_console.graph.discovery import require_body
    from qiki_console.graph.telemetry import bound
    from qiki_node.session import Session

    problems = []
    with Session("run") as session:
        if not session.wait_for(lambda: bool(session.nodes()), session.discovery):
            return None
        for task in plan.tasks:
            try:
                for name in _bodies(parsed(task.words)) if task.words else ():
                    require_body(session, name)
            except click.ClickException as error:
                problems.append(_problem(plan, task, "command", error))
            try:
                if task.wait:
                    bound(session, task.wait)
            except click.ClickException as error:
                problems.append(_problem(plan, task, "wait", error))
    return problems


def _bodies(context: click.Context) -> list[str]:
    """Names of bots and stations among the arguments of a command."""
    partner = str(context.params.get("to") or "").partition(":")[0]
    return [name for name in (context.params.get("bot"), partner) if name]


def _run(plan: "Plan") -> None:
    from qiki_console.cli.calls import perform
    from qiki_console.cli.procedure_display import ProcedureDisplay
    from qiki_console.graph.discovery import require_graph
    from qiki_console.graph.operator_log import operator
    from qiki_console.graph.procedure_run import ProcedureRun
    from qiki_console.model.progress import Outcome, summary
    from qiki_node.session import Session

    with Session("run") as session:
        require_graph(session)
        with ProcedureDisplay(plan) as display:
            ended, executed = ProcedureRun(
                session, plan, lambda words: perform(words, display.note), operator(), display
            ).run()
    text = printable(summary(plan, ended, executed))
    if ended.outcome is not Outcome.EXECUTED:
        raise CommandError(text)
    echo(text)
