"""Every hard limit of a cycle in one place: energy, heat, burn time and health."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.health.table import HealthTable
from qiki_allocator.limits.burn_limits import BurnConfig, BurnGuard
from qiki_allocator.limits.energy_gate import EnergyConfig, EnergyGate, EnergyLimits, EnergyReading
from qiki_allocator.limits.heat_bounds import HeatConfig, HeatGuard, HeatLimits
from qiki_allocator.limits.inhibition import Inhibition, Inhibitor
from qiki_allocator.modulation.ledger import ValveCommand

_AHEAD = 0.25
"""s, over which burn time bounds the mean thrust."""


@dataclass(frozen=True, eq=False)
class HardLimits:
    """Hard limits of one cycle.

    Attributes:
        limits: for the allocator, without the draw of thrusters stuck open.
        thrust: (n,) N that opening each valve gives.
        energy, heat, inhibition: where power and bounds come from.
    """

    limits: Limits
    thrust: Floats
    energy: EnergyLimits
    heat: HeatLimits
    inhibition: Inhibition

    @property
    def warnings(self) -> tuple[str, ...]:
        """Telemetry that is stale or lost."""
        energy = f"{self.energy.gate}: {self.energy.reason}" if self.energy.warning else ""
        return tuple(filter(None, (energy, self.heat.warning)))


class LimitSource(Protocol):
    """Limits of a drive; see `Limiter`."""

    inhibitor: Inhibitor

    def reset(self) -> None:
        """The clock was set back."""

    def read_energy(self, reading: EnergyReading) -> None:
        """Take energy telemetry."""

    def read_thermal(self, time: float, temperatures: Mapping[str, float]) -> None:
        """Take thermal telemetry."""

    def commanded(self, command: ValveCommand) -> None:
        """A valve command was sent."""

    def limits(self, now: float, array: ThrusterArray, health: HealthTable, power: npt.ArrayLike, /) -> HardLimits:
        """Limits at `now`, s."""


class Limiter:
    """Keeps telemetry and computes limits from it.

    Args:
        watts: W/N, (n,).

    Attributes:
        inhibitor: keeps orders not to fire thrusters.
    """

    def __init__(self, watts: Floats, energy: EnergyConfig, heat: HeatConfig, burn: BurnConfig) -> None:
        self._watts = watts
        self._configs = energy, heat, burn
        self.inhibitor = Inhibitor(heat.thrusters)
        self.reset()

    def reset(self) -> None:
        """Forget all telemetry: the clock was set back."""
        energy, heat, burn = self._configs
        self._gate, self._heat = EnergyGate(energy), HeatGuard(heat)
        self._burns = BurnGuard(heat.thrusters, burn)
        self.inhibitor.reset()

    def read_energy(self, reading: EnergyReading) -> None:
        """Take energy telemetry."""
        self._gate.read(reading)

    def read_thermal(self, time: float, temperatures: Mapping[str, float]) -> None:
        """Take thermal telemetry: s, degC by node."""
        self._heat.read(time, temperatures)

    def commanded(self, command: ValveCommand) -> None:
        """A valve command was sent."""
        self._burns.command(command.start, command.open_time, command.close_time)

    def limits(self, now: float, array: ThrusterArray, health: HealthTable, power: npt.ArrayLike) -> HardLimits:
        """Limits at `now`, s, with the thrusters drawing `power`, (n,) W, of late."""
        energy = self._gate.limits(now, self._heat.telemetry_time)
        heat = self._heat.limits(now, power)
        burn = self._burns.limits(now, _AHEAD)
        inhibition = self.inhibitor.at(now)
        thrust = health.thrust(array)
        factors = np.array([inhibition.factor, heat.factor, burn.factor])
        least = factors.argmin(axis=0)
        bounds = np.minimum(factors.min(axis=0) * array.f_max, thrust)
        names = health.names()
        if factors.min() < 1.0:
            inhibited = f"inhibit:{inhibition.reason}"
            by_source = ([inhibited if factor < 1.0 else "" for factor in inhibition.factor], heat.names, burn.names)
            names = tuple(
                of_health or by_source[source][i]
                for i, (of_health, source) in enumerate(zip(names, least.tolist(), strict=True))
            )
        left = max(energy.power_limit - health.stuck_power(array, self._watts), 0.0)
        return HardLimits(Limits(left, bounds, names), thrust, energy, heat, inhibition)


def only(limits: Limits, allowed: npt.NDArray[np.bool_], name: str) -> Limits:
    """The same limits, but with only these thrusters; `name` is what the others' bounds are called."""
    bounds = np.where(allowed, np.asarray(limits.bounds, dtype=float), 0.0)
    names = limits.names or ("",) * len(bounds)
    named = tuple(own if ok else own or name for own, ok in zip(names, allowed.tolist(), strict=True))
    return Limits(limits.power, bounds, named)
