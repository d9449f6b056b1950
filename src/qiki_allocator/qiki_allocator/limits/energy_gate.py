"""Power limit of the thrusters and the gate on translation, by the energy in store."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qiki_allocator.checks import require


class Gate(StrEnum):
    """Thrust allowed by the energy in store."""

    BOOST = "BOOST"
    """Up to the peak power."""
    HOLD = "HOLD"
    """Up to the continuous power: the supercapacitor is left alone."""
    STABILISE = "STABILISE"
    """Attitude torque and brake only, and the supercapacitor keeps its recharge power."""


class Freshness(StrEnum):
    """Age of telemetry, as far as limits depend on it."""

    FRESH = "fresh"
    STALE = "stale"
    """HOLD limits and a warning."""
    LOST = "lost"
    """STABILISE."""


@dataclass(frozen=True, kw_only=True)
class TelemetryAges:
    """From which age telemetry counts as stale, and as lost.

    Attributes:
        stale: s, > 0.
        lost: s, at least `stale`.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    stale: float
    lost: float

    def __post_init__(self) -> None:
        require("stale", self.stale, "s", 0.0, above=True)
        require("lost", self.lost, "s", self.stale)

    def freshness(self, time: float, stamp: float) -> Freshness:
        """At `time` s, of telemetry stamped `stamp` s (NaN: none came yet).

        A stamp further ahead than `stale` is from before the clock jumped back, and lost.
        """
        age = time - stamp
        if not -self.stale <= age <= self.lost:
            return Freshness.LOST
        return Freshness.STALE if age > self.stale else Freshness.FRESH


@dataclass(frozen=True, kw_only=True)
class EnergyConfig:
    """The propulsion bus and its gates.

    Attributes:
        peak_power: W, what the bus carries at most (P_peak), > 0.
        continuous_power: W, what it gives without the supercapacitor (P_avail), 0 to `peak_power`.
        recharge_power: W, what the supercapacitor takes to recharge, 0 to `continuous_power`.
        capacity: J of the supercapacitor from SoC 0 to 1, > 0.
        hold, boost: SoC from which the gate is HOLD and BOOST, 0 <= hold <= boost <= 1.
        hysteresis: SoC, how far above its threshold a gate that was left opens again, 0 to 1.
        horizon: s, > 0, how long a burn at the limit may go on without the supercapacitor falling through `hold`.
            At least the time between two limits.
        ages: of energy and thermal telemetry.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    peak_power: float
    continuous_power: float
    recharge_power: float
    capacity: float
    hold: float
    boost: float
    hysteresis: float
    horizon: float
    ages: TelemetryAges

    def __post_init__(self) -> None:
        require("peak_power", self.peak_power, "W", 0.0, above=True)
        require("continuous_power", self.continuous_power, "W", 0.0, self.peak_power)
        require("recharge_power", self.recharge_power, "W", 0.0, self.continuous_power)
        require("capacity", self.capacity, "J", 0.0, above=True)
        require("boost", self.boost, "", 0.0, 1.0)
        require("hold", self.hold, "", 0.0, self.boost)
        require("hysteresis", self.hysteresis, "", 0.0, 1.0)
        require("horizon", self.horizon, "s", 0.0, above=True)


@dataclass(frozen=True)
class EnergyReading:
    """Energy telemetry.

    Attributes:
        time: s, of measurement.
        soc: 0 to 1, of the supercapacitor; NaN: unknown.
        continuous_power: W the bus gives now without the supercapacitor; NaN: unknown, the configured one is assumed.
        tripped: the power distribution has cut the thrusters off.
    """

    time: float
    soc: float
    continuous_power: float = math.nan
    tripped: bool = False

    def problem(self) -> str:
        """Why it cannot be, by field, value and allowed range; empty: it can."""
        return "" if 0.0 <= self.soc <= 1.0 else f"supercap_soc: {self.soc}; allowed: 0 to 1"


@dataclass(frozen=True)
class EnergyLimits:
    """Power limit and gate at a moment.

    Attributes:
        gate: what the stores allow.
        power_limit: W, finite, never negative; holds at every instant.
        translation_allowed: forces may be commanded; otherwise attitude torque and brake only.
        reason: why the gate is what it is.
        warning: the gate is lower than the energy in store would allow, or unknown, as telemetry is stale or lost.
    """

    gate: Gate
    power_limit: float
    translation_allowed: bool
    reason: str
    warning: bool = False

    def refusal(self, wrench: Sequence[float], *, brake: bool = False, tolerance: float = 1e-6) -> str:
        """Reason for which the gate refuses `wrench` (6 of N, N m); empty if it admits it.

        `brake`: the wrench opposes the body's motion, which every gate admits. `tolerance`: N, counts as no force.
        """
        if self.translation_allowed or brake:
            return ""
        force = math.hypot(*wrench[:3])
        if force <= tolerance:
            return ""
        return f"force: {force:.6g} N; allowed: 0 N in {self.gate} ({self.reason}): attitude torque and brake only"


class EnergyGate:
    """Gate and power limit, with hysteresis, from energy telemetry and the age of all telemetry."""

    def __init__(self, config: EnergyConfig) -> None:
        self._config = config
        self._last: EnergyReading | None = None
        self._gate = Gate.STABILISE

    def read(self, reading: EnergyReading) -> None:
        """Take energy telemetry. A SoC that is not within 0 to 1 counts as not received: the last good one ages."""
        if not (0.0 <= reading.soc <= 1.0 and math.isfinite(reading.time)):
            return
        self._gate = self._next(reading.soc, None if self._last is None else self._gate)
        self._last = reading

    def limits(self, time: float, thermal_time: float) -> EnergyLimits:
        """Limits at `time` s, with the newest thermal telemetry stamped `thermal_time` s (NaN: none came yet).

        They hold for the configured horizon: a burn at the limit for that long leaves the supercapacitor at or above
        `hold`, also when it has been drained at the peak power since the last reading.
        """
        config, last = self._config, self._last
        energy_time = math.nan if last is None else last.time
        energy = config.ages.freshness(time, energy_time)
        thermal = config.ages.freshness(time, thermal_time)
        if last is None or Freshness.LOST in (energy, thermal):
            gate, warning = Gate.STABILISE, True
        elif Freshness.STALE in (energy, thermal):
            gate, warning = (Gate.HOLD if self._gate is Gate.BOOST else self._gate), True
        else:
            gate, warning = self._gate, False
        if warning:
            reason = "; ".join(
                f"{name} telemetry {_age(time, stamp)}"
                for name, state, stamp in (("energy", energy, energy_time), ("thermal", thermal, thermal_time))
                if state is not Freshness.FRESH
            )
        else:
            assert last is not None
            reason = f"supercapacitor at {last.soc:.3f}"
        return EnergyLimits(gate, self._power(gate, time, last), gate is not Gate.STABILISE, reason, warning)

    def _next(self, soc: float, before: Gate | None) -> Gate:
        config = self._config
        boost, hold = config.boost, config.hold
        if before in (Gate.HOLD, Gate.STABILISE):
            boost = min(boost + config.hysteresis, 1.0)
        if before is Gate.STABILISE:
            hold = min(hold + config.hysteresis, boost)
        if soc >= boost:
            return Gate.BOOST
        return Gate.HOLD if soc >= hold else Gate.STABILISE

    def _power(self, gate: Gate, time: float, last: EnergyReading | None) -> float:
        config = self._config
        continuous = config.continuous_power
        if last is not None and math.isfinite(last.continuous_power):
            continuous = min(max(last.continuous_power, 0.0), continuous)
        if gate is Gate.STABILISE:
            return max(continuous - config.recharge_power, 0.0)
        if gate is Gate.HOLD or last is None:
            return continuous
        drained = (config.peak_power - continuous) * max(time - last.time, 0.0)
        usable = max((last.soc - config.hold) * config.capacity - drained, 0.0)
        return min(config.peak_power, continuous + usable / config.horizon)


def _age(time: float, stamp: float) -> str:
    if math.isnan(stamp):
        return "never came"
    return f"{time - stamp:.2f} s old" if time >= stamp else f"stamped {stamp - time:.2f} s ahead"
