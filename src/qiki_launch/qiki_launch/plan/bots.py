"""The bots of a scenario: the scenario file is the only list of them."""

from collections.abc import Mapping
from pathlib import Path

from qiki_launch.errors import LaunchError
from qiki_launch.plan.document import Attributes
from qiki_launch.plan.element import Element
from qiki_launch.plan.names import check_node_name
from qiki_launch.plan.packages import package_share
from qiki_launch.plan.tree import load_tree


def scenario_bots(scenario: str, working_folder: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the bots of a scenario, in the order of the file.

    `scenario` is a path, or a name in qiki_bringup's `config/scenarios`. Only the names are read here: the simulator
    checks the rest.

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
    names: list[str] = []
    for bot in bots.entities():
        names.append(_name(bot))
        if names[-1] in names[:-1]:
            raise LaunchError(f"bot {names[-1]!r} stands here more than once", bot.place)
    return tuple(names)


def _name(bot: Element) -> str:
    known = tuple(bot.value) if isinstance(bot.value, Mapping) else ()
    name = Attributes("bots", bot, known).text("name")
    try:
        check_node_name(name)
    except ValueError as error:
        raise LaunchError(str(error).replace("node name", "bot name"), bot.place) from error
    return name
