"""Sections of the vehicle file: both power buses and their stores."""

from typing import Self

from pydantic import model_validator

from qiki_vehicle.files import Fraction, Name, NonNegative, Positive, Section


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
    """A store that is recharged from what the continuous power leaves over."""

    recharge_power: NonNegative  # W


class Gates(Section):
    """Thresholds of the power gates by state of charge of the supercapacitor, 1."""

    boost: Fraction
    hold: Fraction
    hysteresis: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.hold <= self.boost:
            raise ValueError(f"hold {self.hold}; allowed: 0 to boost ({self.boost})")
        return self


class Propulsion(Section):
    """The propulsion bus."""

    watts_per_newton: Positive  # W/N
    continuous_power: Positive  # W
    peak_power: Positive  # W
    trip_time: Positive  # s
    supercap: Supercap
    battery: Store
    gates: Gates

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.continuous_power > self.peak_power:
            raise ValueError(
                f"continuous_power {self.continuous_power} W; allowed: above 0 to peak_power ({self.peak_power} W)"
            )
        if self.supercap.recharge_power > self.continuous_power:
            raise ValueError(
                f"supercap.recharge_power {self.supercap.recharge_power} W; "
                f"allowed: 0 to continuous_power ({self.continuous_power} W)"
            )
        return self


class Dock(Section):
    """Supply by a docking station."""

    voltage: Positive  # V
    current_max: Positive  # A
    power_max: Positive  # W
    soft_start: NonNegative  # s


class Avionics(Section):
    """The avionics bus."""

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
