"""Pulse width modulation: impulse delivered, no timing rule broken, power kept at every instant."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from valve_hardware import Hardware, check_timing, on_times, peak

from qiki_allocator import Allocator, ConfigurationError, Limits, PulseWidth, PulseWidthSettings, ValveTiming
from qiki_allocator.modulation.outlet import Outlet

POWER = 45000.0
WATTS = 33.333
TIMING = ValveTiming()


def fly(modulator, wrench_at, duration, *, limits=None, tick=0.01, start=5.0, thrust=None):
    """Step from `start` until nothing is left to do; the pulses."""
    hardware = Hardware(len(modulator.allocator.array))
    limits = limits or Limits(POWER)
    for count in range(100_000):
        now = start + count * tick
        over = now - start >= duration - 1e-9
        wrench = np.zeros(6) if over else wrench_at(now - start)
        command = modulator.step(now, wrench, limits, thrust)
        if command is not None:
            assert command.start >= now
            hardware.take(command, now)
        if over and not modulator.is_active:
            break
        assert now < start + duration + 5.0, "it never ends"
    assert hardware.late == 0
    return hardware.pulses()


def impulse(array, pulses, thrust=None):
    return array.effectiveness @ ((array.f_max if thrust is None else thrust) * on_times(pulses))


@pytest.mark.requirement("ALLOC-5")
@pytest.mark.parametrize("policy", ["priority", "weighted"])
@pytest.mark.parametrize("duration", [0.5, 0.6, 1.03, 2.0, 5.0])
@pytest.mark.parametrize(
    ("axis", "force"), [(0, 50), (0, 200), (0, -400), (0, 700), (1, 50), (1, -700), (2, 100), (2, -600)]
)
def test_constant_force_gives_its_impulse_within_2_percent(array, policy, duration, axis, force):
    wrench = np.zeros(6)
    wrench[axis] = force
    modulator = PulseWidth(Allocator(array, WATTS, policy))
    pulses = fly(modulator, lambda _: wrench, duration)
    missed = impulse(array, pulses) - wrench * duration
    assert abs(missed[axis]) <= 0.02 * abs(force) * duration
    others = np.delete(missed[:3], axis)
    assert np.abs(others).max() <= 0.01 * abs(force) * duration + 0.2
    # A shortest pulse of one thruster at its lever is 8 N m s. Torque comes first with priority alone.
    assert np.abs(missed[3:]).max() <= (0.3 if policy == "priority" else 4.0)
    check_timing(pulses, TIMING)
    assert peak(pulses, array.f_max * WATTS) <= POWER


@pytest.mark.parametrize(("axis", "torque"), [(3, 20.0), (3, -200.0), (4, 100.0), (4, -300.0), (5, 50.0), (5, 1000.0)])
def test_constant_torque_gives_its_angular_impulse(array, axis, torque):
    wrench = np.zeros(6)
    wrench[axis] = torque
    pulses = fly(PulseWidth(Allocator(array, WATTS)), lambda _: wrench, 1.0)
    missed = impulse(array, pulses) - wrench
    assert abs(missed[axis]) <= 0.02 * abs(torque)
    assert np.abs(missed[:3]).max() <= 0.5
    check_timing(pulses, TIMING)


def test_a_weak_and_a_dead_thruster_are_made_up_for(array):
    thrust = array.f_max.copy()
    thrust[4] *= 0.5
    thrust[9] = 0.0
    wrench = np.array([200.0, 50.0, -100.0, 0.0, 0.0, 0.0])
    limits = Limits(POWER, thrust)
    pulses = fly(PulseWidth(Allocator(array, WATTS)), lambda _: wrench, 2.0, limits=limits, thrust=thrust)
    missed = impulse(array, pulses, thrust) - 2.0 * wrench
    assert np.abs(missed[:3]).max() <= 0.02 * 400.0
    assert np.abs(missed[3:]).max() <= 0.5
    assert not pulses[9]


def test_a_changing_wrench_is_followed(array):
    def wrench(t):
        return np.array([300.0 * np.sin(2.0 * t), 0.0, 150.0 * np.cos(t), 0.0, 40.0 * np.sin(t), 0.0])

    duration = 3.0
    pulses = fly(PulseWidth(Allocator(array, WATTS)), wrench, duration)
    wanted = sum(wrench(0.01 * k) * 0.01 for k in range(300))
    missed = impulse(array, pulses) - wanted
    assert np.abs(missed[:3]).max() <= 3.0
    assert np.abs(missed[3:]).max() <= 1.0
    check_timing(pulses, TIMING)


def test_more_than_is_attainable_is_not_owed_for_ever(array):
    wrench = np.array([5000.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    modulator = PulseWidth(Allocator(array, WATTS))
    pulses = fly(modulator, lambda _: wrench, 4.0)
    last = max(close for own in pulses for _, close in own)
    assert last <= 5.0 + 4.0 + 1.0
    given = impulse(array, pulses)
    assert given[0] >= 0.9 * 735.0 * 4.0
    assert np.abs(given[3:]).max() <= 4.0
    check_timing(pulses, TIMING)
    assert peak(pulses, array.f_max * WATTS) <= POWER


def test_a_falling_power_limit_is_kept_as_soon_as_pulses_may_end(array):
    modulator = PulseWidth(Allocator(array, WATTS))
    hardware = Hardware(16)
    wrench = np.array([600.0, 100.0, 0.0, 0.0, 0.0, 0.0])
    for count in range(200):
        now = 0.01 * count
        command = modulator.step(now, wrench, Limits(POWER if count < 100 else 22500.0))
        if command is not None:
            hardware.take(command, now)
    command = modulator.stop(2.0)
    hardware.take(command, 2.0)
    pulses = hardware.pulses()
    check_timing(pulses, TIMING)
    settled = 1.0 + 0.04 + 0.031
    late = [[(max(a, settled), b) for a, b in own if b > settled] for own in pulses]
    assert peak(pulses, array.f_max * WATTS) > 22500.0
    assert 0.0 < peak(late, array.f_max * WATTS) <= 22500.0


def test_stop_closes_every_valve_at_once_and_keeps_the_shortest_pulse(array):
    for wait in (0.0, 0.01, 0.05, 0.12):
        modulator = PulseWidth(Allocator(array, WATTS))
        hardware = Hardware(16)
        wrench = np.array([700.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        hardware.take(modulator.step(1.0, wrench, Limits(POWER)), 1.0)
        hardware.take(modulator.stop(1.0 + wait), 1.0 + wait)
        assert not modulator.is_active
        pulses = hardware.pulses()
        check_timing(pulses, TIMING)
        assert max((close for own in pulses for _, close in own), default=0.0) <= 1.0 + wait + 0.04 + 0.0301


def test_repeated_commands_change_nothing(array):
    wrench = np.array([150.0, 30.0, 0.0, 5.0, 0.0, 0.0])
    once, twice = PulseWidth(Allocator(array, WATTS)), PulseWidth(Allocator(array, WATTS))
    plain, repeated, outlet = Hardware(16), Hardware(16), Outlet(twice.bank)
    for count in range(300):
        now = 0.01 * count
        commanded = wrench if count < 150 else np.zeros(6)
        for modulator, hardware, repeats in ((once, plain, False), (twice, repeated, True)):
            command = modulator.step(now, commanded, Limits(POWER))
            if repeats:
                hardware.take(outlet.command(now) if command is None else outlet.plan(now), now)
            elif command is not None:
                hardware.take(command, now)
    assert not once.is_active
    assert repeated.late == 0
    for one, two in zip(plain.pulses(), repeated.pulses(), strict=True):
        np.testing.assert_allclose(np.array(one), np.array(two), atol=2e-6)


@pytest.mark.parametrize(
    ("change", "text"),
    [({"window": 0.05}, "window: 0.05 s; allowed: 0.12 to 0.4"), ({"lead": -1.0}, "lead: -1.0 s; allowed")],
)
def test_impossible_settings_are_refused(array, change, text):
    with pytest.raises(ConfigurationError, match=text):
        PulseWidth(Allocator(array, WATTS), TIMING, PulseWidthSettings(**change))


@pytest.mark.requirement("ALLOC-6")
@given(
    seed=st.integers(0, 2**32 - 1),
    power=st.sampled_from([9000.0, 15000.0, 22500.0, 45000.0, 200000.0]),
)
@example(seed=1280, power=45000.0)  # three commands at one instant
def test_no_rule_is_broken_for_any_input(array, seed, power):
    """Random wrenches at random times, jumps, stops, weak and dead thrusters, a moving centre of mass."""
    rng = np.random.default_rng(seed)
    modulator = PulseWidth(Allocator(array, WATTS), TIMING)
    hardware = Hardware(16)
    thrust = array.f_max.copy()
    wrench = np.zeros(6)
    now = 100.0
    for _ in range(400):
        now += float(rng.choice([0.0, 0.001, 0.01, 0.013, 0.09], p=[0.05, 0.1, 0.6, 0.2, 0.05]))
        kind = rng.random()
        if kind < 0.05:
            wrench = np.zeros(6)
        elif kind < 0.15:
            wrench = rng.normal(size=6) * [300, 300, 300, 100, 100, 200] * rng.choice([0.01, 0.2, 1.0, 4.0])
        elif kind < 0.16:
            thrust = array.f_max * rng.choice([0.0, 0.4, 1.0], 16, p=[0.1, 0.1, 0.8])
        elif kind < 0.17:
            modulator.allocator.move(rng.uniform(-0.1, 0.1, 3))
        if rng.random() < 0.01:
            command = modulator.stop(now)
        else:
            command = modulator.step(now, wrench, Limits(power, thrust), thrust)
        if command is not None:
            hardware.take(command, now)
    hardware.take(modulator.stop(now), now)
    pulses = hardware.pulses()
    check_timing(pulses, TIMING)
    assert peak(pulses, array.f_max * WATTS) <= power
    assert hardware.late == 0


@pytest.mark.requirement("ALLOC-5a")
@given(seed=st.integers(0, 2**32 - 1), policy=st.sampled_from(["priority", "weighted"]))
def test_constant_force_and_torque_together_give_their_impulse(array, seed, policy):
    """Floors: a tenth of the smallest impulse bit, 6.6 N s, and of it at a lever of 0.5 m."""
    rng = np.random.default_rng(seed)
    allocator = Allocator(array, WATTS, policy)
    direction = rng.normal(size=6) * (rng.random(6) < rng.choice([0.3, 0.6, 1.0]))
    direction[rng.integers(6)] = 1.0
    wrench = direction / allocator.per_reach
    wrench *= allocator.solve(wrench, Limits(POWER)).scale * rng.uniform(0.02, 0.6)
    duration = float(rng.uniform(0.5, 5.0))
    steps = round(duration * 100)
    pulses = fly(PulseWidth(allocator), lambda _: wrench, steps * 0.01)
    missed = impulse(array, pulses) - wrench * steps * 0.01
    for part, floor in ((slice(0, 3), 0.66), (slice(3, 6), 0.33)):
        wanted = np.linalg.norm(wrench[part]) * duration
        assert np.linalg.norm(missed[part]) <= max(0.02 * wanted, floor)


def test_what_the_valves_gave_less_is_given_in_the_next_windows(array):
    for at, size in ((1.0, 20.0), (2.02, 60.0)):
        modulator = PulseWidth(Allocator(array, WATTS))
        hardware = Hardware(16)
        for count in range(600):
            now = 0.01 * count
            if abs(now - at) < 1e-9:
                modulator.make_up(np.array([size, 0.0, 0.0, 0.0, 0.0, 0.0]))
            command = modulator.step(now, np.array([100.0 if now < 2.0 else 0.0, 0, 0, 0, 0, 0]), Limits(POWER))
            if command is not None:
                hardware.take(command, now)
        assert not modulator.is_active
        assert impulse(array, hardware.pulses())[0] == pytest.approx(200.0 + size, abs=3.0)
        check_timing(hardware.pulses(), TIMING)
