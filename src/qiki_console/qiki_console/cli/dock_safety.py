"""`qiki dock release` and `reset`: orders for when docking cannot go on by itself."""

import click

from qiki_console.cli.docking_options import complete_bodies, complete_ports
from qiki_node.errors import RefusedError
from qiki_node.terminal import echo, printable


@click.command()
@click.argument("bot", shell_complete=complete_bodies)
@click.option("--arm", is_flag=True, help="First step: shows the code of the second.")
@click.option("--code", type=click.IntRange(1, 2**32 - 1), help="Second step: release, with the code of the first.")
@click.option("--port", shell_complete=complete_ports, help="Own port, by name or number; else the only one docked.")
def release(bot: str, *, arm: bool, code: int | None, port: str | None) -> None:
    """Emergency release of BOT, in two steps: opens contacts and latches at once, under current too.

    `--arm` answers with a code; `--code` with it releases, as long as it is armed.
    """
    if arm == (code is not None):
        raise RefusedError("--arm, --code: exactly one of them is needed; first --arm, then --code with its answer")
    from qiki_console.graph.docking import DockingWatch, call, port_of
    from qiki_console.graph.operator_log import record_command
    from qiki_console.graph.task_clock import TaskClock
    from qiki_console.model.command_id import command_id
    from qiki_msgs.srv import ReleaseDock
    from qiki_node.session import Session

    with Session("console") as session:
        watch, clock = DockingWatch(session, bot), TaskClock(session)
        own = port_of(bot, port, watch.ports) if port else ""
        request = ReleaseDock.Request(command_id=command_id(), port=own, code=code or 0)
        try:
            answer = call(session, ReleaseDock, bot, "release", request)
        finally:  # recorded after it was sent: a release in an emergency waits for no event store
            clock.wait(session.discovery)
            step = "arm" if arm else "release"
            record_command(session, clock.now(), request.command_id, "dock release", bot, port=own, step=step)
    if not arm:
        echo(printable(f"{bot}: {answer.message or 'released'}"))
        return
    echo(printable(f"{bot}: armed for {answer.seconds:g} s; {answer.message}".rstrip("; ")))
    where = f" --port {port}" if port else ""
    echo(printable(f"release it with: qiki dock release {bot} --code {answer.code}{where}"))


@click.command()
@click.argument("bot", shell_complete=complete_bodies)
def reset(bot: str) -> None:
    """Let BOT leave FAULT for FREE; the sensors have to show the ports apart."""
    from qiki_console.graph.docking import call
    from qiki_console.graph.operator_log import record_command
    from qiki_console.graph.task_clock import TaskClock
    from qiki_console.model.command_id import command_id
    from qiki_msgs.srv import ResetDocking
    from qiki_node.session import Session

    with Session("console") as session:
        clock = TaskClock(session)
        clock.wait(session.discovery)
        request = ResetDocking.Request(command_id=command_id())
        record_command(session, clock.now(), request.command_id, "dock reset", bot)
        answer = call(session, ResetDocking, bot, "reset", request)
    echo(printable(f"{bot}: {answer.message or 'reset'}"))
