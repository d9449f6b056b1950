"""`qiki groups`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qiki_node.completion import complete_bots
from qiki_node.errors import CommandError, RefusedError, UnknownNameError
from qiki_node.terminal import echo, make_console, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qiki_msgs.msg import ThrustGroup
    from qiki_msgs.srv import ListGroups

_PLAIN_WIDTH = 240
"""Columns of the table where there is no screen: nothing is cut."""

_NARROW = 90
"""Columns under which each group is shown on lines of its own."""

_TITLES = ("group", "thrusters", "levels", "gives", "torque across", "power", "note")


@click.command()
@click.argument("bot", default="alpha", shell_complete=complete_bots)
@click.option("--picture", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture (SVG) there.")
@click.option("--group", "name", default="ZTT +x", show_default=True, help="The group that the picture shows.")
@click.option("--json", "as_json", is_flag=True, help="The groups as one line of JSON.")
def groups(bot: str, *, file: Path | None, name: str, as_json: bool) -> None:
    """Thrust groups of BOT: which thrusters push and turn along one axis and nothing else.

    They are computed from geometry, centre of mass and health. ZTT is the smallest set without torque, FTG the largest
    force; TORQUE and FULL_TORQUE are the same for roll, pitch and yaw.
    """
    if file and not file.parent.is_dir():
        raise RefusedError(f"--picture: {file} is not allowed; allowed: a file in a folder that exists")
    from qiki_console.cli.allocator import call
    from qiki_msgs.srv import ListGroups

    answer = call(bot, ListGroups, "list_groups", ListGroups.Request())
    if file:
        picture = _picture(answer, name)
        try:
            file.write_text(picture, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"--picture: {file} cannot be written: {error.strerror}") from error
    if as_json:
        from qiki_node.json_text import to_json

        echo(to_json([_values(group) for group in answer.groups]))
    else:
        _print(bot, answer.groups)
    if file:
        echo(f"{name}: picture in {file}", err=as_json)


def _picture(answer: "ListGroups.Response", name: str) -> str:
    """SVG text.

    Raises:
        UnknownNameError: there is no group of that name.
    """
    from qiki_console.graph import messages
    from qiki_console.model.group_picture import group_picture

    found = {group.name: group for group in answer.groups}
    if name not in found:
        raise UnknownNameError("group", name, found)
    return group_picture(messages.geometry(answer), messages.group(found[name]))


def _wrench(group: "ThrustGroup") -> tuple[list[float], list[float]]:
    force, torque = group.wrench.force, group.wrench.torque
    return [force.x, force.y, force.z], [torque.x, torque.y, torque.z]


def _values(group: "ThrustGroup") -> dict[str, Any]:
    force, torque = _wrench(group)
    return {
        "name": group.name,
        "thrusters": list(group.thrusters),
        "levels": list(group.levels),
        "force_n": force,
        "torque_nm": torque,
        "parasitic_torque_nm": group.parasitic_torque,
        "power_w": group.power,
        "note": group.note,
    }


def _print(bot: str, groups: "Iterable[ThrustGroup]") -> None:
    from rich.table import Table

    rows = [_row(group) for group in groups]
    console = make_console(_PLAIN_WIDTH)
    console.print(f"{bot}: thrust groups")
    if console.width < _NARROW:
        for name, *cells in rows:
            console.print(name)
            for title, cell in zip(_TITLES[1:], cells, strict=True):
                console.print(f"  {title}: {cell}")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in _TITLES:
        table.add_column(column, no_wrap=column == "group", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _row(group: "ThrustGroup") -> tuple[str, ...]:
    import math

    if not group.thrusters:
        return printable(group.name), "none", *["N/A"] * 4, printable(group.note)
    force, torque = _wrench(group)
    turns = "TORQUE" in group.name
    size = math.hypot(*(torque if turns else force))
    return (
        printable(group.name),
        " ".join(map(str, group.thrusters)),
        " ".join(f"{group.levels[i]:.2f}" for i in group.thrusters),
        f"{size:.1f} {'N m' if turns else 'N'}",
        f"{group.parasitic_torque:.1f} N m",
        f"{group.power / 1000.0:.1f} kW",
        printable(group.note),
    )
