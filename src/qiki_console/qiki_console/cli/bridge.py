"""`qiki bridge`: the network of bridges."""

import click

from qiki_console.cli.docking_options import Timeout, complete_bodies, complete_ports
from qiki_node.errors import RefusedError
from qiki_node.terminal import echo, make_console, printable
from qiki_node.verb_group import VerbGroup

_PROFILES = ("power", "data", "full")
_ROLES = ("source", "sink", "relay")


@click.group(cls=VerbGroup, invoke_without_command=True)
@click.pass_context
def bridge(context: click.Context) -> None:
    """The network of bridges: `show` (the default) draws it, `set` changes roles and profiles."""
    if context.invoked_subcommand is None:
        context.invoke(show)


@bridge.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def show(*, as_json: bool = False) -> None:
    """Draw bodies and bridges, with source, volts, amperes, depth and shed loads.

    A body that is silent is shown as N/A, one whose last message is old as STALE. Ends with 3 where no body has
    bridges.
    """
    from qiki_console.graph.bridges import bridges
    from qiki_node.session import Session

    with Session("console") as session:
        found = bridges(session)
    if as_json:
        from qiki_console.model.bridge import report
        from qiki_node.json_text import to_json

        ages = {name: {"age_s": round(age, 4), "stale": stale} for name, (_, age, stale) in found.items()}
        echo(to_json({name: {**ages[name], **report(status)} for name, (status, _, _) in found.items()}))
        return
    from qiki_console.model.bridge import picture
    from qiki_node.terminal import printable_values

    console = make_console(240)
    for tree in picture(printable_values({name: (status, stale) for name, (status, _, stale) in found.items()})):
        console.print(tree)


@bridge.command("set")
@click.argument("bot", shell_complete=complete_bodies)
@click.option("--profile", type=click.Choice(_PROFILES, case_sensitive=False), help="Of the bridge at the port.")
@click.option("--role", type=click.Choice(_ROLES, case_sensitive=False), help="Of the body in the network of power.")
@click.option("--port", shell_complete=complete_ports, help="Own docked port, by name or number; else the only one.")
@click.option("--no-wait", is_flag=True, help="End once the order is accepted.")
@click.option("--timeout", type=Timeout(), default=30.0, show_default=True, help="s of simulated time.")
def set_bridge(
    bot: str, *, profile: str | None, role: str | None, port: str | None, no_wait: bool, timeout: float
) -> None:
    """Set role or profile of BOT, and wait until its state shows them."""
    if profile is None and role is None:
        raise RefusedError("--profile, --role: at least one of them is needed")
    if port is not None and profile is None:
        raise RefusedError(f"--port: {port!r} is not allowed without --profile; the role is that of the whole body")
    from qiki_console.graph.bridges import Wanted, wait_for_bridge
    from qiki_console.graph.docking import DockingWatch, call, limit, port_of
    from qiki_console.graph.operator_log import record_command
    from qiki_console.graph.task_clock import TaskClock
    from qiki_console.model.command_id import command_id
    from qiki_msgs.srv import SetBridge
    from qiki_node.session import Session

    with Session("console") as session:
        own = port_of(bot, port, DockingWatch(session, bot).ports) if port else ""
        clock = TaskClock(session)
        clock.wait(session.discovery)
        begun = clock.now()
        names = {"profile": (profile or "").upper(), "role": (role or "").upper()}
        request = SetBridge.Request(command_id=command_id(), port=own, **names)
        record_command(session, begun, request.command_id, "bridge set", bot, port=own, **names)
        answer = call(session, SetBridge, bot, "set_bridge", request)
        if not no_wait:
            wanted = Wanted(bot, own, since=begun, **names)
            wait_for_bridge(session, wanted, limit(clock, timeout))
    done = ", ".join(f"{field} {name}" for field, name in names.items() if name)
    echo(printable(f"{bot}: {answer.message or done}"))
