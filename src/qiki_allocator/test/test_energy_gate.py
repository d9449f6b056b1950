"""Gates, power limits and lost telemetry."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_allocator.limits.energy_gate import EnergyConfig, EnergyGate, EnergyLimits, EnergyReading, Gate, TelemetryAges
from qiki_vehicle import ConfigurationError

CONFIG = EnergyConfig(
    peak_power=45000.0,
    continuous_power=22500.0,
    recharge_power=2810.0,
    capacity=150000.0,
    hold=0.30,
    boost=0.60,
    hysteresis=0.02,
    horizon=0.5,
    ages=TelemetryAges(stale=1.0, lost=5.0),
)


def limits_of(*socs: float, config: EnergyConfig = CONFIG) -> EnergyLimits:
    gate = EnergyGate(config)
    for soc in socs:
        gate.read(EnergyReading(0.0, soc))
    return gate.limits(0.0, 0.0)


@pytest.mark.parametrize(
    ("socs", "gate", "power"),
    [
        ((1.0,), Gate.BOOST, 45000.0),
        ((0.60,), Gate.BOOST, 45000.0),
        ((0.599,), Gate.HOLD, 22500.0),
        ((0.30,), Gate.HOLD, 22500.0),
        ((0.299,), Gate.STABILISE, 19690.0),
        ((0.0,), Gate.STABILISE, 19690.0),
        ((0.70, 0.599, 0.61), Gate.HOLD, 22500.0),
        ((0.70, 0.599, 0.62), Gate.BOOST, 45000.0),
        ((0.29, 0.31), Gate.STABILISE, 19690.0),
        ((0.29, 0.32), Gate.HOLD, 22500.0),
        ((0.29, 0.61), Gate.HOLD, 22500.0),
        ((0.29, 0.62), Gate.BOOST, 45000.0),
    ],
)
def test_gate_and_power_by_state_of_charge(socs: tuple[float, ...], gate: Gate, power: float) -> None:
    limits = limits_of(*socs)
    assert limits.gate is gate
    assert limits.power_limit == pytest.approx(power)
    assert limits.translation_allowed is (gate is not Gate.STABILISE)
    assert not limits.warning
    assert limits.reason == f"supercapacitor at {socs[-1]:.3f}"


@given(st.lists(st.floats(-0.0099, 0.0099), min_size=2, max_size=50), st.sampled_from([0.30, 0.60]))
def test_noise_smaller_than_the_hysteresis_moves_the_gate_once_at_most(noise: list[float], threshold: float) -> None:
    gate = EnergyGate(CONFIG)
    seen = []
    for step in noise:
        gate.read(EnergyReading(0.0, threshold + step))
        seen.append(gate.limits(0.0, 0.0).gate)
    assert sum(a is not b for a, b in itertools.pairwise(seen)) <= 1


@pytest.mark.parametrize(
    ("energy_age", "thermal_age", "gate", "named"),
    [
        (1.0, 1.0, Gate.BOOST, ()),
        (1.001, 0.1, Gate.HOLD, ("energy",)),
        (0.1, 1.001, Gate.HOLD, ("thermal",)),
        (5.0, 5.0, Gate.HOLD, ("energy", "thermal")),
        (5.001, 0.1, Gate.STABILISE, ("energy",)),
        (0.1, 5.001, Gate.STABILISE, ("thermal",)),
        (0.1, math.nan, Gate.STABILISE, ("thermal",)),
        (-0.05, -0.05, Gate.BOOST, ()),
        (-60.0, 0.1, Gate.STABILISE, ("energy",)),
    ],
)
def test_telemetry_that_stops_coming(energy_age: float, thermal_age: float, gate: Gate, named: tuple[str, ...]) -> None:
    energy_gate = EnergyGate(CONFIG)
    energy_gate.read(EnergyReading(100.0 - energy_age, 0.9))
    limits = energy_gate.limits(100.0, 100.0 - thermal_age)
    assert limits.gate is gate
    assert limits.warning is bool(named)
    for name in ("energy", "thermal"):
        assert (f"{name} telemetry" in limits.reason) is (name in named)


def test_stale_telemetry_never_raises_the_gate_and_fresh_telemetry_restores_it() -> None:
    gate = EnergyGate(CONFIG)
    gate.read(EnergyReading(0.0, 0.2))
    assert gate.limits(2.0, 2.0).gate is Gate.STABILISE
    gate.read(EnergyReading(10.0, 0.9))
    assert gate.limits(10.0, 10.0).gate is Gate.BOOST


@pytest.mark.parametrize("soc", [math.nan, math.inf, -0.1, 1.1])
def test_a_state_of_charge_out_of_range_counts_as_lost(soc: float) -> None:
    gate = EnergyGate(CONFIG)
    gate.read(EnergyReading(0.0, soc))
    assert gate.limits(0.0, 0.0).gate is Gate.STABILISE
    gate.read(EnergyReading(1.0, 0.9))
    for tenth in range(11, 71):
        gate.read(EnergyReading(tenth / 10.0, soc))
    assert gate.limits(1.9, 1.9).gate is Gate.BOOST
    assert gate.limits(2.1, 2.1).gate is Gate.HOLD
    assert gate.limits(7.0, 7.0).gate is Gate.STABILISE


def test_no_telemetry_ever_is_stabilise_with_a_reason() -> None:
    limits = EnergyGate(CONFIG).limits(0.0, math.nan)
    assert limits.gate is Gate.STABILISE
    assert limits.reason == "energy telemetry never came; thermal telemetry never came"
    assert limits.power_limit == pytest.approx(19690.0)


def test_a_weaker_bus_lowers_every_limit() -> None:
    for soc, power in ((0.5, 8000.0), (0.2, 5190.0)):
        gate = EnergyGate(CONFIG)
        gate.read(EnergyReading(0.0, soc, continuous_power=8000.0))
        assert gate.limits(0.0, 0.0).power_limit == pytest.approx(power)


def test_what_each_gate_admits() -> None:
    torque, force = [0.0, 0.0, 0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 0.0, 0.0, 0.0, 0.0]
    for soc in (0.9, 0.5):
        assert limits_of(soc).refusal(force) == ""
    stabilise = limits_of(0.1)
    assert stabilise.refusal(torque) == ""
    assert stabilise.refusal(force, brake=True) == ""
    assert "force: 5 N; allowed: 0 N in STABILISE (supercapacitor at 0.100)" in stabilise.refusal(force)


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(anything, anything, anything), max_size=5), anything, anything)
def test_limits_are_finite_whatever_is_read(
    readings: list[tuple[float, float, float]], time: float, thermal: float
) -> None:
    gate = EnergyGate(CONFIG)
    for reading in readings:
        gate.read(EnergyReading(*reading))
    limits = gate.limits(time, thermal)
    assert 0.0 <= limits.power_limit <= CONFIG.peak_power
    assert limits.translation_allowed is (limits.gate is not Gate.STABILISE)


@given(
    soc=st.floats(0.30, 1.0),
    capacity=st.floats(2e3, 3e5),
    boost=st.floats(0.30, 0.6),
    delay=st.sampled_from([0, 1, 3, 9]),
    demand=st.lists(st.one_of(st.just(1.0), st.floats(0.0, 1.0)), min_size=1, max_size=6),
)
def test_no_burn_takes_the_supercapacitor_through_hold(
    soc: float, capacity: float, boost: float, delay: int, demand: list[float]
) -> None:
    config = replace(CONFIG, capacity=capacity, boost=boost)
    gate = EnergyGate(config)
    energy, step = soc * capacity, 0.1
    history = [energy] * (delay + 1)
    for tick, share in enumerate(demand * 10):
        gate.read(EnergyReading((tick - delay) * step, history[-delay - 1] / capacity))
        limit = gate.limits(tick * step, tick * step).power_limit
        energy -= share * max(limit - config.continuous_power, 0.0) * step
        history.append(energy)
        assert energy >= config.hold * capacity * (1.0 - 1e-9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("peak_power", 0.0),
        ("continuous_power", 50e3),
        ("recharge_power", -1.0),
        ("capacity", math.nan),
        ("hold", 0.7),
        ("boost", 1.2),
        ("hysteresis", -0.1),
        ("horizon", 0.0),
    ],
)
def test_a_configuration_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{field}: {value}.*; allowed: "):
        replace(CONFIG, **{field: value})
    with pytest.raises(ConfigurationError, match=r"lost: 0.5 s; allowed: finite, at least 1 s"):
        TelemetryAges(stale=1.0, lost=0.5)
