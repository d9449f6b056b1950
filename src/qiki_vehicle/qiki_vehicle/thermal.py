"""Sections of the vehicle file: the thermal network."""

from typing import Annotated, Self

from pydantic import Field, Strict, model_validator

from qiki_vehicle.files import Fraction, Name, NonNegative, Number, Positive, Section

_Loss = Annotated[float, Strict(), Field(ge=0, le=0.5)]


class ThermalNode(Section):
    """A lumped heat capacity."""

    capacity: Positive  # J/K
    to_space: NonNegative = 0.0  # W/K
    warn: Number | None = None  # degC
    trip: Number  # degC

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warn is not None and not self.warn < self.trip:
            raise ValueError(f"warn {self.warn} degC; allowed: below trip ({self.trip} degC)")
        return self


class ThermalLink(Section):
    """A conductance between two nodes."""

    between: tuple[Name, Name]
    conductance: Positive  # W/K


class Thermal(Section):
    """The thermal network."""

    space_temperature: Number  # degC
    initial_temperature: Number  # degC
    hysteresis: NonNegative  # K
    cluster_heat_fraction: Fraction
    pdu_heat_fraction: Fraction
    supercap_heat_fraction: _Loss
    battery_heat_fraction: _Loss
    nodes: dict[Name, ThermalNode]
    links: tuple[ThermalLink, ...]

    @model_validator(mode="after")
    def _connected(self) -> Self:
        missing = [name for name in ("CORE", "PDU", "SUPERCAP", "BATTERY") if name not in self.nodes]
        if missing:
            raise ValueError(f"nodes {list(self.nodes)}; missing: {', '.join(missing)}")
        if self.cluster_heat_fraction + self.pdu_heat_fraction > 1.0:
            raise ValueError(
                f"cluster_heat_fraction {self.cluster_heat_fraction} and pdu_heat_fraction {self.pdu_heat_fraction}; "
                "allowed: together at most 1, the power of the thrusters"
            )
        for link in self.links:
            if link.between[0] == link.between[1] or not set(link.between) <= set(self.nodes):
                raise ValueError(
                    f"links between {list(link.between)}; allowed: two different nodes of {list(self.nodes)}"
                )
        return self
