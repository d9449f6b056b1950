"""The scenario file: who is where at the start, what moves on a course, what breaks when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from qiki_sim.air.scripts import Intruder  # noqa: TC001  (pydantic reads the annotation)
from qiki_sim.faults import check_fault
from qiki_sim.shapes import Shape  # noqa: TC001  (pydantic reads the annotation)
from qiki_vehicle import Port, Pose, Vehicle, mated
from qiki_vehicle.files import (
    ConfigurationError,
    Fraction,
    Integer,
    Name,
    NonNegative,
    Number,
    Positive,
    PositiveVector,
    Section,
    UnitQuaternion,
    Vector,
    load,
    validate,
)
from qiki_vehicle.sensors import DockCamera

if TYPE_CHECKING:
    from collections.abc import Mapping

TICK_US = 10_000
"""Microseconds between two instants at which stores, masses and scripted bodies are brought up to date."""


class Physics(Section):
    step: Annotated[Number, Field(gt=0, le=0.002)] = 0.002  # s
    friction: NonNegative = 0.3  # 1, sliding friction of contacts [A]

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if abs(TICK_US / (self.step * 1e6) - round(TICK_US / (self.step * 1e6))) > 1e-9 or self.step_us < 100:
            raise ValueError(f"step {self.step} s; allowed: 0.0001 to 0.002 s, a whole fraction of 0.01 s")
        return self

    @property
    def step_us(self) -> int:
        """Step in whole microseconds."""
        return round(self.step * 1e6)


class Environment(Section):
    sunlight: Fraction = 1.0  # share of the full solar power
    radio_loss: Fraction = 0.0  # share of the radio frames that a receiver loses
    clutter_range: Positive | None = None  # m up to which radars see clutter, default: their range


class DockSensors(Section):
    """Flaws of a body's docking sensors in place of the vehicle file's, for Monte Carlo runs; see `DockCamera`."""

    delay: NonNegative | None = None
    outlier_share: Fraction | None = None
    outlier: NonNegative | None = None
    dropout_every: NonNegative | None = None
    dropout_min: NonNegative | None = None
    dropout_max: NonNegative | None = None

    def of(self, vehicle: Vehicle) -> Vehicle:
        """The vehicle with these.

        Raises:
            ConfigurationError: one is refused.
        """
        camera = {**vehicle.sensors.dock.model_dump(), **self.model_dump(exclude_none=True)}
        sensors = vehicle.sensors.model_copy(update={"dock": validate(Path("dock_sensors"), camera, DockCamera)})
        return vehicle.model_copy(update={"sensors": sensors})


class BotEntry(Section):
    """A bot's vehicle file and initial state; velocity is that of the origin of base_link, in world axes."""

    name: Name
    vehicle: str  # relative to the scenario file
    position: Vector = (0.0, 0.0, 0.0)  # m; left out only if it follows from `docked`
    orientation: UnitQuaternion = (0.0, 0.0, 0.0, 1.0)
    velocity: Vector = (0.0, 0.0, 0.0)  # m/s, in world
    angular_velocity: Vector = (0.0, 0.0, 0.0)  # rad/s, in base_link
    working_mass: NonNegative | None = None  # kg, default: the vehicle file's
    supercap_soc: Fraction | None = None  # default: the vehicle file's
    battery_soc: Fraction | None = None  # default: the vehicle file's
    temperature: Number | None = None  # degC of all nodes, default: the vehicle file's
    dock_sensors: DockSensors | None = None  # default: the vehicle file's


class Waypoint(Section):
    time: NonNegative  # s
    position: Vector  # m


class BodyEntry(Section):
    """A body without hardware: free-flying with a mass, or moved along a course whatever it meets."""

    name: Name
    type: Literal["DRONE", "SHIP", "STATION", "ASTEROID", "DEBRIS"]
    shape: Shape
    mass: Positive | None = None  # kg
    inertia: PositiveVector | None = None  # kg m^2, default: uniform solid
    ports: tuple[Port, ...] = ()
    position: Vector = (0.0, 0.0, 0.0)  # m
    orientation: UnitQuaternion = (0.0, 0.0, 0.0, 1.0)
    velocity: Vector = (0.0, 0.0, 0.0)  # m/s, in world
    angular_velocity: Vector = (0.0, 0.0, 0.0)  # rad/s, in body axes
    vehicle: str | None = None  # file of the vehicle whose port hardware its ports have, relative to the scenario file
    source_power: NonNegative = 0.0  # W that its bus converter feeds into the bridges
    rcs: Positive | None = None  # m^2, radar cross section, default: mean shadow of the shape
    course: tuple[Waypoint, ...] = ()  # straight lines at constant speed; at rest before the first and after the last

    @model_validator(mode="after")
    def _free_or_scripted(self) -> Self:
        if bool(self.course) == (self.mass is not None):
            raise ValueError("either mass (free body) or course (scripted body) is needed, not both")
        if self.inertia is not None and 2 * max(self.inertia) > sum(self.inertia):
            raise ValueError(f"inertia {self.inertia}; allowed: no moment larger than the sum of the other two")
        fixed = {"position", "velocity", "angular_velocity", "inertia"} & self.model_fields_set
        if self.course and fixed:
            raise ValueError(f"{', '.join(sorted(fixed))}: not allowed together with course")
        if self.source_power and self.vehicle is None:
            raise ValueError(
                f"source_power {self.source_power} W; allowed: 0 without vehicle, the file of its hardware"
            )
        if self.vehicle is not None and self.course:
            raise ValueError(
                "vehicle: docking hardware on a course; allowed: on a body with mass, which joints can move"
            )
        if self.vehicle is not None and not self.ports:
            raise ValueError("vehicle: docking hardware without ports; allowed: with at least one of ports")
        times = [point.time for point in self.course]
        if any(b <= a for a, b in pairwise(times)):
            raise ValueError(f"course times {times}; allowed: each later than the one before")
        return self


Entry = BotEntry | BodyEntry


class FaultEntry(Section):
    time: NonNegative  # s
    bot: Name
    kind: str
    target: str
    value: Number = 0.0
    duration: NonNegative = 0.0  # s, 0: until cleared


class DockedEntry(Section):
    """A body that is docked at the start: its pose and motion follow from the other's."""

    body: Name
    port: Name
    to: Name
    to_port: Name
    latched: bool = True  # False: only captured by the magnets
    powered: bool = False  # the power contacts are closed; needs latches

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.powered and not self.latched:
            raise ValueError("powered: true with latched: false; allowed: only with latches")
        return self


class ScenarioFile(Section):
    """A scenario file as it stands."""

    name: Name
    seed: Annotated[Integer, Field(ge=0, lt=2**63)] = 0
    physics: Physics = Physics()
    environment: Environment = Environment()
    bots: tuple[BotEntry, ...]
    bodies: tuple[BodyEntry, ...] = ()
    docked: tuple[DockedEntry, ...] = ()  # each after the one that it is docked to
    faults: tuple[FaultEntry, ...] = ()
    intruders: tuple[Intruder, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [bot.name for bot in self.bots] + [body.name for body in self.bodies]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"name used twice: {', '.join(repeated)}; allowed: each once among bots and bodies")
        placed_by_port = {docked.body for docked in self.docked}
        for index, bot in enumerate(self.bots):
            if "position" not in bot.model_fields_set and bot.name not in placed_by_port:
                raise ValueError(
                    f"bots[{index}].position: missing; allowed: missing only for the body of a docked entry"
                )
        for index, intruder in enumerate(self.intruders):
            allowed = {"body": [body.name for body in self.bodies], "of": [bot.name for bot in self.bots]}
            for field, known in allowed.items():
                name = getattr(intruder, field, known[0] if known else "")
                if name not in known:
                    raise ValueError(f"intruders[{index}].{field} {name!r}; allowed: {', '.join(known) or 'none'}")
        for body in self.bodies:
            ports = [port.name for port in body.ports]
            if len(set(ports)) != len(ports):
                raise ValueError(f"ports of {body.name} {ports}; allowed: each name once")
        return self


@dataclass(frozen=True)
class Scenario:
    """A scenario file with the vehicles it names, in the order of its bots."""

    path: Path
    file: ScenarioFile
    vehicles: tuple[Vehicle, ...]
    hardware: dict[str, Vehicle]
    """Vehicle whose port hardware each body has: all bots, and the bodies that name one."""


def ports_of(file: ScenarioFile, hardware: Mapping[str, Vehicle]) -> dict[str, dict[str, Port]]:
    """Ports with docking hardware, by body and name."""
    ports = {bot.name: hardware[bot.name].ports for bot in file.bots}
    ports.update({body.name: body.ports for body in file.bodies if body.name in hardware})
    return {name: {port.name: port for port in known} for name, known in ports.items()}


def placed(file: ScenarioFile, ports: Mapping[str, Mapping[str, Port]]) -> ScenarioFile:
    """The file with the bodies that are docked at the start where they are mated.

    Raises:
        ValueError: an entry is impossible; the text names field, value and allowed range.
    """
    entries: dict[str, Entry] = {bot.name: bot for bot in file.bots}
    entries.update({body.name: body for body in file.bodies})
    taken: set[tuple[str, str]] = set()
    fixed: set[str] = set()
    for index, docked in enumerate(file.docked):
        where = f"docked[{index}]"
        ends = (("body", docked.body, "port", docked.port), ("to", docked.to, "to_port", docked.to_port))
        for body_field, body, port_field, port in ends:
            if body not in ports:
                raise ValueError(f"{where}.{body_field} = {body!r}: allowed: {', '.join(ports)}")
            if port not in ports[body] or (body, port) in taken:
                left = ", ".join(name for name in ports[body] if (body, name) not in taken)
                raise ValueError(f"{where}.{port_field} = {port!r}: allowed: free ports of {body}: {left or 'none'}")
            taken.add((body, port))
        moved = entries[docked.body]
        if docked.body in fixed or docked.body == docked.to:
            raise ValueError(
                f"{where}.body = {docked.body!r}: allowed: another body than {docked.to} that stands in no entry before"
            )
        fixed |= {docked.body, docked.to}
        pose = mated(ports[docked.to][docked.to_port], ports[docked.body][docked.port])
        entries[docked.body] = _carried(moved, entries[docked.to], pose)
    bots = tuple(entries[bot.name] for bot in file.bots)
    return file.model_copy(update={"bots": bots, "bodies": tuple(entries[body.name] for body in file.bodies)})


def _carried(moved: Entry, by: Entry, pose: Pose) -> Entry:
    """A body that moves along with another, at a pose in its frame."""
    base = Pose(np.array(by.position), np.array(by.orientation))
    arm, spin = base.vector(pose.position), np.array(by.angular_velocity)
    there = base.then(pose)
    return moved.model_copy(
        update={
            "position": tuple(there.position.tolist()),
            "orientation": tuple(there.orientation.tolist()),
            "velocity": tuple((np.array(by.velocity) + np.cross(base.vector(spin), arm)).tolist()),
            "angular_velocity": tuple(pose.inverse().vector(spin).tolist()),
        }
    )


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario and all files it refers to.

    Raises:
        ConfigurationError: a file is missing or a field is refused.
    """
    path = Path(path)
    file = load(path, ScenarioFile)
    loaded: dict[str, Vehicle] = {}
    for index, bot in enumerate(file.bots):
        if bot.vehicle not in loaded:
            loaded[bot.vehicle] = Vehicle.from_file(path.parent / bot.vehicle)
        limit = loaded[bot.vehicle].body.working_mass
        if bot.working_mass is not None and bot.working_mass > limit:
            raise ConfigurationError(
                f"{path}: bots[{index}].working_mass = {bot.working_mass}: allowed: 0 to {limit} kg"
            )
    vehicles = tuple(
        loaded[bot.vehicle] if bot.dock_sensors is None else bot.dock_sensors.of(loaded[bot.vehicle])
        for bot in file.bots
    )
    hardware = {bot.name: vehicle for bot, vehicle in zip(file.bots, vehicles, strict=True)}
    for body in file.bodies:
        if body.vehicle is not None:
            if body.vehicle not in loaded:
                loaded[body.vehicle] = Vehicle.from_file(path.parent / body.vehicle)
            hardware[body.name] = loaded[body.vehicle]
    ports = ports_of(file, hardware)
    try:
        file = placed(file, ports)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    arrays = {bot.name: len(vehicle.thrusters) for bot, vehicle in zip(file.bots, vehicles, strict=True)}
    for index, fault in enumerate(file.faults):
        if fault.bot not in hardware:
            raise ConfigurationError(f"{path}: faults[{index}].bot = {fault.bot!r}: allowed: {', '.join(hardware)}")
        thrusters = arrays.get(fault.bot, 0)
        try:
            names = tuple(ports[fault.bot])
            check_fault(fault.kind, fault.target, fault.value, fault.duration, thrusters, ports=names)
        except ValueError as error:
            raise ConfigurationError(f"{path}: faults[{index}].{error}") from error
    return Scenario(path, file, vehicles, hardware)
