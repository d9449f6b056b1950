"""The bots of a scenario: the scenario file is the only list of them and of their vehicles."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from qiki_launch.errors import LaunchError
from qiki_launch.plan.document import Attributes
from qiki_launch.plan.element import Element
from qiki_launch.plan.names import check_node_name
from qiki_launch.plan.packages import package_share
from qiki_launch.plan.tree import load_tree


class Bot(NamedTuple):
    """A bot of a scenario; vehicle: path of its vehicle file, None: the scenario names none."""

    name: str
    vehicle: str | None

    @property
    def arguments(self) -> dict[str, str]:
        """Launch arguments that its nodes are started with."""
        return {"bot": self.name} if self.vehicle is None else {"bot": self.name, "vehicle": self.vehicle}


def scenario_bots(scenario: str, working_folder: Path, environment: Mapping[str, str]) -> tuple[Bot, ...]:
    """The bots of a scenario, in the order of the file.

    `scenario` is a path, or a name in qiki_bringup's `config/scenarios`. Only names and vehicle files are read here:
    the simulator checks the rest.

    Raises:
        LaunchError: there is no such scenario, or its bots cannot be read.
    """
    file, known = working_folder / scenario, ""
    if scenario.removesuffix(".yaml") == scenario and "/" not in scenario:
        file = package_share("qiki_bringup", environment) / "config" / "scenarios" / f"{scenario}.yaml"
        known = ", ".join([*sorted(path.stem for path in file.parent.glob("*.yaml")), ""])
    if not file.is_file():
        raise LaunchError(f"no scenario {scenario!r} ({file}); allowed: {known}the path of a file")
    tree = load_tree(file)
    bots = tree.value.get("bots") if tree is not None and isinstance(tree.value, Mapping) else None
    if bots is None:
        raise LaunchError(f"{file}: a scenario needs 'bots', a list of mappings with 'name'")
    found: dict[str, Bot] = {}
    for bot in bots.entities():
        one = _bot(bot, file.absolute().parent)
        if one.name in found:
            raise LaunchError(f"bot {one.name!r} stands here more than once", bot.place)
        found[one.name] = one
    return tuple(found.values())


def _bot(bot: Element, folder: Path) -> Bot:
    known = tuple(bot.value) if isinstance(bot.value, Mapping) else ()
    attributes = Attributes("bots", bot, known)
    name, vehicle = attributes.text("name"), attributes.optional_text("vehicle")
    try:
        check_node_name(name)
    except ValueError as error:
        raise LaunchError(str(error).replace("node name", "bot name"), bot.place) from error
    return Bot(name, None if vehicle is None else str((folder / vehicle).resolve()))
