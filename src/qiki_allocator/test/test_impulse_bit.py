"""Impulse bits: the best of all small sets, never a pulse that may not be, and an error that only falls."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from valve_hardware import Hardware, check_timing, on_times, peak

from qiki_allocator import (
    Allocator,
    ConfigurationError,
    ImpulseBit,
    ImpulseBitSettings,
    Limits,
    ThrusterArray,
    ValveTiming,
)
from qiki_allocator.modulation.pulse_sets import LARGEST, MOST_SETS, PulseSets, largest_size
from qiki_vehicle import MassProperties

pytestmark = pytest.mark.requirement("ALLOC-18")

POWER, WATTS = 45000.0, 33.333
TIMING = ValveTiming()
SETTINGS = ImpulseBitSettings()
SHORTEST = TIMING.min_on


@pytest.fixture(scope="module")
def allocator(array):
    return Allocator(array, WATTS)


@pytest.fixture(scope="module")
def body(vehicle):
    return MassProperties.of(vehicle.body)


def units(body):
    """(6, 6): an impulse in units of the tolerances."""
    scale = np.zeros((6, 6))
    scale[:3, :3], scale[3:, 3:] = np.eye(3) / body.mass, np.linalg.inv(body.inertia)
    return scale / np.array([*SETTINGS.velocity, *SETTINGS.rate])[:, None]


# The search ---------------------------------------------------------------------------------------------------------


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_best_set_is_that_of_bounded_least_squares(seed):
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=(6, 5)) * rng.uniform(1.0, 40.0)
    longest, wanted = rng.uniform(0.04, 0.2, 5), rng.normal(size=6)
    on, left = PulseSets(effect).best(wanted, SHORTEST, longest)
    best = min(
        2.0 * lsq_linear(effect[:, chosen], wanted, (SHORTEST, longest[list(chosen)])).cost
        for size in range(1, LARGEST + 1)
        for chosen in itertools.combinations(range(5), size)
    )
    assert left == pytest.approx(np.linalg.norm(wanted - effect @ on))
    assert left**2 <= min(best * 1.05 + 1e-9, wanted @ wanted + 1e-12)
    fired = on[on > 0.0]
    assert len(fired) <= LARGEST
    assert ((fired >= SHORTEST) & (fired <= longest[on > 0.0])).all()


def test_the_number_of_sets_is_bounded_for_any_vehicle():
    for n in range(1, 65):
        size = largest_size(n)
        assert sum(math.comb(n, k) for k in range(1, size + 1)) <= MOST_SETS
    assert [largest_size(n) for n in (4, 16, 20, 21, 33, 34, 64)] == [4, 4, 4, 3, 3, 2, 2]


# The modulator ------------------------------------------------------------------------------------------------------


def deliver(modulator, impulse, limits, thrust):
    """Have an impulse made up for; the errors, before and after each set of pulses, and the pulses."""
    hardware, now, scale = Hardware(len(thrust)), 5.0, units(modulator.body)
    modulator.make_up(impulse)
    errors = [float(np.linalg.norm(scale @ impulse))]
    while modulator.is_active:
        command = modulator.step(now, np.zeros(6), limits, thrust)
        if command is not None and np.isfinite(command.open_time).any():
            hardware.take(command, now)
            given_now = modulator.allocator.array.effectiveness @ (thrust * on_times(hardware.pulses()))
            errors.append(float(np.linalg.norm(scale @ (impulse - given_now))))
        now += 0.01
        assert now < 20.0, "it never ends"
    return errors, hardware.pulses()


@given(seed=st.integers(0, 2**32 - 1), power=st.sampled_from([8000.0, 9000.0, 22500.0, 45000.0]))
def test_the_error_only_falls_and_nothing_forbidden_fires(allocator, body, seed, power):
    rng = np.random.default_rng(seed)
    array = allocator.array
    thrust = array.f_max * rng.choice([0.0, 0.5, 1.0], 16, p=[0.1, 0.1, 0.8])
    share = rng.choice([0.0, 0.4, 1.0], 16, p=[0.2, 0.1, 0.7])
    limits = Limits(power, np.minimum(share * array.f_max, thrust))
    impulse = np.linalg.inv(units(body)) @ rng.normal(size=6) * rng.uniform(0.1, 4.0)
    errors, pulses = deliver(ImpulseBit(allocator, body, TIMING, SETTINGS), impulse, limits, thrust)
    for before, after in itertools.pairwise(errors):
        assert after < before
    if errors[0] < 1.0:
        assert len(errors) == 1, "not worth a pulse"
    check_timing(pulses, TIMING)
    assert peak(pulses, array.f_max * WATTS) <= power
    for j, own in enumerate(pulses):
        assert not own or (share[j] > 0.0 and thrust[j] > 0.0 and array.f_max[j] * WATTS <= power)
        longest = min(SETTINGS.longest_pulse, limits.bounds[j] / max(thrust[j], 1.0) * SETTINGS.window)
        assert all(close - opened <= longest + 2e-6 for opened, close in own)


@pytest.mark.parametrize("power", [POWER, 22500.0, 9000.0])
def test_a_small_error_is_corrected_where_single_pulses_are_too_coarse(allocator, body, power):
    """0.2 deg/s about roll: an equal-time pure pulse of two thrusters turns the body by 0.67 deg/s."""
    for axis in (3, 4, 5):
        wanted = np.zeros(6)
        wanted[axis] = body.inertia[axis - 3, axis - 3] * math.radians(0.2)
        modulator = ImpulseBit(allocator, body, TIMING, SETTINGS)
        errors, _ = deliver(modulator, wanted, Limits(power), allocator.array.f_max)
        assert errors[0] == pytest.approx(4.0)
        assert errors[-1] < 1.0


def test_pulses_that_leave_too_much_are_not_fired(body):
    """Thrusters along x alone cannot push along y: the error stays, and is not made worse across."""
    array = ThrusterArray([[0.0, 0.0, 0.0]] * 2, [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], 100.0)
    modulator = ImpulseBit(Allocator(array, WATTS), body, TIMING, SETTINGS)
    _, pulses = deliver(modulator, np.array([0.5, 30.0, 0.0, 0.0, 0.0, 0.0]), Limits(POWER), array.f_max)
    assert not any(pulses)


def test_more_than_a_window_can_give_is_given_as_fast_as_it_can(allocator, body):
    modulator = ImpulseBit(allocator, body, TIMING, SETTINGS)
    hardware, array = Hardware(16), allocator.array
    for count in range(400):
        now = 0.01 * count
        command = modulator.step(now, np.array([0.0, 0.0, 900.0 * (count < 300), 0.0, 0.0, 0.0]), Limits(POWER))
        if command is not None:
            hardware.take(command, now)
    given_impulse = array.effectiveness @ (array.f_max * on_times(hardware.pulses()))
    assert given_impulse[2] > 0.7 * 622.0 * 3.0 * 0.8
    assert not modulator.is_active


def test_a_constant_force_gives_its_impulse_to_the_tolerance(allocator, body):
    for axis, force in itertools.product(range(3), (15.0, -120.0)):
        modulator, hardware, wrench = ImpulseBit(allocator, body, TIMING, SETTINGS), Hardware(16), np.zeros(6)
        wrench[axis] = force
        for count in range(600):
            now = 0.01 * count
            command = modulator.step(now, wrench * (count < 400), Limits(POWER))
            if command is not None:
                hardware.take(command, now)
        assert not modulator.is_active
        missed = 4.0 * wrench - allocator.array.effectiveness @ (allocator.array.f_max * on_times(hardware.pulses()))
        assert np.linalg.norm(units(body) @ missed) < 1.5


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"longest_pulse": 0.25}, "longest_pulse: 0.25 s; allowed: 0.03002 to 0.21998 s"),
        ({"velocity": (0.01, 0.0, 0.01)}, "velocity.y: 0.0 m/s; allowed: finite, above 0 m/s"),
        ({"rate": (math.nan, 1.0, 1.0)}, "rate.x: nan rad/s"),
        ({"error_left": 1.5}, "error_left: 1.5; allowed: above 0 to 1"),
        ({"window": 0.5}, "window: 0.5 s; allowed: 0.12 to 0.4 s"),
    ],
)
def test_impossible_settings_are_refused(allocator, body, change, text):
    with pytest.raises(ConfigurationError, match=text):
        ImpulseBit(allocator, body, TIMING, ImpulseBitSettings(**change))
