"""`qiki allocator`: the services of a bot's allocator."""

from typing import TYPE_CHECKING, TypeVar

import click

from qiki_node.completion import complete_bots
from qiki_node.errors import RefusedError
from qiki_node.service_type import Answer, ServiceType
from qiki_node.terminal import echo
from qiki_node.verb_group import VerbGroup

if TYPE_CHECKING:
    from qiki_msgs.msg import AssemblyJoint

Q = TypeVar("Q")
A = TypeVar("A", bound=Answer)

_MODES = ("AUTO", "ADAPTIVE", "MANUAL_OVERRIDE")
_MODULATORS = ("pulse_width", "pwpf", "bang_bang", "impulse_bit")
_HEALTH = {"ok": "OK", "stuck_closed": "STUCK_CLOSED", "stuck_open": "STUCK_OPEN", "weak": "WEAK"}


@click.group(cls=VerbGroup)
def allocator() -> None:
    """Control a bot's allocator."""


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("mode", type=click.Choice(_MODES, case_sensitive=False))
@click.option("--arm", is_flag=True, help="Needed for MANUAL_OVERRIDE.")
def mode(bot: str, mode: str, *, arm: bool) -> None:
    """Set which thrusters may be combined: thrust groups, any, or levels of single ones."""
    from qiki_msgs.msg import Allocation
    from qiki_msgs.srv import SetAllocatorMode

    request = SetAllocatorMode.Request(mode=getattr(Allocation, f"MODE_{mode.upper()}"), arm=arm)
    _echo(bot, call(bot, SetAllocatorMode, "set_mode", request))


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("name", type=click.Choice(_MODULATORS))
def modulator(bot: str, name: str) -> None:
    """Set how forces become pulses: impulse_bit for a gentle touch, pulse_width for all else."""
    from qiki_msgs.srv import SetModulator

    _echo(bot, call(bot, SetModulator, "set_modulator", SetModulator.Request(modulator=name)))


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
@click.option("--damp", is_flag=True, help="Only bring the rates to zero.")
@click.option("--off", is_flag=True, help="Leave the attitude alone.")
@click.option("--to", "target", type=float, nargs=4, metavar="X Y Z W", help="Quaternion in world; else that of now.")
def hold(bot: str, *, damp: bool, off: bool, target: tuple[float, float, float, float] | None) -> None:
    """Hold the attitude of BOT while forces are commanded."""
    if damp + off + (target is not None) > 1:
        raise RefusedError("--damp, --off, --to: at most one of them is allowed")
    from geometry_msgs.msg import Quaternion

    from qiki_msgs.srv import SetAttitudeMode

    kinds = SetAttitudeMode.Request
    wanted = kinds.OFF if off else kinds.DAMP if damp else kinds.HOLD
    request = SetAttitudeMode.Request(mode=wanted, current=target is None)
    if target is not None:
        request.target = Quaternion(x=target[0], y=target[1], z=target[2], w=target[3])
    _echo(bot, call(bot, SetAttitudeMode, "set_attitude_mode", request))


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
def brake(bot: str) -> None:
    """Cancel everything and bring BOT to rest."""
    _trigger(bot, "brake")


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
def stop(bot: str) -> None:
    """Close all valves of BOT."""
    _trigger(bot, "stop")


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("joints", nargs=-1, metavar="[MEMBER:PORT=BODY:PORT]...")
@click.option("--none", "ends", is_flag=True, help="End it: each member flies itself again.")
def lead(bot: str, joints: tuple[str, ...], *, ends: bool) -> None:
    """Let BOT fly a docked assembly with the thrusters of all members.

    Each joint names a member with its port, and the body and port that it is docked to:
    bravo:B=alpha:A charlie:B=bravo:A.
    """
    if ends == bool(joints):
        raise RefusedError("joints, --none: exactly one of them is needed, as bravo:B=alpha:A")
    from qiki_msgs.srv import SetLead

    if ends:
        _echo(bot, call(bot, SetLead, "set_lead", SetLead.Request()))
        return
    from qiki_console.graph.assembly import form
    from qiki_node.session import Session

    parsed = [_joint(text) for text in joints]
    with Session("console") as session:
        form(session, bot, parsed, lambda body, text: echo(f"{body}: {text}"))


@allocator.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("thruster", type=click.IntRange(0, 255))
@click.argument("health", type=click.Choice(list(_HEALTH)))
@click.option("--level", type=float, help="Fraction of thrust that a weak one gives, above 0 and below 1.")
def health(bot: str, thruster: int, health: str, *, level: float | None) -> None:
    """Set the known health of a thruster of BOT; `weak` needs --level.

    Motion that contradicts it corrects it; `qiki status` shows what counts.
    """
    if health == "weak" and level is None:
        raise RefusedError("--level: missing, weak needs one; allowed: above 0 and below 1")
    if health != "weak" and level is not None:
        raise RefusedError(f"--level: {level:g} is not allowed, {health} takes none")
    if level is not None and not 0.0 < level < 1.0:
        raise RefusedError(f"--level: {level:g} is not allowed; allowed: above 0 and below 1")
    from qiki_msgs.msg import ThrusterState
    from qiki_msgs.srv import SetThrusterHealth

    value = getattr(ThrusterState, f"HEALTH_{_HEALTH[health]}")
    request = SetThrusterHealth.Request(thruster=thruster, health=value, level=level or 0.0)
    _echo(bot, call(bot, SetThrusterHealth, "set_thruster_health", request))


def _joint(text: str) -> "AssemblyJoint":
    from qiki_msgs.msg import AssemblyJoint

    ends = [end.split(":") for end in text.split("=")]
    if len(ends) != 2 or any(len(end) != 2 or not all(end) for end in ends):
        raise RefusedError(f"joint {text!r} is not allowed; allowed: MEMBER:PORT=BODY:PORT, as bravo:B=alpha:A")
    (partner, partner_port), (body, port) = ends
    return AssemblyJoint(body=body, port=port, partner=partner, partner_port=partner_port)


def _trigger(bot: str, service: str) -> None:
    from std_srvs.srv import Trigger

    _echo(bot, call(bot, Trigger, service, Trigger.Request()))


def _echo(bot: str, answer: Answer) -> None:
    echo(f"{bot}: {answer.message}")


def call(bot: str, kind: ServiceType[Q, A], service: str, request: Q) -> A:
    """Response of a service of a bot's allocator.

    Raises:
        RefusedError: it was refused, or there is no such bot.
        UnreachableError: the service is not there, or does not answer in time.
    """
    from qiki_console.graph.discovery import require_bot
    from qiki_node.session import Session

    with Session("console") as session:
        require_bot(session, bot)
        answer = session.call(kind, f"/{bot}/allocator/{service}", request, repeatable=True)
    if not answer.success:
        raise RefusedError(answer.message)
    return answer
