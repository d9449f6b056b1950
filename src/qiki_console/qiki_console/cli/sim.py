"""`qiki sim`: the simulator's services."""

import math
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import click

from qiki_node.completion import complete_bots
from qiki_node.errors import RefusedError
from qiki_node.service_type import Answer, ServiceType
from qiki_node.terminal import echo
from qiki_node.verb_group import VerbGroup

Q = TypeVar("Q")
A = TypeVar("A", bound=Answer)

SERVICES = "/qiki/sim"
_STEP_MAX = 60.0
_LOAD_TIME = 20.0


@click.group(cls=VerbGroup)
def sim() -> None:
    """Control the simulator."""


@sim.command()
def pause() -> None:
    """Stop simulated time."""
    _trigger("pause", "paused")


@sim.command()
def resume() -> None:
    """Let simulated time go on."""
    _trigger("resume", "running")


@sim.command()
def reset() -> None:
    """Restart the scenario."""
    _trigger("reset", "reset")


@sim.command()
@click.argument("seconds", type=float)
def step(seconds: float) -> None:
    """Advance a paused simulation by SECONDS of simulated time (up to 60)."""
    if not 0.0 < seconds <= _STEP_MAX:
        raise RefusedError(f"SECONDS: {seconds:g} is not allowed; allowed: above 0 to {_STEP_MAX:g} s")
    from qiki_msgs.srv import Step

    # Half a minute beside the duration itself: the simulator may be slower than real time.
    answer = _call(Step, "step", Step.Request(duration=seconds), timeout=30.0 + 2.0 * seconds, repeatable=False)
    echo(f"simulated time {answer.time:.3f} s")


@sim.command()
@click.argument("factor", type=float)
def speed(factor: float) -> None:
    """Let simulated time run FACTOR times as fast as wall time (0.01 to 100)."""
    if not 0.01 <= factor <= 100.0:
        raise RefusedError(f"FACTOR: {factor:g} is not allowed; allowed: 0.01 to 100")
    from qiki_msgs.srv import SetSpeed

    answer = _call(SetSpeed, "set_speed", SetSpeed.Request(factor=factor))
    echo(f"speed factor {answer.factor:g}")


@sim.command()
@click.argument("scenario")
@click.option("--seed", type=click.IntRange(min=-1), default=-1, help="Random seed; -1, the default: the file's.")
def load(scenario: str, seed: int) -> None:
    """Replace the scenario by SCENARIO: a file, or the name of one in qiki_bringup's config/scenarios."""
    from qiki_msgs.srv import LoadScenario

    path, name = Path(scenario), scenario
    with suppress(OSError):  # a name that is too long for a file: the simulator refuses it
        name = str(path.resolve()) if path.is_file() else scenario
    answer = _call(LoadScenario, "load_scenario", LoadScenario.Request(path=name, seed=seed), timeout=_LOAD_TIME)
    echo(answer.message or f"loaded {scenario}")


@sim.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("kind")
@click.argument("target")
@click.option("--value", type=float, help="Share of thrust, factor on noise, ohm or sensor; see KIND.")
@click.option("--for", "duration", type=float, default=0.0, help="s until it clears by itself; 0: until cleared.")
def fault(bot: str, kind: str, target: str, value: float | None, duration: float) -> None:
    """Inject a fault into the hardware of BOT.

    \b
    KIND is one of            TARGET is
      thruster_stuck_closed     a thruster's index
      thruster_stuck_open       a thruster's index
      thruster_weak             a thruster's index (--value: share of thrust left, 0 to 1)
      sensor_dropout            odom, thruster_state, energy, thermal, battery, supercap, radar or dock
      sensor_noise              odom, energy, thermal, radar or dock (--value: factor on the noise)
      latch_jam                 a docking port
      umbilical_misaligned      a docking port
      polarity_reversed         a docking port
      contact_resistance        a docking port (--value: ohm beyond the line's)
      port_sensor_wrong         a docking port (--value: 1 or 2, the sensor that is wrong)
      contacts_welded           a docking port
      converter_dead            dock
    """
    from qiki_msgs.srv import InjectFault

    request_type = InjectFault.Request
    valued = (
        request_type.KIND_THRUSTER_WEAK,
        request_type.KIND_SENSOR_NOISE,
        request_type.KIND_CONTACT_RESISTANCE,
        request_type.KIND_PORT_SENSOR_WRONG,
    )
    kinds = (
        request_type.KIND_THRUSTER_STUCK_CLOSED,
        request_type.KIND_THRUSTER_STUCK_OPEN,
        request_type.KIND_SENSOR_DROPOUT,
        request_type.KIND_LATCH_JAM,
        request_type.KIND_UMBILICAL_MISALIGNED,
        request_type.KIND_POLARITY_REVERSED,
        request_type.KIND_CONTACTS_WELDED,
        request_type.KIND_CONVERTER_DEAD,
        *valued,
    )
    if kind not in kinds:
        raise RefusedError(f"KIND: {kind!r} is not allowed; allowed: {', '.join(kinds)}")
    if kind in valued and value is None:
        raise RefusedError(f"--value: missing, {kind} needs one")
    if kind not in valued and value is not None:
        raise RefusedError(f"--value: {value:g} is not allowed, {kind} takes none")
    if not (math.isfinite(duration) and duration >= 0.0):
        raise RefusedError(f"--for: {duration:g} is not allowed; allowed: 0 s and more")
    request = InjectFault.Request(
        bot=bot, kind=kind, target=target, value=0.0 if value is None else value, duration=duration
    )
    answer = _call(InjectFault, "inject_fault", request, bot=bot)
    until = f" for {duration:g} s" if duration else ""
    echo(answer.message or f"{bot}: {kind} of {target}{until}")


@sim.command()
@click.argument("bot", shell_complete=complete_bots)
@click.argument("target", default="")
def clear(bot: str, target: str) -> None:
    """Clear the faults of BOT: those of TARGET, or all."""
    from qiki_msgs.srv import InjectFault

    request = InjectFault.Request(bot=bot, kind=InjectFault.Request.KIND_CLEAR, target=target)
    answer = _call(InjectFault, "inject_fault", request, bot=bot)
    echo(answer.message or f"{bot}: faults {f'of {target} ' if target else ''}cleared")


def _trigger(service: str, done: str) -> None:
    from std_srvs.srv import Trigger

    answer = _call(Trigger, service, Trigger.Request())
    echo(answer.message or done)


def _call(
    kind: ServiceType[Q, A],
    service: str,
    request: Q,
    *,
    timeout: float | None = None,
    bot: str = "",
    repeatable: bool = True,
) -> A:
    """Response of a simulator service; the bot, if given, is looked for first."""
    from qiki_console.graph.discovery import require_bot
    from qiki_node.session import ANSWER, Session

    with Session("console") as session:
        if bot:
            require_bot(session, bot)
        answer = session.call(kind, f"{SERVICES}/{service}", request, timeout or ANSWER, repeatable=repeatable)
    if not answer.success:
        raise RefusedError(answer.message or f"the simulator refuses {service} and gives no reason")
    return answer
