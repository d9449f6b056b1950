"""Laws that switch one valve on and off by its level: pulse-width pulse-frequency, and bang-bang with dead band."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.valves import ValveTiming
from qiki_vehicle import ConfigurationError

Flags = npt.NDArray[np.bool_]


class SwitchLaw(Protocol):
    """Switching times of n valves, each by its level: 0..1, the share of its thrust that is wanted."""

    def switch_after(self, level: Floats, is_open: Flags) -> Floats:
        """(n,) s until each valve should change its state while the level stays; inf: never."""

    def advance(self, level: Floats, is_open: Flags, duration: Floats) -> None:
        """Let (n,) s pass with the levels, and the valves as they are."""

    def reset(self) -> None:
        """Forget what was."""


@dataclass(frozen=True)
class PwpfSettings:
    """A first-order lag with gain km and time constant tm, s, in a loop around a Schmitt trigger of output 1.

    tm dy/dt = km (level - u) - y; u becomes 1 at y >= uon and 0 at y <= uoff. With h = uon - uoff:

    * dead band: levels under uon / km give no pulse;
    * saturation: levels from 1 + uoff / km on would give no pause;
    * pulse: -tm ln(1 - h / (uon - km (level - 1))), pause: -tm ln(1 - h / (km level - uoff)).

    Raises:
        ConfigurationError: a value is not allowed.
    """

    km: float = 4.5
    tm: float = 0.5
    uon: float = 0.45
    uoff: float = 0.15

    def __post_init__(self) -> None:
        for name in ("km", "tm", "uon", "uoff"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigurationError(f"{name}: {value}; allowed: finite, above 0")
        if not self.uoff < self.uon:
            raise ConfigurationError(f"uoff: {self.uoff}; allowed: below uon = {self.uon}")
        if not self.uon < self.km:
            raise ConfigurationError(f"uon: {self.uon}; allowed: below km = {self.km}, or nothing ever opens")

    @property
    def dead_band(self) -> float:
        """Largest level without a pulse."""
        return self.uon / self.km

    @property
    def saturation(self) -> float:
        """Smallest level without a pause."""
        return 1.0 + self.uoff / self.km

    def pulse(self, level: float) -> float:
        """s, length of a pulse at a constant level."""
        fall = self.uon - self.km * (level - 1.0)
        return math.inf if level >= self.saturation else -self.tm * math.log(1.0 - (self.uon - self.uoff) / fall)

    def pause(self, level: float) -> float:
        """s, length of a pause at a constant level."""
        rise = self.km * level - self.uoff
        return math.inf if level <= self.dead_band else -self.tm * math.log(1.0 - (self.uon - self.uoff) / rise)

    def check(self, timing: ValveTiming) -> None:
        """Refuse settings that give pulses or pauses too short for the valves.

        The shortest steady pulse is that at the dead band's edge, the shortest pause that at level 1. A level that
        falls to 0 after the opening gives the shortest pulse of all; that is left to the valves' guard.

        Raises:
            ConfigurationError: naming the shortest time and what is allowed.
        """
        shortest = {"pulse": (self.pulse(self.dead_band), timing.min_on), "pause": (self.pause(1.0), timing.min_off)}
        for name, (length, allowed) in shortest.items():
            if length < allowed:
                raise ConfigurationError(
                    f"km, tm, uon, uoff: {self.km}, {self.tm}, {self.uon}, {self.uoff} give a shortest {name} of "
                    f"{length * 1e3:.1f} ms; allowed: at least {allowed * 1e3:g} ms"
                )


class PwpfLaw:
    """n independent PWPF modulators, integrated exactly between switchings."""

    def __init__(self, n: int, settings: PwpfSettings) -> None:
        self._n = n
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """See `SwitchLaw`."""
        self.y = np.zeros(self._n)

    def switch_after(self, level: Floats, is_open: Flags) -> Floats:
        """See `SwitchLaw`."""
        s = self._settings
        end = s.km * (level - is_open)
        threshold = np.where(is_open, s.uoff, s.uon)
        passed = np.where(is_open, self.y <= s.uoff, self.y >= s.uon)
        comes = np.where(is_open, end < s.uoff, end > s.uon)
        waits = comes & ~passed
        ratio = np.where(waits, threshold - end, 1.0) / np.where(waits, self.y - end, 1.0)
        return np.where(passed, 0.0, np.where(comes, -s.tm * np.log(ratio), math.inf))

    def advance(self, level: Floats, is_open: Flags, duration: Floats) -> None:
        """See `SwitchLaw`."""
        end = self._settings.km * (level - is_open)
        self.y = end + (self.y - end) * np.exp(-duration / self._settings.tm)


@dataclass(frozen=True)
class BangBangSettings:
    """Open from level `on` up, closed again from level `off` down: dead band `on`, hysteresis on - off.

    Raises:
        ConfigurationError: not 0 <= off < on <= 1.
    """

    on: float = 0.5
    off: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.on <= 1.0:
            raise ConfigurationError(f"on: {self.on}; allowed: above 0 to 1")
        if not 0.0 <= self.off < self.on:
            raise ConfigurationError(f"off: {self.off}; allowed: 0 to below on = {self.on}")


class BangBangLaw:
    """Bang-bang with dead band and hysteresis; it has no memory but the valves themselves."""

    def __init__(self, settings: BangBangSettings) -> None:
        self._settings = settings

    def reset(self) -> None:
        """See `SwitchLaw`."""

    def switch_after(self, level: Floats, is_open: Flags) -> Floats:
        """See `SwitchLaw`."""
        switches = np.where(is_open, level <= self._settings.off, level >= self._settings.on)
        return np.where(switches, 0.0, math.inf)

    def advance(self, level: Floats, is_open: Flags, duration: Floats) -> None:
        """See `SwitchLaw`."""
