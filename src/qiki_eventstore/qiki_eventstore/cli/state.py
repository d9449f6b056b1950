"""`qiki state`: the state of a bot at any time."""

from typing import Any

import click

from qiki_eventstore.cli.options import TIME, complete_projections, opened, require_bot, store_option
from qiki_eventstore.cli.record import outside
from qiki_eventstore.cli.times import times_for_people, times_for_programs
from qiki_eventstore.events import AtPosition, AtRecorded, AtTime, Moment
from qiki_node.completion import complete_bots
from qiki_node.errors import UnknownNameError
from qiki_node.json_text import to_json
from qiki_node.terminal import echo, printable_values

_HEADINGS = {"energy": "energy of the run"}
_UNITS = {"_j": "J", "_kg": "kg", "_n_s": "N s"}
"""Ending of a field's name → its unit."""


@click.command()
@click.argument("bot", shell_complete=complete_bots)
@click.option("--at", "time", type=TIME, help="Event time: seconds of the bot's clock, or ISO 8601. Default: now.")
@click.option("--recorded", type=TIME, help="Recording time instead.")
@click.option("--position", type=click.IntRange(min=0), help="After the event at this position instead.")
@click.option(
    "--projection",
    "wanted",
    multiple=True,
    shell_complete=complete_projections,
    help="Only this part, such as bot or energy; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@store_option
def state(
    bot: str,
    *,
    time: int | None,
    recorded: int | None,
    position: int | None,
    wanted: tuple[str, ...],
    as_json: bool,
    url: str | None,
) -> None:
    """State of BOT at a moment, rebuilt from its events.

    After a reset the same simulated time can occur twice: --at selects the later one, --position any. A moment outside
    of the record, or of the run since the last reset, is named (record: outside), and so is the number of events that
    could not be taken (skipped). Energy and impulse are those of the run: a reset begins them at zero.
    """
    from qiki_events.projections import PROJECTIONS

    at = _moment(time, recorded, position)
    for name in wanted:
        if name not in PROJECTIONS:
            raise UnknownNameError("--projection", name, PROJECTIONS)
    with opened(url) as store:
        require_bot(store, bot)
        chosen = [PROJECTIONS[name] for name in PROJECTIONS if not wanted or name in wanted]
        rebuilt = store.rebuild(chosen, f"{bot}/*", at)
        found = {projection.name: projection.dump(one.state) for projection, one in zip(chosen, rebuilt, strict=True)}
        skipped = {projection.name: one.skipped for projection, one in zip(chosen, rebuilt, strict=True) if one.skipped}
        found["record"] = {"outside": outside(store, f"{bot}/*", at), "skipped": skipped}
    if as_json:
        echo(to_json(times_for_programs(found)))
    else:
        if found["record"] == {"outside": None, "skipped": {}}:
            del found["record"]
        found = {_HEADINGS.get(name, name): part for name, part in found.items()}
        echo("\n".join(_text(printable_values(times_for_people(found)))))


def _moment(time: int | None, recorded: int | None, position: int | None) -> Moment | None:
    given: list[Moment] = []
    if time is not None:
        given.append(AtTime(time))
    if recorded is not None:
        given.append(AtRecorded(recorded))
    if position is not None:
        given.append(AtPosition(position))
    if len(given) > 1:
        raise click.UsageError("--at, --recorded, --position: at most one of them is allowed")
    return given[0] if given else None


def _text(value: Any, indent: str = "") -> list[str]:
    """Lines of nested values, without unknown ones."""
    lines = []
    for name, item in value.items():
        if item is None or item in ({}, [], ""):
            continue
        if isinstance(item, dict):
            inner = _text(item, indent + "  ")
            lines += [f"{indent}{name}:", *inner] if inner else [f"{indent}{name}: none"]
        else:
            label, unit = _with_unit(name)
            lines.append(f"{indent}{label}: {item:.6g}{unit}" if isinstance(item, float) else f"{indent}{name}: {item}")
    return lines


def _with_unit(name: str) -> tuple[str, str]:
    """`stored_j` as `stored` and ` J`."""
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return name.removesuffix(ending), f" {unit}"
    return name, ""
