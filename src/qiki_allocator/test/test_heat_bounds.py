"""Bounds by the heat of the clusters."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_allocator.limits.energy_gate import TelemetryAges
from qiki_allocator.limits.heat_bounds import Cluster, HeatConfig, HeatGuard, HeatLimits
from qiki_vehicle import ConfigurationError

RCS_A = Cluster(name="A", node="RCS_A", thrusters=(0, 1), capacity=2000.0, conductance=25.0, warn=90.0, trip=120.0)
RCS_B = replace(RCS_A, name="B", node="RCS_B", thrusters=(2, 3))
CONFIG = HeatConfig(
    thrusters=4,
    clusters=(RCS_A, RCS_B),
    hull_node="HULL",
    heat_fraction=0.35,
    hysteresis=10.0,
    horizon=0.5,
    ages=TelemetryAges(stale=1.0, lost=5.0),
    stale_factor=0.5,
    lost_factor=0.4,
)
IDLE = np.zeros(4)


def limits_at(temperature: float, hull: float = 20.0) -> HeatLimits:
    guard = HeatGuard(CONFIG)
    guard.read(0.0, {"RCS_A": temperature, "RCS_B": 20.0, "HULL": hull})
    return guard.limits(0.0, IDLE)


@pytest.mark.parametrize(
    ("temperature", "factor"), [(-40.0, 1.0), (90.0, 1.0), (97.5, 0.75), (105.0, 0.5), (119.4, 0.02), (120.0, 0.0)]
)
def test_bound_falls_linearly_from_warn_to_trip(temperature: float, factor: float) -> None:
    limits = limits_at(temperature)
    np.testing.assert_allclose(limits.factor, [factor, factor, 1.0, 1.0], atol=1e-12)
    assert limits.names == (("heat:A", "heat:A", "", "") if factor < 1.0 else ("",) * 4)
    assert limits.warning == ""


def test_tripped_until_trip_minus_hysteresis_is_measured() -> None:
    guard = HeatGuard(CONFIG)
    seen = []
    for i, temperature in enumerate([119.0, 120.0, 115.0, 110.1, 110.0, 115.0]):
        guard.read(float(i), {"RCS_A": temperature, "RCS_B": 20.0, "HULL": 20.0})
        limits = guard.limits(float(i), IDLE)
        seen.append(bool(limits.factor[0]))
        assert limits.tripped == (() if limits.factor[0] else ("A",))
    assert seen == [True, False, False, False, True, True]


def test_an_estimate_alone_does_not_bring_a_tripped_cluster_back() -> None:
    guard = HeatGuard(CONFIG)
    guard.read(0.0, {"RCS_A": 121.0, "RCS_B": 20.0, "HULL": 20.0})
    limits = guard.limits(600.0, IDLE)
    assert limits.temperature["A"] < 30.0
    assert limits.factor[0] == 0.0


def test_estimate_follows_the_closed_form_and_its_parts_add_up() -> None:
    power = np.array([3000.0, 1000.0, 0.0, 0.0])
    heat, tau = 0.35 * 4000.0, 2000.0 / 25.0
    whole, parts = HeatGuard(CONFIG), HeatGuard(CONFIG)
    for guard in (whole, parts):
        guard.read(0.0, {"RCS_A": 50.0, "RCS_B": 20.0, "HULL": 20.0})
    for t in np.linspace(0.0, 7.0, 29):
        parts.limits(float(t), power)
    end = 20.0 + heat / 25.0
    expected = end + (50.0 - end) * math.exp(-7.0 / tau)
    assert whole.limits(7.0, power).temperature["A"] == pytest.approx(expected, rel=1e-12)
    assert parts.limits(7.0, power).temperature["A"] == pytest.approx(expected, rel=1e-12)


def test_without_a_hull_temperature_no_cooling_is_counted_on() -> None:
    guard = HeatGuard(CONFIG)
    guard.read(0.0, {"RCS_A": 80.0})
    assert guard.limits(0.9, [4000.0, 0.0, 0.0, 0.0]).temperature["A"] == pytest.approx(80.0 + 0.35 * 4000 * 0.9 / 2000)


def test_heating_ahead_moves_the_bound_before_the_temperature_does() -> None:
    guard = HeatGuard(CONFIG)
    guard.read(0.0, {"RCS_A": 90.0, "RCS_B": 90.0, "HULL": 20.0})
    factor = guard.limits(0.0, [8000.0, 8000.0, 0.0, 0.0]).factor
    rise = (0.35 * 16000.0 / 25.0 - 70.0) * -math.expm1(-0.5 * 25.0 / 2000.0)
    assert factor[0] == pytest.approx(1.0 - rise / 30.0)
    assert factor[2] == 1.0


@pytest.mark.parametrize(("age", "factor"), [(1.0, 1.0), (1.01, 0.5), (5.0, 0.5), (5.01, 0.4)])
def test_an_old_temperature_lowers_the_bound_of_its_cluster_only(age: float, factor: float) -> None:
    guard = HeatGuard(CONFIG)
    guard.read(0.0, {"RCS_A": 20.0, "RCS_B": 20.0, "HULL": 20.0})
    guard.read(age, {"RCS_A": math.nan, "RCS_B": 20.0, "HULL": math.nan})
    limits = guard.limits(age, IDLE)
    np.testing.assert_array_equal(limits.factor, [factor, factor, 1.0, 1.0])
    assert ("RCS_A" in limits.warning) is (factor < 1.0)
    assert "RCS_B" not in limits.warning
    assert guard.telemetry_time == age


def test_temperatures_never_known_are_lost() -> None:
    guard = HeatGuard(CONFIG)
    guard.read(0.0, {"RCS_A": math.nan, "RCS_B": math.inf})
    np.testing.assert_array_equal(guard.limits(0.0, IDLE).factor, np.full(4, 0.4))
    assert math.isnan(guard.telemetry_time)


@given(
    start=st.floats(-50.0, 119.0),
    hull=st.floats(-60.0, 80.0),
    demand=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40),
    quiet=st.integers(0, 5),
)
def test_no_demand_trips_a_cluster(start: float, hull: float, demand: list[float], quiet: int) -> None:
    """Two 260 N thrusters, telemetry at 10 Hz with `quiet` messages lost after each."""
    guard = HeatGuard(CONFIG)
    temperature, full, power = start, 2 * 260.0 * 33.333, np.zeros(4)
    for tick in range(400):
        time = tick * 0.1
        if tick % (quiet + 1) == 0:
            guard.read(time, {"RCS_A": temperature, "RCS_B": 20.0, "HULL": hull})
        factor = guard.limits(time, power).factor[0]
        drawn = min(demand[tick % len(demand)], factor) * full
        power = np.array([drawn / 2, drawn / 2, 0.0, 0.0])
        end = hull + 0.35 * drawn / 25.0
        temperature = end + (temperature - end) * math.exp(-0.1 * 25.0 / 2000.0)
        assert temperature < 120.0


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(anything, anything, anything), max_size=5), st.floats(-1e6, 1e6))
def test_factors_are_between_0_and_1_whatever_is_read(readings: list[tuple[float, float, float]], time: float) -> None:
    guard = HeatGuard(CONFIG)
    for stamp, cluster, hull in readings:
        guard.read(stamp, {"RCS_A": cluster, "HULL": hull})
        factor = guard.limits(time, np.full(4, 100.0)).factor
        assert ((factor >= 0.0) & (factor <= 1.0)).all()


def test_bad_input_is_refused_by_name() -> None:
    guard = HeatGuard(CONFIG)
    for power in ([0.0] * 3, [0.0, 0.0, 0.0, math.nan], [0.0, 0.0, 0.0, -1.0]):
        with pytest.raises(ValueError, match=r"^power: .* W; allowed: 4 finite numbers, at least 0"):
            guard.limits(0.0, power)
    with pytest.raises(ConfigurationError, match=r"RCS_A\.trip: 90.0 degC; allowed: finite, above 90 degC"):
        replace(RCS_A, trip=90.0)
    with pytest.raises(
        ConfigurationError, match=r"clusters: thrusters \[0, 1\]; allowed: each of 0 to 3 in exactly one"
    ):
        replace(CONFIG, clusters=(RCS_A,))
    with pytest.raises(ConfigurationError, match=r"lost_factor: 0.6; allowed: 0 to 0.5"):
        replace(CONFIG, lost_factor=0.6)
