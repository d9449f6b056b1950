"""Readings of the simulated bodies and hardware: plain values, SI units, temperatures in degC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """Pose of a body's frame in world, and its twist.

    position: (3,) m. orientation: (4,) x, y, z, w, from body axes to world. velocity: (3,) m/s of the frame's origin,
    in body axes. angular_velocity: (3,) rad/s, in body axes.
    """

    position: Floats
    orientation: Floats
    velocity: Floats
    angular_velocity: Floats


class Health(IntEnum):
    """Health of a valve by its own sensor."""

    OK = 1
    STUCK_CLOSED = 2
    STUCK_OPEN = 3


@dataclass(frozen=True)
class ValveReading:
    """open: (n,) position now. on_time: (n,) s open since the start. firings: (n,) openings since the start."""

    open: tuple[bool, ...]
    health: tuple[Health, ...]
    on_time: Floats
    firings: tuple[int, ...]
    working_mass: float
    late_edges: int
    commands: int
    watchdog: bool


@dataclass(frozen=True)
class EnergyReading:
    """Both buses: W, J, V, A; states of charge in 1; thrust_energy and trips since the start."""

    thrust_power: float
    thrust_energy: float
    supercap_soc: float
    supercap_energy: float
    supercap_power: float  # into the supercapacitor, negative out of it
    recharge_power: float
    battery_soc: float
    battery_energy: float
    battery_power: float  # into the battery, negative out of it
    continuous_power: float
    peak_power: float
    tripped: bool
    trips: int
    bus_voltage: float
    bus_current: float
    avionics_power: float
    loads: tuple[str, ...]
    load_on: tuple[bool, ...]
    solar_power: float
    dock_power: float


@dataclass(frozen=True)
class ThermalReading:
    """One entry per node: temperature degC, heat W put in, warn (NaN: none) and trip degC, tripped."""

    names: tuple[str, ...]
    temperature: Floats
    heat: Floats
    warn: Floats
    trip: Floats
    tripped: tuple[bool, ...]


@dataclass(frozen=True)
class StoreReading:
    """An energy store by its own sensor: soc 1, power W into it (negative out of it), temperature degC.

    overheated: over the temperature at which it reports a trip.
    """

    soc: float
    power: float
    temperature: float
    full: bool
    overheated: bool
