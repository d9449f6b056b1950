"""Allocation: exact, certified, inside all limits, for any geometry."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog, lsq_linear

from qiki_allocator import Allocator, Certificate, ConfigurationError, Limits, ThrusterArray
from qiki_allocator.allocation.certificate import exact_gap, gradient_gap, sharpened_gap, violation
from qiki_allocator.allocation.programs import Program

WATTS = 33.333
POLICIES = ["priority", "weighted"]


@pytest.fixture(scope="module")
def allocator(array):
    return Allocator(array, WATTS)


def scale_by_lp(array, bounds, wrench, power):
    """Largest s with s * wrench attainable."""
    n = len(array)
    objective = np.zeros(n + 1)
    objective[-1] = -1.0
    rows = np.append(np.full(n, WATTS), 0.0)[None]
    answer = linprog(
        objective,
        A_eq=np.hstack([array.effectiveness, -wrench[:, None]]),
        b_eq=np.zeros(6),
        A_ub=None if power is None else rows,
        b_ub=None if power is None else [power],
        bounds=[(0.0, limit) for limit in bounds] + [(0.0, 1e9)],
    )
    assert answer.status == 0
    return answer.x[-1]


def least_thrust_by_lp(array, bounds, wrench, power):
    answer = linprog(
        np.ones(len(array)),
        A_eq=array.effectiveness,
        b_eq=wrench,
        A_ub=None if power is None else np.full((1, len(array)), WATTS),
        b_ub=None if power is None else [power],
        bounds=[(0.0, limit) for limit in bounds],
    )
    return answer.fun if answer.status == 0 else None


def check_hard_limits(answer, array, bounds, power):
    assert (answer.forces >= 0.0).all()
    assert (answer.forces <= bounds).all()
    if power is not None:
        assert answer.power <= power * (1.0 + 1e-12)
    np.testing.assert_allclose(array.effectiveness @ answer.forces, answer.wrench, atol=1e-9)
    assert answer.certificate.holds()
    assert answer.fallback == ""


@pytest.mark.requirement("ALLOC-1", "ALLOC-2", "ALLOC-3", "ALLOC-4")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("unattainable", ["closest", "direction"])
def test_random_wrenches_against_linear_programs(array, policy, unattainable):
    rng = np.random.default_rng(7)
    allocator = Allocator(array, WATTS, policy, unattainable)
    attained = 0
    for case in range(150):
        wrench = rng.normal(size=6) * [300, 300, 300, 200, 200, 300] * rng.choice([1e-4, 0.3, 1.0, 3.0])
        bounds = array.f_max.copy()
        if case % 3 == 1:
            bounds[rng.integers(16, size=rng.integers(1, 4))] = 0.0
        elif case % 3 == 2:
            bounds *= rng.uniform(0.0, 1.0, 16)
        power = [45000.0, 22500.0, None][case % 3]
        answer = allocator.solve(wrench, Limits(power, bounds))
        check_hard_limits(answer, array, bounds, power)
        truth = scale_by_lp(array, bounds, wrench, power)
        assert answer.scale == pytest.approx(truth, rel=1e-9, abs=1e-9)
        assert answer.attainable == (truth >= 1.0)
        assert (answer.margin >= -1e-9) == answer.attainable
        if answer.attainable:
            attained += 1
            assert np.linalg.norm(answer.residual) <= 1e-6 * np.linalg.norm(wrench)
            assert answer.forces.sum() <= least_thrust_by_lp(array, bounds, wrench, power) * (1.0 + 1e-6)
        else:
            assert answer.binding
            if unattainable == "direction":
                np.testing.assert_allclose(answer.wrench, truth * wrench, atol=1e-6 * np.abs(wrench).max())
    assert attained > 30


@pytest.mark.requirement("ALLOC-4")
def test_priority_gives_the_best_torque_before_any_force(array):
    allocator = Allocator(array, WATTS, "priority")
    # Torque alone is attainable, with this force it is not.
    wrench = np.array([3000.0, 500.0, 0.0, 100.0, 150.0, 400.0])
    answer = allocator.solve(wrench)
    assert not answer.attainable
    np.testing.assert_allclose(answer.wrench[3:], wrench[3:], rtol=1e-6)
    # The torque is out of reach: no answer has a smaller torque error.
    wrench = np.array([100.0, 0.0, 0.0, 900.0, 0.0, 0.0])
    answer = allocator.solve(wrench)
    rows = allocator.per_reach[3:, None] * array.effectiveness[3:]
    best = lsq_linear(rows, allocator.per_reach[3:] * wrench[3:], bounds=(0.0, array.f_max), tol=1e-12)
    error = np.linalg.norm(allocator.per_reach[3:] * answer.residual[3:])
    assert error <= math.sqrt(2.0 * best.cost) * (1.0 + 1e-5)
    # And with force before torque the force comes first.
    swapped = Allocator(array, WATTS, "priority", order=("force", "torque")).solve([400.0, 0, 0, 900.0, 0, 0])
    assert swapped.wrench[0] == pytest.approx(400.0, rel=1e-6)


@pytest.mark.requirement("ALLOC-4")
def test_weighted_gives_the_closest_wrench(array):
    rng = np.random.default_rng(3)
    weights = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    allocator = Allocator(array, WATTS, "weighted", weights=weights)
    norm = weights * allocator.per_reach
    for _ in range(20):
        wrench = rng.normal(size=6) * 1500.0
        answer = allocator.solve(wrench)
        best = lsq_linear(
            norm[:, None] * array.effectiveness * array.f_max, norm * wrench, bounds=(0.0, 1.0), tol=1e-12
        )
        assert 0.5 * np.sum((norm * answer.residual) ** 2) <= best.cost * (1.0 + 1e-5)


def fault_sequence(array, seed, count):
    """Wrenches that creep and jump, bounds with dead and derated thrusters, power limits."""
    rng = np.random.default_rng(seed)
    wrench = rng.normal(size=6) * [300, 300, 300, 200, 250, 400]
    bounds, power = array.f_max.copy(), 45000.0
    for case in range(count):
        if case % 4 == 0:
            wrench = rng.normal(size=6) * [300, 300, 300, 200, 250, 400] * rng.choice([0.3, 1.0, 3.0])
        if case % 6 == 0:
            bounds = array.f_max * rng.choice([0.0, 0.5, 1.0], 16, p=[0.1, 0.1, 0.8])
            power = float(rng.uniform(1e4, 5e4))
        wrench = wrench * rng.uniform(0.97, 1.03, 6)
        yield wrench, bounds, power


def least_squares(rows, target, array, bounds, power):
    """Error of the closest row values, by another solver; the power row is an equality with one more unknown."""
    columns = rows * array.f_max
    scale = WATTS * array.f_max.max()
    heavy = 1e4 * np.append(WATTS * array.f_max / scale, 1.0)
    matrix = np.vstack([np.column_stack([columns, np.zeros(len(rows))]), heavy])
    right = np.append(target, 1e4 * power / scale)
    upper = np.append(np.maximum(bounds / array.f_max, 1e-12), 1e3)
    answer = lsq_linear(matrix, right, (0.0, upper), method="bvls", tol=1e-14, max_iter=500)
    return target - columns @ answer.x[:-1]


@pytest.mark.requirement("ALLOC-4")
@pytest.mark.parametrize("order", [("torque", "force"), ("force", "torque")])
def test_strict_priority_agrees_with_an_independent_solver(array, order):
    allocator = Allocator(array, WATTS, "priority", order=order)
    axes = {"force": slice(0, 3), "torque": slice(3, 6)}
    first, second = (axes[name] for name in order)
    beyond = partly = 0
    for wrench, bounds, power in fault_sequence(array, 21, 120):
        answer = allocator.solve(wrench, Limits(power, bounds))
        check_hard_limits(answer, array, bounds, power)
        if answer.attainable:
            continue
        rows, target = allocator.per_reach[:, None] * array.effectiveness, allocator.per_reach * wrench
        error = allocator.per_reach * answer.residual
        best = np.linalg.norm(least_squares(rows[first], target[first], array, bounds, power))
        assert np.linalg.norm(error[first]) <= best + 1e-6
        beyond, partly = beyond + (best > 1e-5), partly + (best <= 1e-5)
        # With a large weight on the first axes the other solver does the same in one.
        weights = np.ones(6)
        weights[first] = 300.0
        whole = least_squares(weights[:, None] * rows, weights * target, array, bounds, power) / weights
        assert np.linalg.norm(error[second]) == pytest.approx(np.linalg.norm(whole[second]), abs=2e-3)
    assert beyond > 10
    assert partly > 10


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("wrench", "bounds"),
    [
        ([-0.33, 0.24, -0.2, 0.19, -0.22, -0.78], {0: 130.0, 1: 0.0, 2: 0.0}),
        ([-1.12, 1.62, -3.37, -0.52, -0.09, -1.17], {0: 0.0, 2: 0.0, 10: 0.0}),
        ([-0.04, 0.79, 0.31, -0.15, -0.02, 0.3], {4: 0.0, 7: 0.0, 15: 0.0}),
    ],
)
def test_small_wrenches_that_faults_put_out_of_reach(array, policy, wrench, bounds):
    """The bounds are hundreds of times the wrench: the smallest curvature or cost spoils the proof."""
    left = array.f_max.copy()
    left[list(bounds)] = list(bounds.values())
    answer = Allocator(array, WATTS, policy).solve(wrench, Limits(45000.0, left))
    assert not answer.attainable
    check_hard_limits(answer, array, left, 45000.0)


def test_weighted_agrees_with_an_independent_solver(array):
    weights = np.array([1.0, 1.0, 2.0, 3.0, 1.0, 0.5])
    allocator = Allocator(array, WATTS, "weighted", weights=weights)
    norm = weights * allocator.per_reach
    judged = 0
    for wrench, bounds, power in fault_sequence(array, 22, 120):
        answer = allocator.solve(wrench, Limits(power, bounds))
        check_hard_limits(answer, array, bounds, power)
        if not answer.attainable:
            judged += 1
            best = np.linalg.norm(
                least_squares(norm[:, None] * array.effectiveness, norm * wrench, array, bounds, power)
            )
            assert np.linalg.norm(norm * answer.residual) <= best * (1.0 + 1e-5) + 1e-5
    assert judged > 20


def test_small_wrenches_are_not_under_delivered(array):
    for policy in POLICIES:
        allocator = Allocator(array, WATTS, policy)
        for size in (1e-6, 1e-3, 1.0):
            wrench = size * np.array([1.0, -2.0, 0.5, 0.3, 0.1, -1.0])
            answer = allocator.solve(wrench, Limits(45000.0))
            np.testing.assert_allclose(answer.wrench, wrench, atol=1e-6 * size)


def test_zero_wrench_and_no_thruster_alive(array):
    allocator = Allocator(array, WATTS)
    rest = allocator.solve(np.zeros(6), Limits(45000.0))
    assert rest.scale == math.inf
    assert rest.attainable
    assert not rest.forces.any()
    assert 0.0 < rest.margin < 1.0
    dead = allocator.solve([10.0, 0, 0, 0, 0, 0], Limits(45000.0, np.zeros(16)))
    assert not dead.forces.any()
    assert not dead.attainable
    assert dead.scale == 0.0
    assert dead.margin < 0.0
    assert any(name.startswith("dead:") for name in dead.binding)
    assert allocator.solve(np.zeros(6), Limits(45000.0, np.zeros(16))).margin == pytest.approx(0.0, abs=1e-9)


def test_binding_limits_have_names(array):
    allocator = Allocator(array, WATTS, unattainable="direction")
    names = tuple(f"heat:{cluster}" if cluster == "B" else "" for cluster in array.clusters)
    assert "power" in allocator.solve([0, 1e4, 0, 0, 0, 0], Limits(10000.0)).binding
    bounds = np.where(np.array(array.clusters) == "B", 50.0, array.f_max)
    pushed = allocator.solve([1e3, 0, 0, 0, 0, 0], Limits(None, bounds, names))
    assert "heat:B" in pushed.binding
    assert "power" not in pushed.binding
    closest = Allocator(array, WATTS).solve([0, 1e4, 0, 0, 0, 0], Limits(10000.0))
    assert "power" in closest.binding
    assert Allocator(array, WATTS).solve([50.0, 0, 0, 0, 0, 0], Limits(45000.0)).binding == ()


def test_moving_the_centre_of_mass_is_the_same_as_starting_with_it(array):
    moved = Allocator(array, WATTS)
    moved.move((0.05, -0.1, 0.3))
    fresh = Allocator(array.with_com((0.05, -0.1, 0.3)), WATTS)
    rng = np.random.default_rng(5)
    for _ in range(20):
        wrench = rng.normal(size=6) * 300.0
        one, two = moved.solve(wrench, Limits(45000.0)), fresh.solve(wrench, Limits(45000.0))
        assert one.scale == pytest.approx(two.scale, rel=1e-9)
        assert one.margin == pytest.approx(two.margin, rel=1e-6, abs=1e-9)
        np.testing.assert_allclose(one.forces, two.forces, atol=1e-4)


def test_answers_do_not_depend_on_what_was_solved_before(array):
    rng = np.random.default_rng(11)
    used = Allocator(array, WATTS)
    for _ in range(15):
        wrench = rng.normal(size=6) * rng.choice([50.0, 400.0, 2000.0])
        bounds = array.f_max * rng.uniform(0.0, 1.0, 16)
        limits = Limits(float(rng.uniform(5e3, 5e4)), bounds)
        np.testing.assert_allclose(
            used.solve(wrench, limits).wrench, Allocator(array, WATTS).solve(wrench, limits).wrench, atol=1e-4
        )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("n", [8, 30])
def test_an_axis_that_nothing_reaches(policy, n):
    """All thrusters in a plane, few and too many for facets."""
    angles = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
    pushed = angles + np.where(np.arange(n) % 2, 2.0, -2.0)
    array = ThrusterArray(
        np.column_stack([np.cos(angles), np.sin(angles), np.zeros(n)]),
        np.column_stack([np.cos(pushed), np.sin(pushed), np.zeros(n)]),
        10.0,
    )
    allocator = Allocator(array, WATTS, policy)
    for wrench, attainable in (
        ([0, 0, 5.0, 0, 0, 0], False),
        ([4.0, 0, 5.0, 0, 0, 0], False),
        ([0, 0, 0, 1.0, 0, 0], False),
        ([4.0, 3.0, 0, 0, 0, 1.0], True),
    ):
        answer = allocator.solve(wrench, Limits(1e5))
        assert answer.attainable == attainable
        assert answer.certificate.holds()
        assert answer.fallback == ""
        if attainable:
            np.testing.assert_allclose(answer.wrench, wrench, atol=1e-6)
        else:
            assert answer.scale == pytest.approx(0.0, abs=1e-9)
            np.testing.assert_allclose(answer.wrench[:2], wrench[:2], atol=1e-2)


@pytest.mark.parametrize(
    ("wrench", "limits", "text"),
    [
        ([0, 0, math.nan, 0, 0, 0], None, "force.z: nan N; allowed: finite"),
        ([0, 0, 0, 0, math.inf, 0], None, "torque.y: inf N m; allowed: finite"),
        ([1e12, 0, 0, 0, 0, 0], None, "force.x: 1000000000000.0 N; allowed"),
        ([0, 0, 0], None, r"wrench: shape \(3,\); allowed: \(6,\)"),
        ([0] * 6, Limits(-1.0), "power: -1.0 W; allowed"),
        ([0] * 6, Limits(math.nan), "power: nan W; allowed"),
        ([0] * 6, Limits(None, [1.0]), r"bounds: shape \(1,\); allowed: \(16,\)"),
        ([0] * 6, Limits(None, [-1.0] + [0.0] * 15), r"bounds\[0\]: -1.0 N; allowed"),
        ([0] * 6, Limits(None, None, ("a",)), "names: 1; allowed: 16"),
    ],
)
def test_bad_input_is_refused_and_loses_nothing(array, wrench, limits, text):
    allocator = Allocator(array, WATTS)
    with pytest.raises(ValueError, match=text):
        allocator.solve(wrench, limits)
    assert allocator.solve([100.0, 0, 0, 0, 0, 0]).wrench[0] == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"policy": "best"}, "policy: 'best'; allowed: one of priority, weighted"),
        ({"unattainable": "x"}, "unattainable: 'x'; allowed"),
        ({"weights": [1, 2]}, r"weights: \[1, 2\]; allowed"),
        ({"weights": [0.0] * 6}, r"weights\[0\]: 0.0; allowed"),
        ({"watts_per_newton": -1.0}, r"watts_per_newton\[0\]: -1.0; allowed"),
        ({"order": ("force",)}, "order: "),
    ],
)
def test_bad_configuration_is_refused(array, arguments, text):
    with pytest.raises(ConfigurationError, match=text):
        Allocator(array, **arguments)


coordinate = st.floats(-2.0, 2.0).map(lambda value: round(value, 3))
vector = st.tuples(coordinate, coordinate, coordinate)


@st.composite
def arrays(draw):
    """Any geometry: one thruster, all in a plane, all alike, two on one line, ..."""
    n = draw(st.integers(1, 9))
    directions = draw(st.lists(vector.filter(lambda v: np.linalg.norm(v) > 0.1), min_size=n, max_size=n))
    positions = draw(st.lists(vector, min_size=n, max_size=n))
    if draw(st.booleans()):
        positions = [(x, y, 0.0) for x, y, _ in positions]
        directions = [(x, y, 0.0) if abs(x) + abs(y) > 0.1 else (1.0, 0.0, 0.0) for x, y, _ in directions]
    f_max = draw(st.lists(st.floats(1.0, 500.0), min_size=n, max_size=n))
    return ThrusterArray(positions, directions, f_max, com=draw(vector))


@pytest.mark.requirement("ALLOC-1", "ALLOC-2", "ALLOC-3")
@given(
    array=arrays(),
    policy=st.sampled_from(POLICIES),
    unattainable=st.sampled_from(["closest", "direction"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_geometry(array, policy, unattainable, seed):
    rng = np.random.default_rng(seed)
    allocator = Allocator(array, WATTS, policy, unattainable)
    n = len(array)
    for _ in range(4):
        if rng.random() < 0.5:
            wrench = rng.normal(size=6) * 300.0
        else:
            wrench = array.effectiveness @ (rng.uniform(0.0, 1.2, n) * array.f_max)
        bounds = array.f_max * rng.choice([0.0, 0.3, 1.0], n)
        power = None if rng.random() < 0.3 else float(rng.uniform(0.0, 1.2) * WATTS * array.f_max.sum())
        answer = allocator.solve(wrench, Limits(power, bounds))
        assert (answer.forces >= 0.0).all()
        assert (answer.forces <= bounds).all()
        if power is not None:
            assert answer.power <= power * (1.0 + 1e-12)
        assert answer.certificate.holds()
        assert (answer.margin >= -1e-7) == (answer.scale >= 1.0 - 1e-7)
        if answer.attainable:
            assert np.linalg.norm(answer.residual) <= 1e-5 * np.linalg.norm(wrench)
            least = least_thrust_by_lp(array, bounds, wrench, power)
            if least is not None:
                assert answer.forces.sum() <= least * (1.0 + 1e-3) + 1e-6
        elif unattainable == "direction" and allocator.keeps_direction:
            np.testing.assert_allclose(answer.wrench, answer.scale * wrench, atol=1e-5 * np.abs(wrench).max())


@pytest.mark.requirement("ALLOC-3")
@given(seed=st.integers(0, 2**32 - 1))
def test_margin_and_scale_grow_with_the_limits(array, allocator, seed):
    rng = np.random.default_rng(seed)
    wrench = rng.normal(size=6) * 300.0
    bounds = array.f_max * rng.uniform(0.0, 1.0, 16)
    more = np.minimum(bounds * rng.uniform(1.0, 2.0, 16), array.f_max)
    power = float(rng.uniform(1e3, 6e4))
    small = allocator.solve(wrench, Limits(power, bounds))
    for limits in (Limits(power, more), Limits(power * 1.5, bounds), Limits(None, bounds), Limits(power * 1.1, more)):
        large = allocator.solve(wrench, limits)
        assert large.margin >= small.margin - 1e-9
        assert large.scale >= small.scale * (1.0 - 1e-9)


@pytest.mark.requirement("ALLOC-3")
@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_inside_the_margin_is_unattainable(array, allocator, seed):
    """A facet is where the attainable set ends, not before and not after."""
    rng = np.random.default_rng(seed)
    limits = Limits(float(rng.uniform(1e4, 6e4)), array.f_max * rng.choice([0.0, 0.5, 1.0], 16, p=[0.1, 0.2, 0.7]))
    wrench = rng.normal(size=6) * 300.0
    scale = allocator.solve(wrench, limits).scale
    assume(scale > 1e-6)
    inside = allocator.solve(wrench * scale * (1.0 - 1e-6), limits)
    outside = allocator.solve(wrench * scale * (1.0 + 1e-6), limits)
    assert inside.attainable
    assert np.linalg.norm(inside.residual) <= 1e-6 * np.linalg.norm(wrench * scale)
    assert not outside.attainable
    assert np.linalg.norm(outside.residual) > 0.0


def test_limits_changed_in_place_are_noticed(array):
    bounds = array.f_max.copy()
    limits = Limits(45000.0, bounds)
    allocator = Allocator(array, WATTS)
    wrench = [400.0, 0, 0, 0, 0, 0]
    assert allocator.solve(wrench, limits).attainable
    bounds[4:8] = 0.0
    answer = allocator.solve(wrench, limits)
    assert not answer.attainable
    assert not answer.forces[4:8].any()
    assert allocator.solve(wrench, Limits(45000.0)).attainable
    assert not allocator.solve(wrench, Limits(10000.0)).attainable


def test_margin_where_thrusters_do_not_push_to_all_sides():
    """One thruster: half of its line is out of reach, and rest is on the edge of what it can give."""
    allocator = Allocator(ThrusterArray([[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], 100.0), WATTS)
    for force, attainable in ((50.0, True), (100.0, True), (101.0, False), (-1.0, False)):
        answer = allocator.solve([force, 0, 0, 0, 0, 0])
        assert answer.attainable == attainable
        assert (answer.margin >= -1e-12) == attainable
    assert allocator.solve([50.0, 0, 0, 0, 0, 0]).margin == pytest.approx(0.5)
    assert allocator.solve([0.0] * 6).margin == pytest.approx(0.0)


def limited_box(rng, n=8):
    """Upper bounds and power of unknowns, and a power limit, some of each 0."""
    upper = rng.uniform(0.0, 2.0, n) * rng.choice([0.0, 1.0], n, p=[0.2, 0.8])
    power = rng.uniform(0.0, 1.0, n) * rng.choice([0.0, 1.0], n, p=[0.2, 0.8])
    return upper, power, float(rng.uniform(0.0, 1.2) * power @ upper)


def largest(gain, upper, power, limit, *, rows=None, right=None):
    bounds = np.column_stack([np.zeros(len(upper)), upper])
    answer = linprog(-gain, A_ub=power[None], b_ub=[limit], A_eq=rows, b_eq=right, bounds=bounds)
    assert answer.status == 0
    return -answer.fun


@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_by_duality_hold_for_any_multipliers(seed):
    """No multipliers, however wrong, prove an answer better than it is."""
    rng = np.random.default_rng(seed)
    upper, power, limit = limited_box(rng)
    x = upper * rng.uniform(0.0, 1.0, 8)
    x *= min(1.0, limit / max(power @ x, 1e-12))
    rows = rng.normal(size=(2, 8))
    stacked = np.vstack([power, rows])
    multipliers = rng.normal(size=3)
    gradient = rng.normal(size=8)
    gain = largest(-gradient, upper, power, limit, rows=rows, right=rows @ x) + gradient @ x
    with_gradient = np.vstack([stacked, gradient])
    for coefficients in ([*multipliers, 1.0], [0.0, 0.0, 0.0, 1.0]):
        bound = gradient_gap(x, np.array(coefficients), with_gradient, upper=upper, limit=limit)
        assert bound >= gain - 1e-9
    # Half the squared error of two rows, against any other forces.
    target = rng.normal(size=2)
    error = rows @ x - target
    bound = sharpened_gap(x, np.array([multipliers[0], *error]), stacked, 1, upper=upper, limit=limit)
    for _ in range(20):
        other = upper * rng.uniform(0.0, 1.0, 8)
        other *= min(1.0, limit / max(power @ other, 1e-12))
        assert bound >= 0.5 * error @ error - 0.5 * np.sum((rows @ other - target) ** 2) - 1e-9
    cost = rng.uniform(0.5, 1.0, 8)
    least = -largest(-cost, upper, power, limit, rows=rows, right=rows @ x)
    used = float(cost @ x)
    right = np.append(limit, rows @ x)
    bound = exact_gap(used, cost, stacked, right, multipliers=multipliers.copy(), upper=upper)
    assert bound * max(used, 1e-9) >= used - least - 1e-9


@pytest.mark.requirement("ALLOC-2")
@pytest.mark.parametrize(
    ("forces", "power", "expected"),
    [
        ([0.0, 1.0, 2.0], 10.0, 0.0),
        ([0.0, 1.0, 2.5], 10.0, 0.125),
        ([-0.4, 1.0, 2.0], 10.0, 0.1),
        ([0.0, 1.0, 2.0], 11.0, 0.1),
        ([0.0, math.nan, 9.0], 10.0, math.nan),
    ],
)
def test_violations_are_found(forces, power, expected):
    bounds = np.array([1.0, 1.0, 2.0])
    found = violation(np.array(forces), bounds, np.full(3, 4.0), power=power, limit=10.0)
    assert found == pytest.approx(expected, nan_ok=True)
    assert not Certificate(math.nan, 0.0).holds()
    assert not Certificate(0.0, math.nan).holds()


@pytest.mark.requirement("ALLOC-2")
@pytest.mark.parametrize("policy", POLICIES)
def test_answers_whose_proof_fails_are_not_flown(array, policy):
    """A solver that returns rubbish, and says that it is well."""
    wrench = [400.0, 0, 0, 0, 0, 0]
    out_of_reach = [4000.0, 0, 0, 0, 0, 100.0]
    for rubbish in (np.full(16, 0.1), np.zeros(16), np.full(16, math.nan)):
        for is_all_broken in (False, True):
            allocator = Allocator(array, WATTS, policy)
            broken = [allocator._exact, *allocator._choices._splits.values()]
            if is_all_broken:
                broken.append(allocator._closest)
            for way in broken:
                for name, program in vars(way).items():
                    if isinstance(program, Program):
                        setattr(way, name, Rubbish(program, rubbish))
            for commanded in (wrench, out_of_reach):
                answer = allocator.solve(commanded, Limits(45000.0))
                assert answer.fallback in {"weighted", "zero", ""}
                if is_all_broken:
                    assert answer.fallback == "zero"
                    assert not answer.forces.any()
                    assert not answer.certificate.holds()
                else:
                    assert answer.certificate.holds()
                    assert answer.wrench[0] > 300.0


class Rubbish:
    def __init__(self, program, x):
        self._program, self._x = program, x
        self.rows = program.rows

    def solve(self, *args):
        return self._program.solve(*args)._replace(x=self._x.copy())

    def ask_more(self, *args):
        return self._program.ask_more(*args)._replace(x=self._x.copy())

    def step(self, _x, *args):
        return self._program.step(np.zeros(16), *args)._replace(x=self._x.copy())
