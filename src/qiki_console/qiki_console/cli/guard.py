"""`qiki guard`: rules, alerts and mode of a bot's guard."""

from typing import TYPE_CHECKING

import click

from qiki_node.completion import complete_bots
from qiki_node.errors import RefusedError
from qiki_node.terminal import echo, printable
from qiki_node.verb_group import VerbGroup

if TYPE_CHECKING:
    from qiki_console.model.transponder import Alert

_MODES = ("active", "passive", "off")


@click.group(cls=VerbGroup)
def guard() -> None:
    """Rules that raise alerts on a bot's tracks: rules, alerts, mode."""


@guard.command()
@click.argument("bot", default="alpha", shell_complete=complete_bots)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def rules(bot: str, *, as_json: bool) -> None:
    """Rules that BOT evaluates on each of its tracks, in the form of their file."""
    import yaml

    from qiki_console.graph.surveillance import call
    from qiki_console.model.transponder import GUARD_MODES
    from qiki_msgs.srv import ListGuardRules
    from qiki_node.session import Session

    with Session("console") as session:
        answer = call(session, bot, ListGuardRules, "list_guard_rules", ListGuardRules.Request())
    mode = GUARD_MODES[answer.mode] if answer.mode < len(GUARD_MODES) else f"UNKNOWN ({answer.mode})"
    if as_json:
        from qiki_node.json_text import to_json

        echo(to_json({"bot": bot, "mode": mode, **yaml.safe_load(answer.yaml)}))
        return
    echo(printable(f"# {bot}: {mode}"))
    echo(answer.yaml.rstrip("\n"))


@guard.command()
@click.argument("bot", required=False, shell_complete=complete_bots)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def alerts(bot: str | None, *, as_json: bool) -> None:
    """Alerts that last, of BOT or of all bots. Past ones: qiki events query --type 'guard.*'."""
    from qiki_console.graph.surveillance import alerts as read
    from qiki_console.graph.surveillance import watching
    from qiki_node.session import Session

    with Session("console") as session:
        found, now = read(session, [bot] if bot else watching(session))
    if as_json:
        from qiki_console.model.transponder import alert_report
        from qiki_node.json_text import to_json

        echo(
            to_json(
                {
                    name: None if one is None else {"mode": one[0], "alerts": [alert_report(name, a) for a in one[1]]}
                    for name, one in found.items()
                }
            )
        )
        return
    for name, one in found.items():
        for line in _lines(name, one, now):
            echo(printable(line))


@guard.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("mode", type=click.Choice(_MODES, case_sensitive=False))
@click.option("--reason", default="ordered at the console", show_default=True, help="For the audit.")
def mode(bot: str, mode: str, *, reason: str) -> None:
    """Set whether the rules of BOT are evaluated, and whether alerts have an effect (passive: none)."""
    from qiki_console.graph.surveillance import order
    from qiki_msgs.srv import SetGuardMode
    from qiki_node.session import Session

    with Session("console") as session:
        request = SetGuardMode.Request(mode=mode.upper(), reason=reason)
        answer = order(session, bot, SetGuardMode, "set_guard_mode", request, verb="guard mode")
    if not answer.success:
        raise RefusedError(answer.message or "refused without a reason")
    echo(printable(f"{bot}: guard {answer.message or mode.upper()}"))


def _lines(bot: str, found: "tuple[str, list[Alert]] | None", now: float) -> list[str]:
    from qiki_console.model.transponder import alert_line

    if found is None:
        return [f"{bot}: N/A, its node is silent"]
    mode, lasting = found
    return [f"{bot}: guard {mode}, {len(lasting)} alerts", *(f"  {alert_line(one, now)}" for one in lasting)]
