"""`qiki undock`."""

import click

from qiki_console.cli.docking_options import Timeout, complete_bodies, complete_ports
from qiki_node.terminal import echo, printable


@click.command()
@click.argument("bot", shell_complete=complete_bodies)
@click.option("--port", shell_complete=complete_ports, help="Own port, by name or number; else the only one docked.")
@click.option("--no-wait", is_flag=True, help="End once the order is accepted.")
@click.option(
    "--timeout", type=Timeout(), default=600.0, show_default=True, help="s of simulated time for the whole sequence."
)
def undock(bot: str, *, port: str | None, no_wait: bool, timeout: float) -> None:
    """Undock BOT: power down, open the contacts, unlock, push off, retreat to the hold point.

    Ends with 0 when the port is free again, with 2 when the order is refused, with 1 when it fails, such as with a
    jammed latch. Ctrl-C ends the command alone: an undocking under way is not taken back.
    """
    from qiki_console.graph.docking import DockingWatch, call, limit, port_of
    from qiki_console.graph.operator_log import record_command
    from qiki_console.graph.task_clock import TaskClock
    from qiki_console.model.command_id import command_id
    from qiki_msgs.srv import Undock
    from qiki_node.session import Session

    with Session("console") as session:
        watch = DockingWatch(session, bot)
        clock = TaskClock(session)
        clock.wait(session.discovery)
        own = port_of(bot, port, watch.ports) if port else ""
        used = own or watch.newest.own_port or next((o.port for o in watch.newest.offers if o.holder), "")
        begun = clock.now()
        request = Undock.Request(command_id=command_id(), port=own)
        record_command(session, begun, request.command_id, "undock", bot, port=own)
        answer = call(session, Undock, bot, "undock", request)
        if no_wait:
            echo(printable(f"{bot}: {answer.message or 'accepted'}"))
            return
        expired = limit(clock, timeout)
        watch.wait_until_free(used, since=begun, expired=expired, on_step=lambda line: echo(printable(line)))
    echo(printable(f"{bot}: port {used or '(unknown)'} is free"))
