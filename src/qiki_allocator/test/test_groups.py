"""Thrust groups: what they give, how small and how even they are, and what is said where there is none."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.groups.controllability import AXES, ROTATIONS, TRANSLATIONS, axis_vector
from qiki_allocator.groups.thrust_groups import COLUMNS, ThrustGroup, thrust_groups
from qiki_vehicle import ConfigurationError

THRUSTERS = Path(__file__).parents[3] / "launch/config/vehicles/thrusters.json"
COM = (0.0, 0.0, 0.1)
TOLERANCE = 0.074


def tolerance(array: ThrusterArray) -> float:
    """N m of parasitic torque allowed."""
    return TOLERANCE * float(np.linalg.norm((array.effectiveness * array.f_max)[3:], axis=0).max())


@pytest.fixture(scope="module")
def vehicle() -> ThrusterArray:
    return ThrusterArray.from_file(THRUSTERS, com=COM)


def check(group: ThrustGroup, array: ThrusterArray, health: np.ndarray) -> None:
    """What holds for every group that exists."""
    wrench = array.effectiveness @ (array.f_max * health * group.levels)
    np.testing.assert_allclose(group.wrench, wrench, atol=1e-9)
    across = wrench[axis_vector(group.axis) == 0.0]
    strength = array.f_max.max()
    forces = across[:2] if group.axis in TRANSLATIONS else across[:3]
    np.testing.assert_allclose(forces / strength, 0.0, atol=1e-5)
    allowed = (
        tolerance(array) if group.kind in ("ZTT", "TORQUE") else 1e-4 * np.abs(array.effectiveness).max() * strength
    )
    assert group.parasitic_torque <= allowed + 1e-6
    assert group.size > 0.0
    assert 0.0 < group.levels.max() <= 1.0
    assert group.levels.min() >= 0.0
    assert group.thrusters == tuple(np.flatnonzero(group.levels))
    assert (health[list(group.thrusters)] > 0.0).all()


def test_groups_of_the_vehicle(vehicle: ThrusterArray) -> None:
    groups = thrust_groups(vehicle)
    assert {axis: group.thrusters for axis, group in groups.ztt.items()} == {
        "+x": (4, 5, 6, 7),
        "-x": (0, 1, 2, 3),
        "+y": (0, 2, 4, 6),
        "-y": (1, 3, 5, 7),
        "+z": (12, 13, 14, 15),
        "-z": (8, 9, 10, 11),
    }
    assert {axis: len(group.thrusters) for axis, group in groups.torque.items()} == {
        "+roll": 4,
        "-roll": 4,
        "+pitch": 4,
        "-pitch": 4,
        "+yaw": 2,
        "-yaw": 2,
    }
    for group in groups:
        check(group, vehicle, np.ones(16))


def test_full_groups_reach_the_largest_pure_wrenches(vehicle: ThrusterArray) -> None:
    groups = thrust_groups(vehicle)
    sizes = {axis: round(group.size, 3) for axis, group in {**groups.ftg, **groups.full_torque}.items()}
    expected = [735.391, 1086.116, 622.254, 294.156, 543.058, 1499.066]
    assert sizes == {axis: expected[AXES.index(axis) // 2] for axis in AXES}


def test_off_centre_mass_makes_levels_differ_and_full_x_force_take_eight_thrusters(vehicle: ThrusterArray) -> None:
    groups = thrust_groups(vehicle)
    for axis in ("+x", "-x"):
        assert len(groups.ftg[axis].thrusters) == 8
        assert sorted(groups.ztt[axis].levels[list(groups.ztt[axis].thrusters)]) == pytest.approx([0.6, 0.6, 1.0, 1.0])
        assert "equal ones would leave 73.5 N m, allowed 25 N m" in groups.ztt[axis].note
        assert "735 N without torque take 8 thrusters" in groups.ztt[axis].note
    centred = thrust_groups(vehicle.with_com((0.0, 0.0, 0.0)))
    for axis in ("+x", "-x"):
        assert len(centred.ftg[axis].thrusters) == 4
        assert not centred.ztt[axis].note


def test_groups_have_the_symmetry_of_the_vehicle(vehicle: ThrusterArray) -> None:
    mirrored = np.array([1, 0, 3, 2, 5, 4, 7, 6, 10, 11, 8, 9, 14, 15, 12, 13])  # left and right exchanged
    groups = thrust_groups(vehicle)
    levels = {(group.kind, group.axis): group.levels for group in groups}
    for kind, axis in [("ZTT", "x"), ("ZTT", "z"), ("FTG", "x"), ("FTG", "z"), ("FULL_TORQUE", "pitch")]:
        for sign in "+-":
            np.testing.assert_allclose(levels[kind, sign + axis][mirrored], levels[kind, sign + axis], atol=1e-6)
    for kind, axis in [("ZTT", "y"), ("FTG", "y"), ("FULL_TORQUE", "roll"), ("FULL_TORQUE", "yaw")]:
        np.testing.assert_allclose(levels[kind, "+" + axis][mirrored], levels[kind, "-" + axis], atol=1e-6)


def test_no_smaller_set_pushes_straight(vehicle: ThrusterArray) -> None:
    full = vehicle.effectiveness * vehicle.f_max / 260.0
    for group in [*thrust_groups(vehicle, torque_tolerance=0.0).ztt.values()]:
        for subset in itertools.combinations(range(16), len(group.thrusters) - 1):
            assert nnls(full[:, subset], axis_vector(group.axis))[1] > 1e-3


def test_a_group_keeps_the_power_limit(vehicle: ThrusterArray) -> None:
    for limit in (45e3, 22.5e3, 5e3):
        for group in thrust_groups(vehicle, power=limit):
            assert 0.0 < group.power <= limit * (1.0 + 1e-6)
            check(group, vehicle, np.ones(16))


def test_a_dead_thruster_leaves_its_groups(vehicle: ThrusterArray) -> None:
    for index in range(16):
        health = np.ones(16)
        health[index] = 0.0
        for group in thrust_groups(vehicle, health):
            assert index not in group.thrusters
            check(group, vehicle, health)


def test_a_lost_axis_has_no_group_but_a_reason(vehicle: ThrusterArray) -> None:
    health = np.ones(16)
    health[8:12] = 0.0
    groups = thrust_groups(vehicle, health)
    for group in (groups.ztt["-z"], groups.ftg["-z"]):
        assert group.thrusters == ()
        assert not group.levels.any()
        assert group.note == "no pure -z without thrusters 8, 9, 10, 11"
    assert groups.ztt["+z"].thrusters == (12, 13, 14, 15)


def test_an_axis_that_never_was_says_so() -> None:
    one = ThrusterArray([[-1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], 100.0)
    groups = thrust_groups(one)
    assert groups.ztt["+x"].thrusters == (0,)
    assert groups.ztt["-x"].note == "the thrusters give no pure -x"
    assert [group.name for group in groups if group.thrusters] == ["ZTT +x", "FTG +x"]


def test_the_tolerance_decides_about_a_small_offset(vehicle: ThrusterArray) -> None:
    shifted = vehicle.with_com((0.0, 0.01, 0.1))
    assert len(thrust_groups(shifted).ztt["+x"].thrusters) == 4
    strict = thrust_groups(shifted, torque_tolerance=0.0).ztt["+x"]
    assert len(strict.thrusters) > 4
    assert strict.parasitic_torque == pytest.approx(0.0, abs=1e-3)


def test_rows_name_every_group_and_missing_values(vehicle: ThrusterArray) -> None:
    health = np.ones(16)
    health[8:12] = 0.0
    rows = {row[0]: row for row in thrust_groups(vehicle, health).rows()}
    assert len(rows) == 24
    assert all(len(row) == len(COLUMNS) for row in rows.values())
    assert rows["ZTT +z"][:5] == ("ZTT +z", "12 13 14 15", "1.00 1.00 1.00 1.00", "622.3 N", "0.0 N m")
    assert rows["FTG -z"][1:6] == ("none", "N/A", "N/A", "N/A", "N/A")


@given(st.integers(1, 14), st.integers(0, 2**32 - 1), st.none() | st.floats(500.0, 50e3))
def test_groups_of_random_arrays(n: int, seed: int, power: float | None) -> None:
    generator = np.random.default_rng(seed)
    array = ThrusterArray(generator.normal(size=(n, 3)), generator.normal(size=(n, 3)), generator.uniform(10, 300, n))
    health = generator.choice([0.0, 0.6, 1.0], n, p=[0.1, 0.2, 0.7])
    groups = thrust_groups(array, health, power)
    for group in groups:
        if group.thrusters:
            check(group, array, health)
            assert power is None or group.power <= power * (1.0 + 1e-6)
        else:
            assert group.note
    for axis in TRANSLATIONS:
        if groups.ftg[axis].thrusters:
            assert groups.ztt[axis].thrusters
    for axis in ROTATIONS:
        if groups.full_torque[axis].thrusters:
            assert groups.torque[axis].thrusters


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"health": [1.0]}, r"health: shape \(1,\); allowed: \(16,\)"),
        ({"torque_tolerance": -1.0}, "torque_tolerance: -1.0; allowed: 0 to 1"),
        ({"power": -1.0}, "power: -1.0 W; allowed: finite, above 0 W"),
    ],
)
def test_refusals(vehicle: ThrusterArray, arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        thrust_groups(vehicle, **arguments)  # type: ignore[arg-type]


def test_the_tolerance_is_relative_to_the_vehicle(vehicle: ThrusterArray) -> None:
    """The same geometry at a thousandth of the thrust and a tenth of the size has the same groups."""
    small = ThrusterArray(vehicle.positions * 0.1, vehicle.directions, vehicle.f_max * 1e-3, com=vehicle.com * 0.1)
    for tolerance in (0.0, 0.074, 0.5):
        groups, scaled = (
            thrust_groups(vehicle, torque_tolerance=tolerance),
            thrust_groups(small, torque_tolerance=tolerance),
        )
        assert [group.thrusters for group in groups] == [group.thrusters for group in scaled]
