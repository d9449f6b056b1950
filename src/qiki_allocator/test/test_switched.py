"""PWPF and bang-bang: closed forms, and no rule broken for any input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from valve_hardware import Hardware, check_timing, on_times, peak

from qiki_allocator import (
    Allocator,
    BangBang,
    BangBangSettings,
    ConfigurationError,
    CycleSettings,
    ImpulseBit,
    Limits,
    PulseWidth,
    Pwpf,
    PwpfSettings,
    ThrusterArray,
    ValveTiming,
)
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.modulators import Modulators
from qiki_allocator.modulation.outlet import Outlet
from qiki_allocator.modulation.switching import PwpfLaw
from qiki_allocator.modulation.valves import ValveBank
from qiki_vehicle import MassProperties

POWER = 45000.0
WATTS = 33.333
TIMING = ValveTiming()


def impulse_bit(allocator, timing, bank=None):
    body = MassProperties(1200.0, np.diag([760.0, 800.0, 820.0]), allocator.array.com)
    return ImpulseBit(allocator, body, timing, bank=bank)


KINDS = [Pwpf, BangBang, PulseWidth, impulse_bit]


@pytest.mark.requirement("ALLOC-7")
def test_closed_forms_of_the_vehicle():
    s = PwpfSettings()
    assert s.dead_band == pytest.approx(0.1)
    assert s.saturation == pytest.approx(1.0 + 0.15 / 4.5)
    assert s.pulse(s.dead_band) == pytest.approx(0.0345, abs=5e-5)
    assert s.pause(1.0) == pytest.approx(0.0357, abs=5e-5)
    assert s.pulse(2.0) == math.inf
    assert s.pause(0.05) == math.inf


@pytest.mark.requirement("ALLOC-7")
@pytest.mark.parametrize("level", [0.12, 0.3, 0.5, 0.8, 1.0])
def test_the_law_follows_its_closed_forms_however_time_is_cut(level):
    s = PwpfSettings()
    rng = np.random.default_rng(1)
    law = PwpfLaw(1, s)
    levels, is_open = np.array([level]), np.array([False])
    switches, now = [], 0.0
    while len(switches) < 9:
        cut = float(rng.uniform(0.001, 0.02))
        after = float(law.switch_after(levels, is_open)[0])
        step = min(cut, after)
        law.advance(levels, is_open, np.array([step]))
        now += step
        if step == after:
            is_open = ~is_open
            switches.append(now)
    times = np.diff(switches)
    np.testing.assert_allclose(times[0::2], s.pulse(level), rtol=1e-9)
    np.testing.assert_allclose(times[1::2], s.pause(level), rtol=1e-9)


def test_duty_is_that_of_the_linear_band():
    s = PwpfSettings()
    for level in (0.3, 0.5, 0.7):
        duty = s.pulse(level) / (s.pulse(level) + s.pause(level))
        # duty = level - (uon + uoff) / (2 km)
        assert duty == pytest.approx(level - (s.uon + s.uoff) / (2.0 * s.km), abs=0.02)


def fly(modulator, wrench, duration, tick=0.01):
    hardware = Hardware(len(modulator.allocator.array))
    now = 0.0
    while True:
        over = now >= duration - 1e-9
        command = modulator.step(now, np.zeros(6) if over else np.asarray(wrench, dtype=float), Limits(POWER))
        if command is not None:
            hardware.take(command, now)
        if over and not modulator.is_active:
            return hardware.pulses()
        assert now < duration + 4.0, "it never ends"
        now += tick


def test_pulses_of_one_thruster_have_the_lengths_of_the_closed_form():
    array = ThrusterArray([[0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], 100.0)
    s = PwpfSettings()
    # Without a share of what is owed the level is the commanded one.
    for tick in (0.01, 0.004):
        modulator = Pwpf(Allocator(array), TIMING, s, CycleSettings(tick=tick, horizon=2.0, carry=0.0))
        (pulses,) = fly(modulator, [40.0, 0, 0, 0, 0, 0], 2.0, tick)
        lengths = [close - opened for opened, close in pulses[1:-1]]
        pauses = [after[0] - before[1] for before, after in itertools.pairwise(pulses)]
        np.testing.assert_allclose(lengths, s.pulse(0.4), atol=5e-6)
        np.testing.assert_allclose(pauses[1:-1], s.pause(0.4), atol=5e-6)


@pytest.mark.parametrize("kind", [Pwpf, BangBang])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("force", [100.0, -300.0])
def test_what_was_commanded_is_given_but_for_what_may_be_owed(array, kind, axis, force):
    wrench = np.zeros(6)
    wrench[axis] = force
    allocator = Allocator(array, WATTS)
    modulator = kind(allocator, TIMING)
    pulses = fly(modulator, wrench, 4.0)
    missed = array.effectiveness @ (array.f_max * on_times(pulses)) - 4.0 * wrench
    assert np.linalg.norm(allocator.per_reach * missed) <= CycleSettings().carry + TIMING.min_on
    check_timing(pulses, TIMING)
    assert peak(pulses, array.f_max * WATTS) <= POWER


@pytest.mark.requirement("ALLOC-7")
@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        (Pwpf, {"settings": PwpfSettings(tm=0.4)}, "shortest pulse of 27.6 ms; allowed: at least 30 ms"),
        (Pwpf, {"settings": PwpfSettings(uon=0.4, uoff=0.2)}, "shortest pulse of 22.7 ms"),
        (Pwpf, {"cycle": CycleSettings(tick=0.05)}, "tick: 0.05 s; allowed: above 0 to 0.03 s"),
        (BangBang, {"cycle": CycleSettings(horizon=0.0)}, "horizon: 0.0 s; allowed"),
    ],
)
def test_impossible_settings_are_refused(array, kind, arguments, text):
    with pytest.raises(ConfigurationError, match=text):
        kind(Allocator(array), TIMING, **arguments)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PwpfSettings(km=math.nan), "km: nan; allowed: finite, above 0"),
        (lambda: PwpfSettings(uoff=0.5), "uoff: 0.5; allowed: below uon = 0.45"),
        (lambda: PwpfSettings(km=0.4), "uon: 0.45; allowed: below km = 0.4"),
        (lambda: BangBangSettings(on=1.5), "on: 1.5; allowed: above 0 to 1"),
        (lambda: BangBangSettings(off=0.6), "off: 0.6; allowed: 0 to below on = 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(make, text):
    with pytest.raises(ConfigurationError, match=text):
        make()


@pytest.mark.parametrize("kind", [Pwpf, BangBang])
@pytest.mark.parametrize("seed", range(4))
def test_of_commands_that_overtake_each_other_the_newest_tells_all(array, kind, seed):
    """Hardware that reads every 20 ms, and only the newest command, does the same as one that reads them all."""
    rng = np.random.default_rng(seed)
    modulator = kind(Allocator(array, WATTS), TIMING)
    outlet = Outlet(modulator.bank)
    prompt, busy = Hardware(16), Hardware(16)
    wrench, newest = np.zeros(6), None
    for count in range(600):
        now = 0.01 * count
        if rng.random() < 0.1:
            wrench = rng.normal(size=6) * [300, 300, 300, 100, 100, 200] * (count < 400)
        planned = modulator.step(now, wrench, Limits(POWER))
        if rng.random() < 0.01:
            planned = modulator.stop(now)
        if planned is not None or outlet.is_incomplete or rng.random() < 0.5:
            newest = outlet.command(now) if planned is None else outlet.plan(now)
            prompt.take(newest, now)
        if count % 2 and newest is not None:
            busy.take(newest, now)
            newest = None
    assert prompt.late == busy.late == 0
    assert prompt.pulses() == busy.pulses()
    check_timing(busy.pulses(), TIMING)


class Turns:
    """All modulators in turns, as one."""

    def __init__(self, allocator, timing):
        self.allocator = allocator
        self.bank = ValveBank(len(allocator.array), timing)
        body = MassProperties(1200.0, np.diag([760.0, 800.0, 820.0]), allocator.array.com)
        names = {one.__name__: one for one in KINDS}
        build = lambda kind, bank: names[kind](allocator, timing, bank=bank)  # noqa: E731
        self._all = Modulators(tuple(names), build, "PulseWidth", self.bank, body)
        self._rng, self._names = np.random.default_rng(1), tuple(names)

    def step(self, now, *arguments):
        if self._rng.random() < 0.05:
            self.switch(now, str(self._rng.choice(self._names)))
        return self._all.current.step(now, *arguments)

    def switch(self, now, kind):
        self._all.switch(now, kind)

    def stop(self, now):
        return self._all.current.stop(now)

    @property
    def is_active(self):
        return self._all.current.is_active


def torment(kind, array, seed, power, steps):
    """Random wrenches at random times, jumps, stops, weak and dead thrusters; the pulses."""
    rng = np.random.default_rng(seed)
    modulator = kind(Allocator(array, WATTS), TIMING)
    outlet, hardware = Outlet(modulator.bank), Hardware(len(array))
    thrust, wrench, now = array.f_max.copy(), np.zeros(6), 100.0
    for _ in range(steps):
        # A stall while a command waits for its rest can make that late.
        pause = float(rng.choice([0.0, 0.001, 0.01, 0.013, 0.09], p=[0.05, 0.1, 0.6, 0.2, 0.05]))
        now += min(pause, 0.013) if outlet.is_incomplete else pause
        chance = rng.random()
        if chance < 0.05:
            wrench = np.zeros(6)
        elif chance < 0.15:
            wrench = rng.normal(size=6) * [300, 300, 300, 100, 100, 200] * rng.choice([0.01, 0.2, 1.0, 4.0])
        elif chance < 0.16:
            thrust = array.f_max * rng.choice([0.0, 0.4, 1.0], len(array), p=[0.1, 0.1, 0.8])
        if rng.random() < 0.01:
            planned = modulator.stop(now)
        else:
            planned = modulator.step(now, wrench, Limits(power, thrust), thrust)
        if planned is not None:
            hardware.take(outlet.plan(now), now)
        elif outlet.is_incomplete or rng.random() < 0.1:
            hardware.take(outlet.command(now), now)
    modulator.stop(now)
    hardware.take(outlet.plan(now), now)
    while outlet.is_incomplete:
        now += 0.01
        hardware.take(outlet.command(now), now)
    assert hardware.late == 0
    return hardware.pulses()


@pytest.mark.requirement("ALLOC-6")
@given(
    kind=st.sampled_from([*KINDS, Turns]),
    seed=st.integers(0, 2**32 - 1),
    power=st.sampled_from([9000.0, 15000.0, 22500.0, 45000.0, 200000.0]),
)
def test_no_rule_is_broken_for_any_input(array, kind, seed, power):
    pulses = torment(kind, array, seed, power, 400)
    check_timing(pulses, TIMING)
    assert peak(pulses, array.f_max * WATTS) <= power


@pytest.mark.requirement("ALLOC-6")
@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [*KINDS, Turns])
def test_a_million_ticks_break_no_rule(array, kind):
    for seed in range(100):
        pulses = torment(kind, array, seed, [22500.0, 45000.0][seed % 2], 10_000)
        check_timing(pulses, TIMING)
        assert peak(pulses, array.f_max * WATTS) <= [22500.0, 45000.0][seed % 2]


@pytest.mark.requirement("ALLOC-18b")
@pytest.mark.parametrize("force", [40.0, 100.0])
def test_modulators_that_take_turns_lose_no_impulse_and_give_none_twice(array, force):
    """The next one takes over what the one before has not given, pulses in flight included."""
    turns, hardware = Turns(Allocator(array, WATTS), TIMING), Hardware(16)
    outlet = Outlet(turns.bank)
    turns._rng = np.random.default_rng(5)
    wrench = np.array([force, 0.0, 0.5 * force, 0.0, 0.0, 0.0])
    for count in range(900):
        now = 10.0 + 0.01 * count
        if count == 600:
            turns.switch(now, "PulseWidth")
            turns._rng = np.random.default_rng(0)
            turns._names = ("PulseWidth",)
        command = turns.step(now, wrench * (count < 600), Limits(POWER))
        if command is not None:
            hardware.take(outlet.plan(now), now)
        elif outlet.is_incomplete:
            hardware.take(outlet.command(now), now)
    assert not turns.is_active
    missed = array.effectiveness @ (array.f_max * on_times(hardware.pulses())) - 6.0 * wrench
    assert np.abs(missed[:3]).max() <= 0.02 * force * 6.0
    assert np.abs(missed[3:]).max() <= 2.0


@pytest.mark.parametrize("start", [100.799, 7.3, 1234.567891])
def test_a_command_in_the_very_microsecond_of_an_edge_does_not_undo_it(start):
    bank = ValveBank(1, TIMING)
    outlet, hardware = Outlet(bank), Hardware(1)
    bank.take(ValveCommand(start, 0.25, np.array([0.0]), np.array([0.2])))
    hardware.take(outlet.plan(start - 0.04), start - 0.04)
    for now in (start, start + 0.1, start + 0.2, start + 0.21):
        hardware.take(outlet.command(now), now)
    (pulses,) = hardware.pulses()
    assert len(pulses) == 1
    assert pulses[0] == pytest.approx([start, start + 0.2], abs=1e-6)
