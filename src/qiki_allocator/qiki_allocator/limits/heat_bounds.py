"""Bounds on the thrusters by the temperature of their clusters.

A cluster is one lumped node of capacity C joined by a conductance G to the hull, heated by a share of the electrical
power of its thrusters: C dT/dt = q - G (T - T_hull). Between two readings, and one horizon ahead, the temperature is
taken from the closed form of this for constant q and T_hull:

    T(t + s) = E + (T - E) exp(-G s / C),  E = T_hull + q / G

and T + q s / C where the temperature of the hull was never known, which is never too cold while the hull is the colder.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.checks import require
from qiki_allocator.limits.energy_gate import Freshness, TelemetryAges
from qiki_vehicle import ConfigurationError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A thruster cluster as a thermal node.

    Attributes:
        name: of the cluster, as in `heat:<name>`.
        node: name of its node in the thermal telemetry.
        thrusters: indices of its thrusters.
        capacity: J/K, > 0.
        conductance: W/K to the hull, >= 0.
        warn, trip: degC, warn < trip.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    name: str
    node: str
    thrusters: tuple[int, ...]
    capacity: float
    conductance: float
    warn: float
    trip: float

    def __post_init__(self) -> None:
        require(f"{self.node}.capacity", self.capacity, "J/K", 0.0, above=True)
        require(f"{self.node}.conductance", self.conductance, "W/K", 0.0)
        require(f"{self.node}.warn", self.warn, "degC", -273.15)
        require(f"{self.node}.trip", self.trip, "degC", self.warn, above=True)

    def after(self, temperature: float, hull: float, heat: float, seconds: float) -> float:
        """degC, `seconds` after `temperature` with constant `heat` W; `hull` degC, NaN: unknown."""
        if self.conductance == 0.0 or math.isnan(hull):
            return temperature + heat * seconds / self.capacity
        end = hull + heat / self.conductance
        return temperature + (end - temperature) * -math.expm1(-self.conductance * seconds / self.capacity)


@dataclass(frozen=True, kw_only=True)
class HeatConfig:
    """The thermal side of the thrusters.

    Attributes:
        thrusters: number of thrusters, each in exactly one cluster.
        clusters: of the body.
        hull_node: name of the hull in the thermal telemetry.
        heat_fraction: share of the thrusters' electrical power that heats their cluster, 0 to 1.
        hysteresis: K, a tripped cluster is on again at trip - hysteresis, >= 0.
        horizon: s, how far ahead heating is looked at, >= 0; 0: not at all.
        ages: of a cluster's temperature.
        stale_factor, lost_factor: largest bound of a cluster whose temperature is stale or lost,
            0 <= lost_factor <= stale_factor <= 1: the share of the peak power that is left at that age.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    thrusters: int
    clusters: tuple[Cluster, ...]
    hull_node: str
    heat_fraction: float
    hysteresis: float
    horizon: float
    ages: TelemetryAges
    stale_factor: float
    lost_factor: float

    def __post_init__(self) -> None:
        require("heat_fraction", self.heat_fraction, "", 0.0, 1.0)
        require("hysteresis", self.hysteresis, "K", 0.0)
        require("horizon", self.horizon, "s", 0.0)
        require("stale_factor", self.stale_factor, "", 0.0, 1.0)
        require("lost_factor", self.lost_factor, "", 0.0, self.stale_factor)
        members = sorted(i for cluster in self.clusters for i in cluster.thrusters)
        if members != list(range(self.thrusters)):
            raise ConfigurationError(
                f"clusters: thrusters {members}; allowed: each of 0 to {self.thrusters - 1} in exactly one cluster"
            )


@dataclass(frozen=True, eq=False)
class HeatLimits:
    """Bounds by heat.

    Attributes:
        factor: (n,) 0 to 1, largest share of each thruster's thrust.
        names: n names, `heat:<cluster>` where the factor is below 1, else empty.
        tripped: names of the clusters that stay off until trip - hysteresis.
        by_cluster: the factor by cluster name.
        temperature: degC by cluster name, as estimated now; NaN: never known.
        warning: names the clusters whose temperature is stale or lost, empty if none is.
    """

    factor: Floats
    names: tuple[str, ...]
    tripped: tuple[str, ...]
    by_cluster: Mapping[str, float]
    temperature: Mapping[str, float]
    warning: str


@dataclass
class _Node:
    temperature: float = math.nan
    at: float = math.nan
    """s, time of `temperature`."""
    measured_at: float = math.nan
    tripped: bool = False


class HeatGuard:
    """Bounds from the temperatures of the clusters, their age, and the heating to come."""

    def __init__(self, config: HeatConfig) -> None:
        self._config = config
        self._nodes = tuple(_Node() for _ in config.clusters)
        self._hull = math.nan
        self._telemetry_time = math.nan
        self._largest = {
            Freshness.FRESH: 1.0,
            Freshness.STALE: config.stale_factor,
            Freshness.LOST: config.lost_factor,
        }

    @property
    def telemetry_time(self) -> float:
        """s, stamp of the newest telemetry with the temperature of at least one cluster; NaN: none came yet."""
        return self._telemetry_time

    def read(self, time: float, temperatures: Mapping[str, float]) -> None:
        """Take thermal telemetry: time s of measurement, degC by node name.

        A temperature that is missing or not finite counts as not received: the last good one ages.
        """
        if not math.isfinite(time):
            return
        hull = temperatures.get(self._config.hull_node, math.nan)
        if math.isfinite(hull):
            self._hull = hull
        for cluster, node in zip(self._config.clusters, self._nodes, strict=True):
            measured = temperatures.get(cluster.node, math.nan)
            if not math.isfinite(measured):
                continue
            node.temperature, node.at, node.measured_at = measured, time, time
            # Only a measurement trips a cluster or brings it back: the estimate bounds it meanwhile.
            resume = cluster.trip - self._config.hysteresis
            node.tripped = measured >= cluster.trip or (node.tripped and measured > resume)
            self._telemetry_time = time

    def limits(self, time: float, power: npt.ArrayLike) -> HeatLimits:
        """Bounds at `time` s, with the thrusters drawing `power` (n,) W since the last call and over the horizon.

        From `warn` to `trip` the factor falls linearly from 1 to 0, over the hotter of the temperature now and the one
        expected at the horizon. A tripped cluster has 0.

        Raises:
            ValueError: power has another shape, or a component that is negative or not finite.
        """
        config = self._config
        watts = np.asarray(power, dtype=float)
        drawn = watts.ravel().tolist()
        if watts.shape != (config.thrusters,) or not all(0.0 <= each < math.inf for each in drawn):
            raise ValueError(f"power: {watts.tolist()} W; allowed: {config.thrusters} finite numbers, at least 0")
        factors = np.ones(config.thrusters)
        names = [""] * config.thrusters
        by_cluster = {}
        warnings = []
        for cluster, node in zip(config.clusters, self._nodes, strict=True):
            heat = config.heat_fraction * math.fsum(drawn[i] for i in cluster.thrusters)
            if time > node.at:
                node.temperature = cluster.after(node.temperature, self._hull, heat, time - node.at)
            node.at = time
            freshness = config.ages.freshness(time, node.measured_at)
            factor = self._factor(cluster, node, heat, freshness)
            if freshness is not Freshness.FRESH:
                warnings.append(f"temperature of {cluster.node} {freshness}: bound {factor:.2f}")
            by_cluster[cluster.name] = factor
            if factor < 1.0:
                for i in cluster.thrusters:
                    factors[i] = factor
                    names[i] = f"heat:{cluster.name}"
        return HeatLimits(
            factor=factors,
            names=tuple(names),
            tripped=tuple(c.name for c, node in zip(config.clusters, self._nodes, strict=True) if node.tripped),
            by_cluster=by_cluster,
            temperature={c.name: node.temperature for c, node in zip(config.clusters, self._nodes, strict=True)},
            warning="; ".join(warnings),
        )

    def _factor(self, cluster: Cluster, node: _Node, heat: float, freshness: Freshness) -> float:
        if node.tripped:
            return 0.0
        largest = self._largest[freshness]
        if math.isnan(node.temperature):
            return largest
        ahead = cluster.after(node.temperature, self._hull, heat, self._config.horizon)
        hottest = max(node.temperature, ahead)
        linear = (cluster.trip - hottest) / (cluster.trip - cluster.warn)
        return min(max(linear, 0.0), largest)
