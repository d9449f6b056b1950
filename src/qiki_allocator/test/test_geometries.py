"""Allocation beyond the own bot: degenerate and faulty geometries, mounting tolerances, many thrusters.

The oracle is scipy's linear programming on wrenches measured by the strongest axis of force and of torque.
"""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, lsq_linear

from qiki_allocator import Allocator, Limits, ThrusterArray
from qiki_allocator.allocation.attainable import AttainableSet
from qiki_allocator.allocation.ray import RaySet
from qiki_allocator.allocation.spans import WEAK, are_surely_strong, strong_and_weak

WATTS = 33.333
seeds = st.integers(0, 2**32 - 1)
IS_LONG = settings().max_examples > 100
many = settings(max_examples=10_000 if IS_LONG else 25)
WAYS = [("priority", "closest"), ("weighted", "closest"), ("priority", "direction")]


def sizes(array):
    """(6,) largest reach of force and of torque."""
    reach = np.linalg.norm(array.effectiveness * array.f_max, axis=1)
    torque = reach[3:].max()
    return np.repeat([reach[:3].max(), torque if torque > 1e-9 * reach.max() else reach.max()], 3)


def scale_by_lp(array, bounds, wrench, power):
    """Largest s with s * wrench attainable, to a tolerance of 1e-10 for a wrench as large as an axis."""
    unit, n = sizes(array), len(array)
    size = np.linalg.norm(wrench / unit)
    strongest = WATTS * array.f_max.max()
    answer = linprog(
        np.append(np.zeros(n), -1.0),
        A_eq=np.column_stack([array.effectiveness * array.f_max / unit[:, None], -wrench / unit / size]),
        b_eq=np.zeros(6),
        A_ub=None if power is None else np.append(array.f_max * WATTS / strongest, 0.0)[None],
        b_ub=None if power is None else [power / strongest],
        bounds=[(0.0, share) for share in bounds / array.f_max] + [(0.0, None)],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return answer.x[-1] / size if answer.status == 0 else math.nan


def rotated(rng, array):
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return ThrusterArray(array.positions @ turn.T, array.directions @ turn.T, array.f_max, com=turn @ array.com)


def degenerate(rng, kind):
    """Thrusters of a kind of geometry, 4 to 16, of equal or different strength, often turned."""
    n = int(rng.integers(4, 17))
    positions, directions = rng.uniform(-1.0, 1.0, (n, 3)), rng.normal(size=(n, 3))
    tolerance = 10.0 ** rng.uniform(-7.0, -1.0) * rng.normal(size=(n, 3))
    if kind.endswith("planar"):
        positions[:, 2] = directions[:, 2] = 0.0
    elif kind.endswith("parallel"):
        directions[:] = rng.choice([-1.0, 1.0], (n, 1)) * np.array([1.0, 0.0, 0.0])
    elif kind == "collinear":
        positions[:, 1:] = 0.0
    elif kind == "duplicate":
        twin = rng.integers(0, n // 2, n - n // 2)
        positions[n // 2 :], directions[n // 2 :] = positions[twin], directions[twin]
    elif kind.endswith("zero-lever"):
        positions[:] = rng.uniform(0.0, 1.0, (n, 1)) * directions
    if kind.startswith("nearly"):
        directions += tolerance
    com = np.zeros(3) if kind.endswith("zero-lever") else rng.uniform(-0.2, 0.2, 3)
    strength = rng.choice([1.0, 100.0]) * (np.ones(n) if rng.random() < 0.5 else rng.uniform(0.2, 1.0, n))
    array = ThrusterArray(positions, directions, strength, com=com)
    return rotated(rng, array) if rng.random() < 0.3 else array


KINDS = [
    *("planar", "parallel", "collinear", "duplicate", "zero-lever", "random"),
    *("nearly planar", "nearly parallel", "nearly zero-lever"),
]


@pytest.mark.requirement("ALLOC-1", "ALLOC-14")
@many
@given(kind=st.sampled_from(KINDS), way=st.sampled_from(WAYS), seed=seeds)
@example(kind="nearly parallel", way=("weighted", "direction"), seed=2502974992)  # 5 thrusters, one dead: 4 of rank 5
def test_no_attainable_wrench_is_lost_in_degenerate_geometries(kind, way, seed):
    rng = np.random.default_rng(seed)
    array = degenerate(rng, kind)
    n = len(array)
    bounds = array.f_max.copy()
    if rng.random() < 0.4:
        bounds[rng.choice(n, rng.integers(1, n // 2 + 1), replace=False)] = 0.0
    forces = rng.uniform(0.0, 0.9, n) * bounds * 10.0 ** rng.uniform(-6.0, 0.0) * (rng.random(n) < rng.choice([0.3, 1]))
    wrench = array.effectiveness @ forces
    power = None if rng.random() < 0.5 else float(rng.uniform(1.1, 3.0) * WATTS * forces.sum() + 1e-6)
    unit = sizes(array)
    whole = np.linalg.norm(wrench / unit)
    if whole <= 1e-9:
        return
    allocator = Allocator(array, WATTS, *way)
    answer = allocator.solve(wrench, Limits(power, bounds))
    assert answer.fallback == ""
    assert answer.certificate.holds()
    # In the allocator's own units: torques of levers that are nearly zero are measured by force times distance.
    missed, wanted = (answer.wrench - wrench) * allocator.per_reach, wrench * allocator.per_reach
    assert np.linalg.norm(missed) <= 1e-5 * np.linalg.norm(wanted)
    # Where the linear program finds it in reach within its own tolerance.
    if scale_by_lp(array, bounds, wrench, power) >= 1.0 + 1e-5:
        assert answer.attainable
        assert answer.forces.sum() <= forces.sum() * (1.0 + 1e-3)


@pytest.fixture(scope="module")
def allocators(array):
    return {way: Allocator(array, WATTS, *way) for way in WAYS}


@pytest.mark.requirement("ALLOC-2", "ALLOC-14")
@many
@given(way=st.sampled_from(WAYS), seed=seeds)
def test_small_wrenches_with_many_dead_thrusters_do_not_fall_back(array, allocators, way, seed):
    rng = np.random.default_rng(seed)
    bounds = array.f_max.copy()
    bounds[rng.choice(16, rng.integers(4, 9), replace=False)] = 0.0
    wrench = rng.normal(size=6) * 10.0 ** rng.uniform(-4.0, 2.0)
    answer = allocators[way].solve(wrench, Limits(45000.0, bounds))
    assert answer.fallback == ""
    assert answer.certificate.holds()
    truth = scale_by_lp(array, bounds, wrench, 45000.0)
    assert answer.scale == pytest.approx(truth, rel=1e-6, abs=1e-6)
    if way[1] == "direction":
        np.testing.assert_allclose(answer.wrench, min(answer.scale, 1.0) * wrench, atol=1e-6 * np.abs(wrench).max())
    elif way[0] == "priority" and "power" not in answer.binding:
        # No forces within the bounds have less torque error, within what the certificate allows.
        scaled = allocators[way].per_reach
        target = scaled * wrench
        size = np.linalg.norm(target)
        rows = scaled[3:, None] * array.effectiveness[3:] * bounds
        least = 2.0 * lsq_linear(rows, target[3:], (0.0, 1.0), method="bvls").cost
        assert np.linalg.norm(scaled[3:] * answer.residual[3:]) ** 2 <= least + 1e-3 * size**2


def planar(tilt, seed):
    """Eight planar nozzles, mounted with a tolerance (degrees)."""
    s = 0.12
    positions = [(-s, -s), (s, -s), (-s, s), (s, s), (s, -s), (s, s), (-s, -s), (-s, s)]
    directions = [(1, 0), (-1, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (0, 1), (0, -1)]
    exact = np.column_stack([np.array(directions, dtype=float), np.zeros(8)])
    error = np.tan(np.radians(tilt)) * np.random.default_rng(seed).uniform(-1.0, 1.0, (8, 3))
    return ThrusterArray(np.column_stack([positions, np.zeros(8)]), exact + error, 1.4)


@pytest.mark.requirement("ALLOC-4", "ALLOC-15")
@given(tilt=st.sampled_from([0.0, 1e-7, 1e-4, 0.01, 0.1, 0.5, 1.0, 2.0]), way=st.sampled_from(WAYS), seed=seeds)
def test_axes_of_very_little_authority_do_not_take_the_others_with_them(tilt, way, seed):
    """In any orientation, so that the weak directions lie between the axes."""
    rng = np.random.default_rng(seed)
    straight = planar(tilt, seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0] if rng.random() < 0.7 else np.eye(3)
    turn *= np.linalg.det(turn)
    array = ThrusterArray(straight.positions @ turn.T, straight.directions @ turn.T, 1.4)
    allocator = Allocator(array, WATTS, *way)
    for force, torque in (([1.5, 0, 0], 0.0), ([0, -1.5, 0], 0.0), ([0.7, 0.7, 0], 0.1), ([0, 0, 0], 0.2)):
        wrench = np.concatenate([turn @ force, turn @ [0.0, 0.0, torque]])
        answer = allocator.solve(wrench)
        assert answer.fallback == ""
        # The tolerance leaves up to 0.035 of each force across; what is wanted is given to about its square.
        error = answer.wrench - wrench
        size = max(np.linalg.norm(force), torque / 0.12)
        in_frame = np.concatenate([turn.T @ error[:3], turn.T @ error[3:] / 0.12]) / size
        assert np.abs(in_frame[[0, 1, 5]]).max() <= 5e-3
        assert np.abs(in_frame).max() <= 0.1


def test_a_strong_engine_makes_no_axis_weak():
    """400 N along x beside nozzles of 10 N: y, z and the torques keep their units and their priority."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    along_y, along_z = np.diag([0.0, 1.0, 0.0]), np.diag([0.0, 0.0, 1.0])
    nozzles = np.vstack([-corners @ along_y, -corners @ along_z])
    array = ThrusterArray(
        np.vstack([[-2.0, 0.0, 0.0], corners, corners]), np.vstack([[1, 0, 0], nozzles]), [400.0] + [10.0] * 16
    )
    allocator = Allocator(array, WATTS)
    assert allocator.keeps_direction
    answer = allocator.solve([800.0, 15.0, 0, 0, 0, 8.0])
    np.testing.assert_allclose(answer.wrench, [400.0, 15.0, 0, 0, 0, 8.0], atol=1e-2)


def docked(array):
    """Two bots, one turned half round about x and docked on top of the other."""
    half_turn = np.diag([1.0, -1.0, -1.0])
    return ThrusterArray(
        np.vstack([array.positions, array.positions @ half_turn + [0.0, 0.0, 2.4]]),
        np.vstack([array.directions, array.directions @ half_turn]),
        np.tile(array.f_max, 2),
        com=(0.0, 0.0, 1.2),
    )


def pair_of_twelve():
    """Two small bots of twelve nozzles each, side by side."""
    u = 0.0254
    one = [[6, 4.01, -1.56], [-6, 4.01, 1.56], [2.83, 6, 2.83], [-2.83, 6, -2.83], [-2.66, 4.01, 6], [2.66, 4.01, -6]]
    two = [[-6, -4.01, -1.56], [6, -4.01, 1.56], [-2.83, -6, 2.83], [2.83, -6, -2.83], [2.66, -4.01, 6]]
    positions = u * np.array([*one, *two, [-2.66, -4.01, -6]])
    x, y, z = np.eye(3)
    directions = -np.array([x, -x, y, y, z, -z, -x, x, -y, -y, z, -z])
    half_turn, apart = np.diag([-1.0, -1.0, 1.0]), np.array([0.165, 0.0, 0.0])
    return ThrusterArray(
        np.vstack([positions - apart, positions @ half_turn + apart]),
        np.vstack([directions, directions @ half_turn]),
        0.3,
    )


@pytest.fixture(scope="module")
def large(array):
    rng = np.random.default_rng(2)
    scattered = ThrusterArray(rng.normal(size=(28, 3)), rng.normal(size=(28, 3)), rng.uniform(20.0, 100.0, 28))
    arrays = {"docked": docked(array), "pair": pair_of_twelve(), "scattered": scattered}
    return {name: (one, {way: Allocator(one, WATTS, *way) for way in WAYS}) for name, one in arrays.items()}


def hard_case(rng, array):
    """Wrench, bounds with up to a third of the thrusters dead, power limit or None."""
    bounds = array.f_max.copy()
    if rng.random() < 0.6:
        bounds[rng.choice(len(array), rng.integers(1, len(array) // 3), replace=False)] = 0.0
    power = None if rng.random() < 0.6 else float(rng.uniform(0.1, 0.6) * WATTS * array.f_max.sum())
    wrench = rng.normal(size=6) * np.linalg.norm(array.effectiveness * array.f_max, axis=1) * rng.uniform(0.02, 1.5)
    return wrench * rng.choice([1e-3, 1.0]), bounds, power


@pytest.mark.requirement("ALLOC-3", "ALLOC-4", "ALLOC-16")
@many
@given(name=st.sampled_from(["docked", "pair", "scattered"]), way=st.sampled_from(WAYS), seed=seeds)
def test_more_than_21_thrusters(large, name, way, seed):
    array, allocators = large[name]
    wrench, bounds, power = hard_case(np.random.default_rng(seed), array)
    answer = allocators[way].solve(wrench, Limits(power, bounds))
    truth = scale_by_lp(array, bounds, wrench, power)
    assert answer.fallback == ""
    assert answer.certificate.holds()
    assert truth * (1.0 - 1e-5) - 1e-8 <= answer.scale <= truth * (1.0 + 1e-9) + 1e-9
    assert not math.isnan(answer.margin)
    assert (answer.margin < 0.0) == (not answer.attainable)
    unit = sizes(array)
    given_, wanted = answer.wrench / unit, wrench / unit
    if answer.attainable:
        np.testing.assert_allclose(given_, wanted, atol=1e-6 * np.linalg.norm(wanted))
    elif way[1] == "direction" and answer.scale > 1e-6:
        assert given_ @ wanted >= (1.0 - 1e-9) * np.linalg.norm(given_) * np.linalg.norm(wanted)
        assert np.linalg.norm(given_) == pytest.approx(answer.scale * np.linalg.norm(wanted), rel=2e-6)


@pytest.mark.requirement("ALLOC-3", "ALLOC-16")
@given(seed=seeds)
def test_the_margin_without_facets_is_a_lower_bound(array, attainable_sets, seed):
    rng = np.random.default_rng(seed)
    wrench, bounds, power = hard_case(rng, array)
    bounds *= rng.choice([1.0, 0.7], 16)
    exact, bound = attainable_sets
    results = []
    for found in (exact, bound):
        found.limit(bounds / array.f_max, math.inf if power is None else power)
        results.append(found.scale_and_margin(wrench)[:2])
    (scale, margin), (low_scale, low_margin) = results
    assert low_scale == pytest.approx(scale, rel=1e-6, abs=1e-8)
    assert low_scale <= scale * (1.0 + 1e-9) + 1e-12
    assert low_margin <= margin + 1e-7
    # At rest with everything alive it is exact.
    whole = bound
    whole.limit(np.ones(16), math.inf)
    assert whole.scale_and_margin(np.zeros(6))[1] == pytest.approx(1.0)


@pytest.fixture(scope="module")
def attainable_sets(array):
    watts = np.full(16, WATTS)
    return AttainableSet(array, watts), RaySet(array, watts)


@pytest.mark.requirement("ALLOC-4", "ALLOC-16")
@many
@given(n=st.integers(22, 40), seed=seeds)
def test_any_large_array_keeps_the_direction_up_to_the_edge(n, seed):
    """Also a hair's breadth inside and outside the edge, where little room and slight slopes are left."""
    rng = np.random.default_rng(seed)
    array = ThrusterArray(rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), rng.uniform(20.0, 100.0, n))
    allocator = Allocator(array, WATTS, unattainable="direction")
    wrench, bounds, power = hard_case(rng, array)
    limits = Limits(power, bounds)
    scale = allocator.solve(wrench, limits).scale
    if not 1e-6 < scale < math.inf:
        return
    truth = scale_by_lp(array, bounds, wrench, power)
    assert truth * (1.0 - 1e-6) <= scale <= truth * (1.0 + 1e-9)
    for factor in (1.0, 1.0 + 10.0 ** rng.uniform(-12.0, -3.0), 1.0 - 10.0 ** rng.uniform(-12.0, -3.0), 2.0):
        wanted = factor * scale * wrench
        answer = allocator.solve(wanted, limits)
        assert answer.fallback == ""
        assert answer.scale == pytest.approx(1.0 / factor, rel=1e-6)
        given_, wanted = answer.wrench / sizes(array), wanted / sizes(array)
        assert given_ @ wanted >= (1.0 - 1e-9) * np.linalg.norm(given_) * np.linalg.norm(wanted)
        assert np.linalg.norm(given_) == pytest.approx(min(answer.scale, 1.0) * np.linalg.norm(wanted), rel=2e-6)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.requirement("ALLOC-16")
def test_ten_thousand_random_wrenches_of_docked_bots_do_not_fall_back(large):
    array, allocators = large["docked"]
    rng = np.random.default_rng(4)
    for _ in range(10_000):
        wrench, bounds, power = hard_case(rng, array)
        for allocator in allocators.values():
            assert allocator.solve(wrench, Limits(power, bounds)).fallback == ""


@pytest.mark.requirement("ALLOC-1")
def test_a_pure_force_uses_no_thruster_that_the_least_thrust_does_without():
    """Only nozzles that some cheapest answer uses are opened; a tiny wrench is given, a zero one opens none."""
    array = pair_of_twelve()
    for one in (ThrusterArray(array.positions[:12] + np.array([0.165, 0.0, 0.0]), array.directions[:12], 0.3), array):
        allocator = Allocator(one, WATTS)
        for axis in range(3):
            wrench = 0.2 * np.eye(6)[axis]
            answer = allocator.solve(wrench)
            across = np.abs(one.directions[:, axis]) < 0.5
            assert answer.attainable
            assert answer.forces.sum() == pytest.approx(0.2, rel=1e-5)
            assert (answer.forces[across] <= 1e-6).all()
        assert allocator.solve([1e-9, 0, 0, 0, 0, 0]).wrench[0] == pytest.approx(1e-9, rel=1e-5)
        assert not allocator.solve(np.zeros(6)).forces.any()


@given(seed=seeds)
def test_the_quick_look_for_weak_directions_claims_no_more_than_the_thorough_one(seed):
    rng = np.random.default_rng(seed)
    gains = rng.normal(size=(3, 12)) * 10.0 ** rng.uniform(-2.0, 0.0, (3, 1))
    alive = rng.random(12) < 0.6
    strong, _ = strong_and_weak(gains, alive, np.ones(3))
    if are_surely_strong(gains, alive):
        assert len(strong) == 3
    elif len(strong) == 3:
        # Undecided only within the factor of three that a sum of squares may exceed its largest term by.
        assert np.linalg.svd(gains * alive)[1][2] <= math.sqrt(3.0) * WEAK * np.linalg.norm(gains, 2) * (1.0 + 1e-9)
