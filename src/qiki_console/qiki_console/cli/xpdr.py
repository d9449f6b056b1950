"""`qiki xpdr`."""

import click

from qiki_node.completion import complete_bots
from qiki_node.errors import RefusedError
from qiki_node.terminal import echo, printable

_MODES = ("on", "off", "silent", "spoof")


@click.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("mode", required=False, type=click.Choice(_MODES, case_sensitive=False))
@click.option("--arm", is_flag=True, help="First step of spoof: shows the code of the second.")
@click.option("--code", type=click.IntRange(1, 2**32 - 1), help="Second step of spoof, with the code of the first.")
@click.option("--reason", default="ordered at the console", show_default=True, help="For the audit.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def xpdr(bot: str, *, mode: str | None, arm: bool, code: int | None, reason: str, as_json: bool) -> None:
    """State of BOT's transponder, or with MODE a change of it.

    \b
    on       transmits identity, position and velocity
    off      transmits nothing
    silent   receives and tracks, transmits nothing
    spoof    transmits the configured false identity; in two steps, --arm and --code

    While the transponder's power is shed the mode is off; the ordered one applies once power is back.
    """
    if (arm or code is not None) and mode != "spoof":
        raise RefusedError(f"--arm, --code: not allowed with {mode or 'no mode'}; allowed: with spoof")
    if mode == "spoof" and arm == (code is not None):
        raise RefusedError("--arm, --code: spoof needs exactly one of them; first --arm, then --code with its answer")
    if mode is None:
        _show(bot, as_json)
        return
    from qiki_console.graph.surveillance import order
    from qiki_msgs.srv import SetTransponderMode
    from qiki_node.session import Session

    with Session("console") as session:
        request = SetTransponderMode.Request(mode=mode.upper(), reason=reason, arm=arm, code=code or 0)
        answer = order(session, bot, SetTransponderMode, "set_mode", request, verb=f"xpdr {mode}")
    if not answer.success:
        raise RefusedError(f"{answer.message or 'refused without a reason'} ({answer.reason_code})")
    if as_json:
        from qiki_node.json_text import to_json

        values = {"bot": bot, "mode": mode.upper(), "armed": arm, "reason_code": answer.reason_code}
        values |= {"code": answer.code or None, "seconds": answer.seconds, "message": answer.message}
        echo(to_json(values))
    elif arm:
        echo(printable(f"{bot}: spoof is armed for {answer.seconds:g} s"))
        echo(printable(f"transmit the false identity with: qiki xpdr {bot} spoof --code {answer.code}"))
    else:
        echo(printable(f"{bot}: {mode.upper()}" + (f"; {answer.message}" if answer.message else "")))


def _show(bot: str, as_json: bool) -> None:
    from qiki_console.graph.surveillance import transponder
    from qiki_node.session import Session

    with Session("console") as session:
        status = transponder(session, bot)
    if as_json:
        from qiki_console.model.transponder import status_report
        from qiki_node.json_text import to_json

        echo(to_json(status_report(bot, status)))
        return
    from qiki_console.model.transponder import status_lines

    for line in status_lines(bot, status):
        echo(printable(line))
