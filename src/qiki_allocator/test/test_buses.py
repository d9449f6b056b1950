"""Thrusters on several power buses: each limit holds, and answers are as exact and as proven as with one."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from qiki_allocator import Allocator, ConfigurationError, ImpulseBit, Limits, PulseWidth, Pwpf, ThrusterArray
from qiki_vehicle import MassProperties, Pose, combined

WATTS = 33.333
LIMIT = 45000.0


def stacked(vehicle, array, count):
    """A chain of bots along z, about the common centre of mass."""
    poses = [Pose(np.array([0.0, 0.0, 2.4 * i])) for i in range(count)]
    body = combined([(MassProperties.of(vehicle.body), pose) for pose in poses])
    positions = np.vstack([array.positions + pose.position for pose in poses])
    directions, f_max = np.tile(array.directions, (count, 1)), np.tile(array.f_max, count)
    return ThrusterArray(positions, directions, f_max, com=body.com), body


@pytest.fixture(scope="module", params=[2, 3], ids=["32 thrusters", "48 thrusters"])
def chain(request, vehicle, array):
    whole, _ = stacked(vehicle, array, request.param)
    buses = [f"bot{i // 16}" for i in range(16 * request.param)]
    return whole, {policy: Allocator(whole, WATTS, policy, buses=buses) for policy in ("priority", "weighted")}


def by_lp(array, bounds, wrench, powers, *, largest):
    """Largest multiple of a wrench, or least thrust for it, inside the power of each bus."""
    n = len(array)
    rows = np.repeat(np.eye(len(powers)), 16, axis=1) * WATTS
    if largest:
        cost = np.append(np.zeros(n), -1.0)
        equal = np.hstack([array.effectiveness, -wrench[:, None]])
        rows = np.hstack([rows, np.zeros((len(powers), 1))])
        answer = linprog(cost, rows, powers, equal, np.zeros(6), [(0.0, u) for u in bounds] + [(0.0, 1e9)])
        return answer.x[-1]
    answer = linprog(np.ones(n), rows, powers, array.effectiveness, wrench, [(0.0, u) for u in bounds])
    assert answer.status == 0
    return answer.fun


@pytest.mark.requirement("ALLOC-22")
@given(seed=st.integers(0, 2**32 - 1), policy=st.sampled_from(["priority", "weighted"]))
@example(seed=177922, policy="priority")  # a bus that gives nothing, beyond the attainable set
@example(seed=543, policy="priority")
def test_the_power_of_each_bus_holds_and_answers_are_proven(chain, seed, policy):
    array, allocators = chain
    rng = np.random.default_rng(seed)
    k = len(array) // 16
    wrench = rng.normal(size=6) * [300, 300, 300, 300, 300, 300] * rng.choice([1e-3, 0.5, 2.0, 10.0])
    bounds = array.f_max * rng.choice([0.0, rng.uniform(), 1.0], len(array), p=[0.1, 0.1, 0.8])
    powers = tuple(rng.choice([0.0, 5e3, 22.5e3, 45e3], k, p=[0.1, 0.3, 0.3, 0.3]).tolist())
    answer = allocators[policy].solve(wrench, Limits(powers, bounds))
    assert answer.certificate.holds()
    assert answer.fallback == ""
    drawn = (answer.forces * WATTS).reshape(k, 16).sum(axis=1)
    assert (drawn <= np.array(powers) * (1.0 + 1e-9) + 1e-9).all()
    assert (answer.forces <= bounds * (1.0 + 1e-12)).all()
    truth = by_lp(array, bounds, wrench, powers, largest=True)
    assert answer.scale == pytest.approx(truth, rel=1e-6, abs=1e-6)
    if answer.attainable:
        least = by_lp(array, bounds, wrench, powers, largest=False)
        assert answer.forces.sum() <= least * (1.0 + 1e-4) + 1e-9
        assert np.linalg.norm(answer.residual) <= 1e-6 * np.linalg.norm(wrench)
    else:
        assert answer.binding


@pytest.mark.requirement("ALLOC-22")
def test_the_bus_that_binds_is_named_and_one_number_is_no_limit_for_several(chain):
    array, allocators = chain
    k = len(array) // 16
    powers = (3000.0, *(LIMIT for _ in range(k - 1)))
    assert "power:bot0" in allocators["weighted"].solve([4000.0, 0, 0, 0, 0, 0], Limits(powers)).binding
    for wrong in (45000.0, (45000.0,), (*powers[1:], math.nan)):
        with pytest.raises(ValueError, match="power"):
            allocators["weighted"].solve([1.0, 0, 0, 0, 0, 0], Limits(wrong))
    with pytest.raises(ConfigurationError, match="buses: 1 names; allowed: "):
        Allocator(array, WATTS, buses=["bot0"])


@pytest.mark.requirement("ALLOC-6", "ALLOC-22")
@pytest.mark.parametrize("kind", [PulseWidth, Pwpf, ImpulseBit])
def test_valves_of_each_bus_keep_its_limit_at_every_instant(vehicle, array, kind):
    whole, body = stacked(vehicle, array, 2)
    allocator = Allocator(whole, WATTS, buses=["one"] * 16 + ["two"] * 16)
    modulator = kind(allocator, body) if kind is ImpulseBit else kind(allocator)
    rng, limits, worst = np.random.default_rng(3), np.array([18000.0, LIMIT]), np.zeros(2)
    for cycle in range(300):
        now = 10.0 + cycle * 0.01
        if cycle % 40 == 0:
            wrench = rng.normal(size=6) * [900, 900, 900, 400, 400, 400]
        modulator.step(now, wrench, Limits(tuple(limits.tolist())))
        modulator.bank.advance(now)
        worst = np.maximum(worst, (modulator.bank.is_open * whole.f_max * WATTS).reshape(2, 16).sum(axis=1))
    assert (worst <= limits * (1.0 + 1e-9)).all()
    assert (worst > 0.0).all()
