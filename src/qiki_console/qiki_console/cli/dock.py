"""`qiki dock`: docking, its emergency release, reset and report."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from qiki_console.cli.dock_report import report
from qiki_console.cli.dock_safety import release, reset
from qiki_console.cli.docking_options import Timeout, complete_bodies, complete_ports, complete_targets
from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo, make_console, printable

if TYPE_CHECKING:
    from qiki_console.graph.docking import Docking
    from qiki_console.graph.task_clock import TaskClock
    from qiki_console.model.docking import Feedback
    from qiki_msgs.action import Dock

_START = "start"
_PROFILES = ("power", "data", "full")


class DockGroup(click.Group):
    """A group whose verb `start` may be left out: `qiki dock alpha --to station`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = [_START, *args]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        bodies = complete_bodies(ctx, self.commands[_START].params[0], incomplete)
        return [*super().shell_complete(ctx, incomplete), *bodies]


@click.group(
    cls=DockGroup, context_settings={"ignore_unknown_options": True}, subcommand_metavar="BOT --to BODY[:PORT]"
)
def dock() -> None:
    """Dock a bot to a port: `qiki dock BOT --to BODY[:PORT] --profile full`; release, reset, report."""


@dock.command(_START)
@click.argument("bot", shell_complete=complete_bodies)
@click.option(
    "--to",
    required=True,
    metavar="BODY[:PORT]",
    shell_complete=complete_targets,
    help="Partner, and its port by name or by number from 1; without a port: the nearest free one.",
)
@click.option("--port", shell_complete=complete_ports, help="Own port, by name or number; else by the least turn.")
@click.option("--profile", type=click.Choice(_PROFILES, case_sensitive=False), default="full", show_default=True)
@click.option("--no-wait", is_flag=True, help="End once the order is accepted.")
@click.option("--timeout", type=Timeout(), help="s of simulated time after which it is cancelled.")
@click.option("--json", "as_json", is_flag=True, help="The result as one line of JSON.")
def start(
    bot: str, *, to: str, port: str | None, profile: str, no_wait: bool, timeout: float | None, as_json: bool
) -> None:
    """Dock BOT, and wait until power and data are bridged.

    Shows phase, range, closing rate and the margins of the contact box. Ctrl-C cancels: the bot aborts, backs off and
    the command ends when it has; a second Ctrl-C ends the command at once. Ends with 0 when docked, with 2 when the
    order is refused, else with 1. `start` may be left out.
    """
    from qiki_console.graph.docking import Docking, DockingWatch, port_of
    from qiki_console.graph.operator_log import record_command
    from qiki_console.graph.task_clock import TaskClock
    from qiki_console.model.command_id import command_id
    from qiki_msgs.action import Dock
    from qiki_node.session import Session

    partner, colon, wanted = to.partition(":")
    if not partner or (colon and not wanted) or partner == bot:
        raise RefusedError(f"--to: {to!r} is not allowed; allowed: another body, or body:port, such as station:A")
    with Session("console") as session:
        own, other = DockingWatch(session, bot), DockingWatch(session, partner)
        goal = Dock.Goal(
            command_id=command_id(),
            partner=partner,
            partner_port=port_of(partner, wanted, other.ports) if wanted else "",
            own_port=port_of(bot, port, own.ports) if port else "",
            profile=profile.upper(),
        )
        clock = TaskClock(session)
        clock.wait(session.discovery)
        display = _Display(as_json)
        docking = Docking(session, bot, (lambda _: None) if no_wait else display.take)
        fields = {name: getattr(goal, name) for name in ("partner", "partner_port", "own_port", "profile")}
        record_command(session, clock.now(), goal.command_id, "dock", bot, **fields)
        docking.begin(goal)
        if no_wait and docking.is_under_way():
            echo(f"{bot}: accepted, command {goal.command_id}")
            return
        with display:
            result, late = _follow(docking, clock, display, timeout)
    _finish(bot, result, late, as_json)


dock.add_command(release)
dock.add_command(reset)
dock.add_command(report)


class _Display:
    """Progress on a terminal as a table that is kept up to date, else a line for each new step."""

    def __init__(self, quiet: bool) -> None:
        self._console = make_console(240)
        self._quiet = quiet
        self._live: Any = None
        self._shown: tuple[str, ...] = ()
        if self._console.is_terminal and not quiet:
            from rich.live import Live

            self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "_Display":
        (self._live or nullcontext()).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        (self._live or nullcontext()).__exit__(*error)

    def take(self, feedback: "Feedback") -> None:
        """Show a progress."""
        from qiki_node.terminal import printable_values

        feedback = printable_values(feedback)
        if self._live:
            self._live.update(feedback.table())
            return
        stage = (feedback.phase, feedback.step, str(feedback.tries), *feedback.checks)
        if stage != self._shown and not self._quiet:
            self._shown = stage
            echo(feedback.line)

    def note(self, text: str) -> None:
        """Show a line beside the progress."""
        if not self._quiet:
            self._console.print(printable(text))


def _follow(
    docking: "Docking", clock: "TaskClock", display: _Display, timeout: float | None
) -> tuple["Dock.Result", str]:
    """Result of the docking, and the reason for which it was cancelled (empty: it was not)."""
    from qiki_console.graph.docking import limit

    expired = limit(clock, timeout)
    try:
        result = docking.end(expired)
        if result is not None:
            return result, ""
        cause = expired()
    except KeyboardInterrupt:
        cause = "interrupted"
    try:
        if docking.cancel():
            display.note(f"{cause}: cancelled, it aborts (Ctrl-C again leaves it alone with that)")
        result = docking.end(limit(clock, None))
    except KeyboardInterrupt:
        raise CommandError(f"{cause}: cancelled; it goes on to abort, qiki status shows how far it is") from None
    if result is None:
        raise CommandError(f"{cause}: cancelled; simulated time jumped back before it had aborted")
    return result, cause


def _finish(bot: str, result: "Dock.Result", cause: str, as_json: bool) -> None:
    from qiki_console.model.docking import phase_name

    outcomes = {
        value: name for name in ("EXECUTED", "REJECTED", "FAILED", "TIMEOUT", "CANCELED")
        for value in [getattr(type(result), name)]
    }  # fmt: skip
    outcome, phase = outcomes.get(result.outcome, f"UNKNOWN ({result.outcome})"), phase_name(result.phase)
    if as_json:
        from qiki_node.json_text import to_json

        values = {"bot": bot, "outcome": outcome, "code": result.code, "reason": result.reason, "phase": phase}
        values |= {"docking_id": result.docking_id, "tries": result.tries, "elapsed_s": result.elapsed}
        echo(to_json(values))
    reason = "; ".join(filter(None, (cause, f"{result.code} {result.reason}" if result.code else result.reason)))
    text = f"{bot}: {outcome} in {phase} after {result.elapsed:.1f} s, {result.tries} tries"
    text += f": {reason}" if reason and outcome != "EXECUTED" else ""
    if outcome == "EXECUTED":
        if not as_json:
            echo(printable(f"{text}; report: qiki dock report {result.docking_id}"))
        return
    hint = f"qiki dock report {result.docking_id}" if result.docking_id else ""
    if outcome == "REJECTED":
        raise RefusedError(text, hint)
    raise CommandError(text, hint)
