"""Sections of the vehicle file: body, valves, thrusters, ports."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Integer, Name, NonNegative, Offset, Positive, PositiveVector, Section, Size, UnitVector


class Body(Section):
    """Mass properties with all working mass on board."""

    mass: Positive  # kg, all working mass on board
    com: Offset  # m
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
    """Timing rules of the thruster valves."""

    min_on: Positive  # s
    min_off: Positive  # s
    max_burn: Positive  # s
    cooldown: Positive  # s
    watchdog: Positive  # s

    @model_validator(mode="after")
    def _possible(self) -> Self:
        least = 2.0 * (self.min_on + self.min_off)
        if self.max_burn < least:
            raise ValueError(f"max_burn {self.max_burn} s; allowed: at least 2 (min_on + min_off) = {least:g} s")
        return self


class Thruster(Section):
    """A one-sided thruster."""

    index: Annotated[Integer, Field(ge=0)]
    cluster: Name
    position_m: Offset
    direction: UnitVector  # of the force on the body
    f_max_n: Positive  # N, of an open valve


class ThrusterFile(Section):
    """A thruster file (JSON)."""

    frame: str = ""  # a remark
    direction: str = ""  # a remark
    thrusters: Annotated[tuple[Thruster, ...], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        indices = [thruster.index for thruster in self.thrusters]
        if indices != list(range(len(indices))):
            raise ValueError(f"thruster indices {indices}; allowed: 0, 1, 2, ... in order")
        return self


class Port(Section):
    """A docking port."""

    name: Name
    position: Offset  # m, centre of the mating face
    axis: UnitVector  # outward
    radius: Size  # m, of the collar
    length: Size  # m, of the collar
