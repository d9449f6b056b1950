"""`qiki thrust`."""

import math
from typing import TYPE_CHECKING, Any

import click

from qiki_node.completion import complete_bots
from qiki_node.errors import CommandError, RefusedError
from qiki_node.terminal import echo, make_console, printable

if TYPE_CHECKING:
    from qiki_console.graph.burn import Outcome

_ZERO = (0.0, 0.0, 0.0)
_LONGEST = 3600.0


@click.command()
@click.argument("bot", shell_complete=complete_bots)
@click.option("--force", type=float, nargs=3, metavar="X Y Z", help="N, in base_link.")
@click.option("--torque", type=float, nargs=3, metavar="X Y Z", help="N m about the centre of mass, in base_link.")
@click.option("--for", "duration", type=float, required=True, metavar="SECONDS", help="Simulated time, up to 3600 s.")
@click.option(
    "--rate", type=float, default=20.0, show_default=True, metavar="HZ", help="Commands per simulated second, 4 to 200."
)
@click.option("--json", "as_json", is_flag=True, help="The account as one line of JSON.")
def thrust(
    bot: str,
    *,
    force: tuple[float, float, float] | None,
    torque: tuple[float, float, float] | None,
    duration: float,
    rate: float,
    as_json: bool,
) -> None:
    """Command a wrench to BOT for a time and account for the velocity gained.

    The account compares odometry with the integral of force / mass, turned with the bot's attitude. Ends with 1 when
    the gained motion is more than 5 % off, and names likely causes; with 2 when the allocator refuses the command.
    Ctrl-C, or a reset of simulated time, ends it with a zero wrench and 1.
    """
    _check(force, torque, duration, rate)
    import numpy as np

    from qiki_console.graph.burn import Burn
    from qiki_console.model.burn_account import Command
    from qiki_console.model.burn_causes import TOLERANCE
    from qiki_node.session import Session

    command = Command(np.array(force or _ZERO), np.array(torque or _ZERO), duration)
    with Session("console") as session:
        outcome = Burn(session, bot, command, rate, lambda text: echo(f"note: {printable(text)}", err=True)).run()
    if as_json:
        from qiki_node.json_text import to_json

        echo(to_json(_values(bot, outcome)))
    else:
        _print(bot, outcome)
    if not outcome.closes:
        causes = "; ".join(outcome.causes.values()) or "no cause was seen in allocation, valves, mass and timing"
        raise CommandError(f"more than {100 * TOLERANCE:.0f} % off: {causes}")


def _check(force: Any, torque: Any, duration: float, rate: float) -> None:
    if force is None and torque is None:
        raise RefusedError("--force, --torque: at least one of them is needed")
    for name, wanted in (("--force", force), ("--torque", torque)):
        for axis, value in zip("XYZ", wanted or (), strict=False):
            if not math.isfinite(value):
                raise RefusedError(f"{name} {axis}: {value:g} is not allowed; allowed: a finite number")
    if not 0.0 < duration <= _LONGEST:
        raise RefusedError(f"--for: {duration:g} is not allowed; allowed: above 0 to {_LONGEST:g} s")
    if not 4.0 <= rate <= 200.0:
        raise RefusedError(f"--rate: {rate:g} is not allowed; allowed: 4 to 200 Hz")


def _values(bot: str, outcome: "Outcome") -> dict[str, Any]:
    command, result = outcome.command, outcome.account

    def wrench(value: Any) -> dict[str, Any] | None:
        return value and {"force_n": value[0], "torque_nm": value[1]}

    return {
        "bot": bot,
        "force_n": command.force.tolist(),
        "torque_nm": command.torque.tolist(),
        "duration_s": command.duration,
        "lasted_s": outcome.lasted,
        "mass_kg": outcome.mass,
        "expected_delta_v_m_s": result.expected.tolist(),
        "gained_delta_v_m_s": result.gained.tolist(),
        "difference_percent": None if result.difference is None else 100.0 * result.difference,
        "across_m_s": result.across,
        "expected_rate_rad_s": result.expected_rate.tolist(),
        "gained_rate_rad_s": result.gained_rate.tolist(),
        "energy_j": outcome.energy,
        "allocated": wrench(outcome.allocated),
        "achieved": wrench(outcome.achieved),
        "late_edges": outcome.evidence.late_edges,
        "other_publishers": list(outcome.evidence.others),
        "closes": outcome.closes,
        "causes": list(outcome.causes.values()),
        "cause_keys": list(outcome.causes),
        "speed_asked": outcome.evidence.speed_asked,
        "speed_reached": outcome.evidence.speed_reached,
        "commands": outcome.evidence.commands,
        "commands_read": outcome.evidence.commands_read,
        "longest_pause_s": outcome.evidence.longest_pause,
        "lead_s": outcome.evidence.lead,
        "working_mass_kg": outcome.evidence.working_mass,
    }


def _print(bot: str, outcome: "Outcome") -> None:
    import numpy as np
    from rich.table import Table

    from qiki_console.model.numbers import number

    def row(values: Any, digits: int) -> str:
        return "  ".join(f"{number(value, digits):>9}" for value in values)

    command, result, allocated = outcome.command, outcome.account, outcome.allocated
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("force", row(command.force, 2), "N commanded")
    table.add_row("", row(allocated[0], 2) if allocated else "N/A", "N allocated, mean")
    table.add_row("torque", row(command.torque, 2), "N m commanded")
    table.add_row("", row(allocated[1], 2) if allocated else "N/A", "N m allocated, mean")
    table.add_row("Δv, world", row(result.expected, 4), f"m/s expected, {outcome.mass:.2f} kg")
    table.add_row("", row(result.gained, 4), "m/s gained")
    table.add_row("Δ rate, body", row(np.degrees(result.expected_rate), 3), "deg/s expected")
    table.add_row("", row(np.degrees(result.gained_rate), 3), "deg/s gained")
    console = make_console(120)
    console.print(f"{bot}: wrench for {command.duration:g} s of simulated time, sent over {outcome.lasted:.4f} s")
    console.print(table)
    difference = "N/A" if result.difference is None else f"{100 * result.difference:+.2f} %"
    console.print(f"difference {difference}, across {result.across:.4f} m/s, energy {number(outcome.energy, 0)} J")
    if outcome.closes:
        for cause in outcome.causes.values():
            console.print(f"note: {printable(cause)}", style="yellow")
