"""Sections of the vehicle file: the thermal network."""

from typing import Self

from pydantic import model_validator

from qiki_vehicle.files import Fraction, Name, NonNegative, Number, Positive, Section


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
