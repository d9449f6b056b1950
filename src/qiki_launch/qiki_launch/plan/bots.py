"""Bots and docks of a scenario: the scenario file is the only list of them and of their vehicles."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from qiki_launch.errors import LaunchError
from qiki_launch.plan.document import Attributes
from qiki_launch.plan.element import Element
from qiki_launch.plan.names import check_node_name
from qiki_launch.plan.packages import package_share
from qiki_launch.plan.tree import load_tree


class Member(Protocol):
    """A body of a scenario that a launch file is included for."""

    @property
    def arguments(self) -> dict[str, str]:
        """Launch arguments that its nodes are started with."""


class Bot(NamedTuple):
    """A bot of a scenario.

    Attributes:
        vehicle: path of its vehicle file; None: the scenario names none.
        docked: docking in which it begins, as own port:partner:partner port; empty: none.
    """

    name: str
    vehicle: str | None
    docked: str = ""

    @property
    def arguments(self) -> dict[str, str]:
        """Launch arguments that its nodes are started with."""
        arguments = {"bot": self.name, "docked": self.docked}
        return arguments if self.vehicle is None else {**arguments, "vehicle": self.vehicle}


class Dock(NamedTuple):
    """A body of a scenario that is no bot and has docking hardware, such as a station.

    Attributes:
        vehicle: path of the vehicle file whose port hardware it has.
        ports: JSON list of its ports.
        source_power: W that it feeds into bridges; 0: none.
    """

    name: str
    vehicle: str
    ports: str
    source_power: float

    @property
    def arguments(self) -> dict[str, str]:
        """Launch arguments that its nodes are started with."""
        return {
            "body": self.name,
            "vehicle": self.vehicle,
            "ports": self.ports,
            "source_power": repr(self.source_power),
            "role": "SOURCE" if self.source_power > 0.0 else "RELAY",
        }


def scenario_bots(scenario: str, working_folder: Path, environment: Mapping[str, str]) -> tuple[Bot, ...]:
    """The bots of a scenario, in the order of the file.

    `scenario` is a path, or a name in qiki_bringup's `config/scenarios`. Only names and vehicle files are read here:
    the simulator checks the rest.

    Raises:
        LaunchError: there is no such scenario, or its bots cannot be read.
    """
    file, bots = _entries(scenario, "bots", working_folder, environment)
    if bots is None:
        raise LaunchError(f"{file}: a scenario needs 'bots', a list of mappings with 'name'")
    found: dict[str, Bot] = {}
    dockings = _dockings(_entries(scenario, "docked", working_folder, environment)[1])
    for bot in bots.entities():
        one = _bot(bot, file.absolute().parent)
        one = one._replace(docked=dockings.get(one.name, ""))
        if one.name in found:
            raise LaunchError(f"bot {one.name!r} stands here more than once", bot.place)
        found[one.name] = one
    return tuple(found.values())


def scenario_docks(scenario: str, working_folder: Path, environment: Mapping[str, str]) -> tuple[Dock, ...]:
    """The bodies of a scenario that are no bots and name a `vehicle`, the file of their docking hardware.

    Raises:
        LaunchError: there is no such scenario, or its bodies cannot be read.
    """
    file, bodies = _entries(scenario, "bodies", working_folder, environment)
    return () if bodies is None else tuple(_docks(bodies, file.absolute().parent))


def _docks(bodies: Element, folder: Path) -> Iterator[Dock]:
    for body in bodies.entities():
        known = tuple(body.value) if isinstance(body.value, Mapping) else ()
        attributes = Attributes("bodies", body, known)
        vehicle = attributes.optional_text("vehicle")
        if vehicle is None:
            continue
        name, ports, power = _name(attributes, body, "body"), attributes.get("ports"), attributes.get("source_power")
        watts = 0.0 if power is None else power.value
        if isinstance(watts, bool) or not isinstance(watts, int | float):
            raise LaunchError(
                f"'source_power' is {watts!r}; allowed: a number of W", attributes.place_of("source_power")
            )
        listed = json.dumps([] if ports is None else _plain(ports), separators=(",", ":"))
        yield Dock(name, str((folder / vehicle).resolve()), listed, float(watts))


def _plain(element: Element) -> Any:
    """Values of an element without their places."""
    if isinstance(element.value, Mapping):
        return {name: _plain(one) for name, one in element.value.items()}
    return [_plain(one) for one in element.value] if isinstance(element.value, tuple) else element.value


def _entries(
    scenario: str, key: str, working_folder: Path, environment: Mapping[str, str]
) -> tuple[Path, Element | None]:
    """The file of a scenario, and its entry of that key; None: it has none."""
    file, known = working_folder / scenario, ""
    if scenario.removesuffix(".yaml") == scenario and "/" not in scenario:
        file = package_share("qiki_bringup", environment) / "config" / "scenarios" / f"{scenario}.yaml"
        known = ", ".join([*sorted(path.stem for path in file.parent.glob("*.yaml")), ""])
    if not file.is_file():
        raise LaunchError(f"no scenario {scenario!r} ({file}); allowed: {known}the path of a file")
    tree = load_tree(file)
    return file, tree.value.get(key) if tree is not None and isinstance(tree.value, Mapping) else None


def _bot(bot: Element, folder: Path) -> Bot:
    known = tuple(bot.value) if isinstance(bot.value, Mapping) else ()
    attributes = Attributes("bots", bot, known)
    name, vehicle = _name(attributes, bot, "bot"), attributes.optional_text("vehicle")
    return Bot(name, None if vehicle is None else str((folder / vehicle).resolve()))


def _dockings(docked: Element | None) -> dict[str, str]:
    """By body, the first docking in which it begins."""
    found: dict[str, str] = {}
    for entry in () if docked is None else docked.entities():
        known = tuple(entry.value) if isinstance(entry.value, Mapping) else ()
        attributes = Attributes("docked", entry, known)
        own = (attributes.text(name) for name in ("port", "to", "to_port"))
        found.setdefault(attributes.text("body"), ":".join(own))
    return found


def _name(attributes: Attributes, entry: Element, kind: str) -> str:
    name = attributes.text("name")
    try:
        check_node_name(name)
    except ValueError as error:
        raise LaunchError(str(error).replace("node name", f"{kind} name"), entry.place) from error
    return name
