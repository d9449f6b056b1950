"""Coordinate frames of a scenario (REP-105): a tree with the root `map`.

map ── world ──┬── alpha/base_link ──┬── alpha/thruster_0 …
               │                     └── alpha/port_A …
               └── station/base_link ─── station/port_A …
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from qiki_vehicle import Pose, quaternion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qiki_sim.scenario import Scenario
    from qiki_vehicle import Port

MAP, WORLD = "map", "world"
"""REP-105's name of the frame that is fixed in the world, and the one that messages here name. They coincide."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame that does not move in its parent; `pose` is its place there."""

    parent: str
    name: str
    pose: Pose = field(default_factory=Pose)


def base_link(body: str) -> str:
    """Frame of a bot or of another body."""
    return f"{body}/base_link"


def bodies(scenario: Scenario) -> tuple[str, ...]:
    """Names of all bodies, bots first."""
    file = scenario.file
    return (*(bot.name for bot in file.bots), *(body.name for body in file.bodies))


def fixed_frames(scenario: Scenario) -> Iterator[Frame]:
    """The frames that move with their body or not at all.

    A thruster's x axis points along its force on the body. A port's origin is the centre of its mating face, its z axis
    points outward.
    """
    yield Frame(MAP, WORLD)
    for bot, vehicle in zip(scenario.file.bots, scenario.vehicles, strict=True):
        for thruster in vehicle.thrusters:
            turn = quaternion.between((1.0, 0.0, 0.0), thruster.direction)
            pose = Pose(np.array(thruster.position_m), turn)
            yield Frame(base_link(bot.name), f"{bot.name}/thruster_{thruster.index}", pose)
        yield from _ports(bot.name, vehicle.ports)
    for body in scenario.file.bodies:
        yield from _ports(body.name, body.ports)


def _ports(body: str, ports: tuple[Port, ...]) -> Iterator[Frame]:
    for port in ports:
        pose = Pose(np.array(port.position), quaternion.between((0.0, 0.0, 1.0), port.axis))
        yield Frame(base_link(body), f"{body}/port_{port.name}", pose)
