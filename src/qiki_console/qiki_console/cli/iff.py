"""`qiki iff`."""

import click

from qiki_node.completion import complete_bots, complete_tracks
from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo, printable

_METHODS = ("hmac", "signature")
_HALF_LIGHT = 0.5 * 299_792_458.0  # m/s
_NO_ANSWER = 210
"""Reason code of an interrogation that ended without proof; others refuse the order."""


@click.command()
@click.argument("bot", shell_complete=complete_bots)
@click.option(
    "--interrogate", "track", required=True, metavar="TRACK", shell_complete=complete_tracks,
    help="Id of a track, or its number alone.",
)  # fmt: skip
@click.option("--method", type=click.Choice(_METHODS, case_sensitive=False), default="hmac", show_default=True)
@click.option("--id", "identity", default="", help="Id to be proven; else the one that the track claims.")
@click.option("--json", "as_json", is_flag=True, help="The result as one line of JSON.")
def iff(bot: str, *, track: str, method: str, identity: str, as_json: bool) -> None:
    """Let BOT demand proof of a track's identity, and wait for the answer.

    An hmac proves a member of the group, a signature the id itself. Ends with 0 when the identity is proven, with 1
    when no proof came in time, with 2 when the order is refused.
    """
    from qiki_console.graph.surveillance import order
    from qiki_msgs.srv import Interrogate
    from qiki_node.session import Session

    name = f"{bot}-{track}" if track.isascii() and track.isdecimal() else track
    if not name:
        raise RefusedError("--interrogate: '' is not allowed; allowed: the id of a track")
    with Session("console") as session:
        request = Interrogate.Request(track=name, transponder_id=identity, method=method.upper())
        answer = order(session, bot, Interrogate, "interrogate", request, verb="iff")
    if as_json:
        from qiki_node.json_text import to_json

        values = {"bot": bot, "track": name, "proven": answer.success, "reason_code": answer.reason_code}
        values |= {"method": answer.method or None, "round_trip_s": answer.round_trip, "message": answer.message}
        echo(to_json(values))
    if not answer.success:
        text = f"{name}: {answer.message or 'refused without a reason'} ({answer.reason_code})"
        raise CommandError(text) if answer.reason_code == _NO_ANSWER else RefusedError(text)
    if not as_json:
        from qiki_console.model.numbers import number

        seconds = answer.round_trip
        trip = f"round trip {number(seconds * 1e6, 3)} us, as over {number(seconds * _HALF_LIGHT, 1)} m"
        echo(printable(f"{name}: proven by {answer.method}: {answer.message}; {trip}"))
