"""Controllable axes and largest pure wrenches, against the known facts of the vehicle and an independent solver."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from qiki_allocator.allocation.spans import axis_units
from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.groups.controllability import AXES, axis_vector, controllable_axes, largest_wrench
from qiki_allocator.groups.selection import Authority
from qiki_allocator.health.table import Condition, HealthTable
from qiki_vehicle import ConfigurationError

THRUSTERS = Path(__file__).parents[3] / "launch/config/vehicles/thrusters.json"
WATTS_PER_NEWTON = 33.333


@pytest.fixture(scope="module")
def vehicle() -> ThrusterArray:
    return ThrusterArray.from_file(THRUSTERS, com=(0.0, 0.0, 0.1))


def dead(*indices: int) -> np.ndarray:
    health = np.ones(16)
    health[list(indices)] = 0.0
    return health


def reference(array: ThrusterArray, axis: str, health: np.ndarray, power: float | None) -> float:
    """The linear program, by HiGHS."""
    full = array.effectiveness * array.f_max * health
    wanted = axis_vector(axis)
    result = linprog(
        -(wanted @ full),
        A_eq=full[wanted == 0.0],
        b_eq=np.zeros(5),
        A_ub=None if power is None else (array.f_max * WATTS_PER_NEWTON)[None, :],
        b_ub=None if power is None else [power],
        bounds=(0.0, 1.0),
    )
    return float(-result.fun)


def test_the_healthy_vehicle_controls_all_twelve_axes(vehicle: ThrusterArray) -> None:
    assert controllable_axes(vehicle) == AXES


@pytest.mark.parametrize(
    ("axis", "size"),
    [("x", 735.391), ("y", 1086.116), ("z", 622.254), ("roll", 294.156), ("pitch", 543.058), ("yaw", 1499.066)],
)
@pytest.mark.parametrize("sign", ["+", "-"])
def test_largest_pure_wrenches(vehicle: ThrusterArray, sign: str, axis: str, size: float) -> None:
    reach = largest_wrench(vehicle, sign + axis)
    assert reach.size == pytest.approx(size, abs=1e-3)
    wrench = vehicle.effectiveness @ (vehicle.f_max * reach.levels)
    np.testing.assert_allclose(wrench, reach.size * axis_vector(sign + axis), atol=1e-6)


def test_every_single_failure_keeps_all_axes(vehicle: ThrusterArray) -> None:
    assert all(controllable_axes(vehicle, dead(index)) == AXES for index in range(16))


def test_exactly_four_pairs_lose_axes(vehicle: ThrusterArray) -> None:
    pairs = itertools.combinations(range(16), 2)
    losing = [pair for pair in pairs if controllable_axes(vehicle, dead(*pair)) != AXES]
    assert losing == [(0, 3), (1, 2), (4, 7), (5, 6)]


@pytest.mark.parametrize("cluster", "ABCD")
def test_every_whole_cluster_loses_axes(vehicle: ThrusterArray, cluster: str) -> None:
    health = np.array([name != cluster for name in vehicle.clusters], dtype=float)
    assert controllable_axes(vehicle, health) != AXES


def test_without_thrusters_nothing_is_controllable(vehicle: ThrusterArray) -> None:
    assert controllable_axes(vehicle, np.zeros(16)) == ()


def test_a_stuck_open_thruster_is_made_up_for(vehicle: ThrusterArray) -> None:
    for index in range(16):
        assert controllable_axes(vehicle, stuck_open=[index]) == AXES
        reach = largest_wrench(vehicle, "+x", stuck_open=[index])
        assert reach.levels[index] == 1.0
        wrench = vehicle.effectiveness @ (vehicle.f_max * reach.levels)
        np.testing.assert_allclose(wrench, reach.size * axis_vector("+x"), atol=1e-6)


def test_a_stuck_open_thruster_that_cannot_be_made_up_for_loses_all(vehicle: ThrusterArray) -> None:
    health = np.zeros(16)
    health[0] = 1.0
    assert controllable_axes(vehicle, health, stuck_open=[0]) == ()


def test_one_sided_thrusters_of_rank_six_need_not_control_anything() -> None:
    generator = np.random.default_rng(1)
    array = ThrusterArray(generator.normal(size=(6, 3)), generator.normal(size=(6, 3)), 100.0)
    assert np.linalg.matrix_rank(array.effectiveness) == 6
    assert len(controllable_axes(array)) < 12


@st.composite
def arrays(draw: st.DrawFn) -> ThrusterArray:
    """Random geometries, half of them on a grid: rank-deficient and degenerate ones."""
    n = draw(st.integers(1, 20))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    positions, directions = generator.normal(size=(2, n, 3))
    if draw(st.booleans()):
        positions = np.round(positions)
        directions = np.eye(3)[generator.integers(0, 3, n)] * generator.choice([-1.0, 1.0], (n, 1))
    return ThrusterArray(positions, directions, generator.uniform(10.0, 300.0, n))


@given(arrays(), st.sampled_from(AXES), st.integers(0, 2**32 - 1), st.none() | st.floats(100.0, 50e3))
def test_largest_wrench_agrees_with_the_linear_program(
    array: ThrusterArray, axis: str, seed: int, power: float | None
) -> None:
    health = np.random.default_rng(seed).choice([0.0, 0.5, 1.0], len(array), p=[0.2, 0.2, 0.6])
    reach = largest_wrench(array, axis, health, power=power, watts_per_newton=WATTS_PER_NEWTON)
    full = array.effectiveness * array.f_max * health
    there_is = np.abs(axis_vector(axis) @ full).sum()
    assert reach.size == pytest.approx(reference(array, axis, health, power), rel=1e-4, abs=1e-5 * there_is)
    assert ((reach.levels >= 0.0) & (reach.levels <= 1.0)).all()
    assert not reach.levels[health == 0.0].any()
    scale = np.maximum(np.abs(full).sum(axis=1), 1.0)
    np.testing.assert_allclose((full @ reach.levels - reach.size * axis_vector(axis)) / scale, 0.0, atol=1e-6)
    if power is not None:
        assert WATTS_PER_NEWTON * array.f_max @ reach.levels <= power * (1.0 + 1e-6)


@given(st.sampled_from(AXES), st.integers(0, 15))
def test_a_failure_never_adds_reach(axis: str, index: int) -> None:
    array = ThrusterArray.from_file(THRUSTERS, com=(0.0, 0.0, 0.1))
    assert largest_wrench(array, axis, dead(index)).size <= largest_wrench(array, axis).size * (1.0 + 1e-6)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"health": np.ones(3)}, r"health: shape \(3,\); allowed: \(16,\)"),
        ({"health": dead() * 1.5}, r"health\[0\]: 1.5; allowed: 0 to 1"),
        ({"health": dead() * np.nan}, r"health\[0\]: nan; allowed: 0 to 1"),
        ({"stuck_open": [16]}, "stuck_open: thruster 16; allowed: 0 to 15"),
        ({"power": 0.0}, "power: 0.0 W; allowed: finite, above 0 W"),
        ({"watts_per_newton": -1.0}, "watts_per_newton: -1.0 W/N; allowed: finite, at least 0 W/N"),
    ],
)
def test_refusals(vehicle: ThrusterArray, arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        largest_wrench(vehicle, "+x", **arguments)  # type: ignore[arg-type]


def test_an_unknown_axis_is_refused(vehicle: ThrusterArray) -> None:
    with pytest.raises(ValueError, match=r"axis: '\+w'; allowed: \+x, -x"):
        largest_wrench(vehicle, "+w")


def mounted(array: ThrusterArray, tilt: float, seed: int) -> ThrusterArray:
    """The vehicle as built: 2 mm, `tilt` degrees, half a percent of thrust."""
    rng = np.random.default_rng(seed)
    return ThrusterArray(
        array.positions + rng.normal(0.0, 0.002, (16, 3)),
        array.directions + np.radians(tilt) * rng.uniform(-1.0, 1.0, (16, 3)),
        array.f_max * (1.0 + rng.normal(0.0, 0.005, 16)),
        com=array.com + rng.normal(0.0, 0.002, 3),
    )


def nearly_pure(array: ThrusterArray, axis: str, health: np.ndarray) -> float:
    """The largest share of the axis's unit with at most 5 % of it along each other axis, by HiGHS."""
    full, wanted = array.effectiveness * array.f_max * health / axis_units(array)[:, None], axis_vector(axis)
    along, across = wanted @ full, full[wanted == 0.0]
    cone = np.vstack([across - 0.05 * along, -across - 0.05 * along])
    return float(-linprog(-along, A_ub=cone, b_ub=np.zeros(10), bounds=(0.0, 1.0)).fun)


@pytest.mark.requirement("ALLOC-15")
@pytest.mark.parametrize("pair", [(0, 3), (1, 2), (4, 7), (5, 6)])
@given(tilt=st.sampled_from([1e-4, 1e-2, 0.2, 1.0, 2.0]), axis=st.sampled_from(AXES), seed=st.integers(0, 2**32 - 1))
def test_an_axis_that_is_almost_lost_is_named(vehicle, pair, tilt, axis, seed):
    """Two dead thrusters cost three axes of the ideal geometry; tolerances leave some of them, and cost no other."""
    health = HealthTable(16)
    assert set(Authority().left(vehicle, health).values()) == {1.0}
    for thruster in pair:
        health.set(thruster, Condition.DEAD)
    lost = Authority().lost(Authority().left(vehicle, health))
    assert len(lost) == 3
    real = mounted(vehicle, tilt, seed)
    left = Authority().left(real, health)
    assert list(left) == list(AXES)
    share = nearly_pure(real, axis, health.levels()) / nearly_pure(real, axis, np.ones(16))
    assert left[axis] == pytest.approx(min(share, 1.0), abs=1e-3)
    assert Authority().lost(left) == tuple(axis for axis, share in left.items() if share < 0.02)
    assert set(Authority().lost(left)) <= set(lost)
    assert set(Authority(0.0).lost(left)) <= set(Authority(0.02).lost(left))


@pytest.mark.requirement("ALLOC-15")
def test_a_stuck_thruster_costs_the_authority_that_holds_it(vehicle):
    health = HealthTable(16)
    health.set(3, Condition.STUCK_OPEN)
    left = Authority().left(vehicle, health)
    assert all(0.0 < share <= 1.0 for share in left.values())
    assert min(left.values()) < 0.9


def test_an_axis_that_never_was_is_lost_and_has_no_share():
    planar = ThrusterArray([[0, 1, 0], [0, -1, 0], [0, 1, 0], [0, -1, 0]], [[1, 0, 0]] * 2 + [[-1, 0, 0]] * 2, 5.0)
    left = Authority().left(planar, HealthTable(4))
    assert [axis for axis, share in left.items() if share == 1.0] == ["+x", "-x", "+yaw", "-yaw"]
    assert math.isnan(left["+z"])
    assert "+z" in Authority().lost(left)
    with pytest.raises(ConfigurationError, match=r"lost_authority: 2.0; allowed: 0 to 1"):
        Authority(2.0)
