"""The vehicle file: every number of a bot, validated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from qiki_sim.loading import (
    Fraction,
    Integer,
    Name,
    NonNegative,
    Number,
    Positive,
    PositiveVector,
    ScenarioError,
    Section,
    UnitVector,
    Vector,
    load,
)

if TYPE_CHECKING:
    from pathlib import Path


class Hull(Section):
    shape: Literal["dodecahedron"]
    circumradius: Positive  # m


class Body(Section):
    mass: Positive  # kg, all working mass on board
    com: Vector  # m
    inertia: PositiveVector  # kg m^2, about the centre of mass, along the axes of base_link
    working_mass: NonNegative  # kg
    isp: Positive  # s

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.working_mass >= self.mass:
            raise ValueError(f"working_mass {self.working_mass} kg; allowed: 0 to less than mass ({self.mass} kg)")
        a, b, c = sorted(self.inertia)
        if a + b < c:
            raise ValueError(f"inertia {self.inertia}; allowed: no moment larger than the sum of the other two")
        return self


class Valves(Section):
    min_on: Positive  # s
    min_off: Positive  # s
    max_burn: Positive  # s
    cooldown: NonNegative  # s
    watchdog: Positive  # s


class Store(Section):
    """An energy store: capacity in J, states of charge in 1."""

    capacity: Positive
    soc_min: Fraction
    soc_max: Fraction
    soc_initial: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.soc_min < self.soc_max:
            raise ValueError(f"soc_min {self.soc_min}; allowed: less than soc_max ({self.soc_max})")
        return self


class Supercap(Store):
    recharge_power: NonNegative  # W


class Gates(Section):
    boost: Fraction
    hold: Fraction
    hysteresis: Fraction


class Propulsion(Section):
    watts_per_newton: Positive  # W/N
    continuous_power: Positive  # W
    peak_power: Positive  # W
    trip_time: Positive  # s
    supercap: Supercap
    battery: Store
    gates: Gates


class Dock(Section):
    voltage: Positive  # V
    current_max: Positive  # A
    power_max: Positive  # W
    soft_start: NonNegative  # s


class Avionics(Section):
    voltage_nominal: Positive  # V
    voltage_min: Positive  # V
    current_max: Positive  # A
    source_resistance: Positive  # ohm
    bus_capacitance: Positive  # F
    base_power: NonNegative  # W
    loads: dict[Name, NonNegative]  # W
    shed_order: tuple[Name, ...]
    shed_soc: Fraction
    restore_soc: Fraction
    shed_interval: NonNegative  # s
    solar_power: NonNegative  # W
    dock: Dock

    @model_validator(mode="after")
    def _order(self) -> Self:
        unknown = [name for name in self.shed_order if name not in self.loads]
        if unknown or len(set(self.shed_order)) != len(self.shed_order):
            raise ValueError(f"shed_order {list(self.shed_order)}; allowed: each of {list(self.loads)} at most once")
        if not self.shed_soc < self.restore_soc:
            raise ValueError(f"shed_soc {self.shed_soc}; allowed: less than restore_soc ({self.restore_soc})")
        return self


class ThermalNode(Section):
    capacity: Positive  # J/K
    to_space: NonNegative = 0.0  # W/K
    warn: Number | None = None  # degC
    trip: Number  # degC


class ThermalLink(Section):
    between: tuple[Name, Name]
    conductance: Positive  # W/K


class Thermal(Section):
    space_temperature: Number  # degC
    initial_temperature: Number  # degC
    hysteresis: NonNegative  # K
    cluster_heat_fraction: Fraction
    pdu_heat_fraction: Fraction
    supercap_heat_fraction: Fraction
    battery_heat_fraction: Fraction
    nodes: dict[Name, ThermalNode]
    links: tuple[ThermalLink, ...]

    @model_validator(mode="after")
    def _connected(self) -> Self:
        missing = [name for name in ("CORE", "PDU", "SUPERCAP", "BATTERY") if name not in self.nodes]
        if missing:
            raise ValueError(f"nodes {list(self.nodes)}; missing: {', '.join(missing)}")
        for link in self.links:
            if link.between[0] == link.between[1] or not set(link.between) <= set(self.nodes):
                raise ValueError(
                    f"links between {list(link.between)}; allowed: two different nodes of {list(self.nodes)}"
                )
        return self


class Noise(Section):
    """Standard deviation of each sample."""

    position: NonNegative  # m
    orientation: NonNegative  # rad
    velocity: NonNegative  # m/s
    angular_velocity: NonNegative  # rad/s
    soc: NonNegative  # 1
    bus_voltage: NonNegative  # V
    temperature: NonNegative  # K


Rate = Annotated[float, Field(ge=0.1, le=100.0)]


class Rates(Section):
    """How often each topic is published, Hz."""

    odom: Rate
    thruster_state: Rate
    energy: Rate
    thermal: Rate
    battery: Rate
    supercap: Rate
    mass_properties: Rate


class Sensors(Section):
    noise: Noise
    rates: Rates


class Port(Section):
    name: Name
    position: Vector  # m, centre of the mating face
    axis: UnitVector  # outward
    radius: Positive  # m, of the collar
    length: Positive  # m, of the collar


class VehicleFile(Section):
    """A vehicle file as it stands."""

    name: Name
    hull: Hull
    body: Body
    thrusters: str
    valves: Valves
    propulsion: Propulsion
    avionics: Avionics
    thermal: Thermal
    sensors: Sensors
    ports: tuple[Port, ...]
    modulation: object  # this and the next are the allocator's; not validated here
    control: object


class Thruster(Section):
    index: Annotated[Integer, Field(ge=0)]
    cluster: Name
    position_m: Vector
    direction: UnitVector  # of the force on the body
    f_max_n: Positive


class ThrusterFile(Section):
    frame: str
    direction: str
    thrusters: Annotated[tuple[Thruster, ...], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        indices = [thruster.index for thruster in self.thrusters]
        if indices != list(range(len(indices))):
            raise ValueError(f"thruster indices {indices}; allowed: 0, 1, 2, ... in order")
        return self


class Vehicle(VehicleFile):
    """A vehicle file together with the thruster file it names."""

    array: tuple[Thruster, ...]


def load_vehicle(path: Path) -> Vehicle:
    """Read a vehicle file and its thruster file.

    Raises:
        ScenarioError: a file is missing or a field is refused.
    """
    file = load(path, VehicleFile)
    thruster_path = path.parent / file.thrusters
    array = load(thruster_path, ThrusterFile).thrusters
    for cluster in sorted({thruster.cluster for thruster in array}):
        if f"RCS_{cluster}" not in file.thermal.nodes:
            raise ScenarioError(
                f"{path}: thermal.nodes: no node RCS_{cluster} for cluster {cluster} of {thruster_path}"
            )
    return Vehicle(**dict(file), array=array)
