"""Whatever comes in: refused by field, value and allowed range, or flown; and the bot flies on."""

import math

import numpy as np
import pytest
from bot import FORCE, ZERO, Bot, odometry, valves
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.segments import Segment
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_vehicle import MassProperties

pytestmark = pytest.mark.requirement("ALLOC-8")

ODD = [0.0, 1.0, -1.0, 0.5, 200.0, 1e4, 1e10, -1e10, 1e150, 1e308, -1e308, 1e-310, -5e-324, math.nan, math.inf]
odd = st.one_of(st.sampled_from(ODD), st.floats())
six, four, three = (st.lists(odd, min_size=n, max_size=n) for n in (6, 4, 3))


def mass(kilograms, moments, com):
    return MassProperties(kilograms, np.diag(moments), np.array(com))


def profile(bot, wrench, level, ramp, duration):
    bot.controller.start_profile(bot.now, [Segment(np.array(wrench), level, ramp, duration)])


def levels(bot, level):
    bot.send(bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True))
    try:
        bot.send(bot.controller.command_levels(bot.now, np.array([level] + [0.0] * 15)))
    finally:
        bot.send(bot.controller.set_mode(bot.now, Mode.ADAPTIVE))


def hold(bot, target):
    bot.controller.update_motion(bot.now, odometry(bot))
    bot.controller.set_attitude(bot.now, AttitudeMode.HOLD, target)


def motion(bot, attitude, velocity, rates):
    bot.controller.update_motion(bot.now, odometry(bot))
    bot.controller.set_attitude(bot.now, AttitudeMode.DAMP)
    bot.controller.update_motion(bot.now, odometry(bot, velocity, rates, attitude))


orders = st.one_of(
    st.builds(lambda wrench: lambda bot: bot.command(wrench), six),
    st.builds(lambda *values: lambda bot: profile(bot, *values), six, odd, odd, odd),
    st.builds(lambda level: lambda bot: levels(bot, level), odd),
    st.builds(lambda target: lambda bot: hold(bot, target), four),
    st.builds(lambda *values: lambda bot: motion(bot, *values), four, three, three),
    st.builds(
        lambda composite, *values: lambda bot: bot.controller.update_mass(bot.now, mass(*values), composite=composite),
        st.booleans(),
        odd,
        three,
        three,
    ),
    st.builds(
        lambda at, on: lambda bot: bot.controller.update_valves(bot.now, ValveReading(at, [on] * 16, (None,) * 16)),
        odd,
        odd,
    ),
    st.builds(lambda *values: lambda bot: bot.controller.update_energy(bot.now, EnergyReading(*values)), odd, odd, odd),
    st.builds(
        lambda at, hot: lambda bot: bot.controller.update_thermal(bot.now, at, {"RCS_A": hot, "HULL": hot}), odd, odd
    ),
    st.builds(
        lambda i, level: lambda bot: bot.controller.set_health(bot.now, i, Condition.WEAK, level),
        st.integers(-1, 16),
        odd,
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(orders, min_size=1, max_size=4))
@example([lambda bot: bot.command([1e6, -1e6, 1e6, 1e6, 1e6, -1e6])])
@example([lambda bot: profile(bot, [1e-310] * 6, 1.0, 5e-324, 1e-310)])
@example([lambda bot: motion(bot, [0.0, 0.0, 0.0, 1.0], [0.0] * 3, [999.0] * 3)])
def test_any_input_is_refused_by_name_or_flown(vehicle, given):
    bot = Bot(vehicle)
    for order in given:
        refusal = ""
        try:
            order(bot)
        except ValueError as error:
            refusal = str(error)
        assert not refusal or "allowed" in refusal
        bot.run(0.02)
        telemetry = bot.controller.telemetry(bot.now)
        assert np.isfinite(telemetry.allocation.forces).all()
        assert not telemetry.allocation.fallback
    bot.send(bot.controller.stop(bot.now))
    bot.controller.resume()
    for thruster, health in enumerate(bot.controller.drive.health):
        if health.condition is not Condition.OK:
            bot.controller.set_health(bot.now, thruster, Condition.OK)
    bot.run(0.1)
    bot.hear()
    bot.command(FORCE)
    assert bot.controller.telemetry(bot.now).allocation.wrench[0] == pytest.approx(200.0, rel=0.01)


@pytest.mark.parametrize("modulator", ["pulse_width", "pwpf", "bang_bang", "impulse_bit"])
def test_the_largest_wrench_that_is_taken_is_flown_with_any_backlog(vehicle, modulator):
    """Turned about at once: what was not delivered so far adds to it, beyond what the allocation takes."""
    bot = Bot(vehicle)
    bot.controller.set_modulator(bot.now, modulator)
    for wrench in ([1e6, -1e6, 1e6, 1e6, 1e6, -1e6], [-1e6, 1e6, 1e6, -1e6, 1e6, 1e6], [0.0, 1e6, 0.0, 0.0, -1e6, 0.0]):
        for _ in range(12):
            bot.run(0.04)
            bot.command(wrench)
    bot.run(0.5, ZERO)
    before = bot.impulse[0]
    bot.run(3.0, FORCE)
    bot.run(0.5, ZERO)
    assert bot.impulse[0] - before > 400.0
    assert not bot.controller.telemetry(bot.now).allocation.fallback


@pytest.mark.requirement("ALLOC-8b")
@pytest.mark.parametrize("ahead", [0.6, 1000.0, -1000.0, math.inf, math.nan, -math.inf])
def test_a_stamp_that_cannot_be_makes_nobody_deaf(vehicle, ahead):
    """One message of each kind: it is refused, counted and a warning, and what comes after it counts."""
    bot = Bot(vehicle)
    at, told = bot.now + ahead, [Condition.OK] * 16
    bot.controller.update_motion(bot.now, MotionReading(at, *vars_of(odometry(bot, velocity=(9.0, 0.0, 0.0)))))
    bot.controller.update_valves(bot.now, ValveReading(at, [5.0] * 16, tuple(told)))
    bot.controller.update_energy(bot.now, EnergyReading(at, 0.1, 0.0))
    bot.controller.update_thermal(bot.now, at, {"RCS_A": 300.0})
    telemetry = bot.controller.telemetry(bot.now)
    assert telemetry.telemetry_refused == dict.fromkeys(("odom", "thruster_state", "energy", "thermal"), 1)
    assert any(warning.startswith("thermal refused: stamp: ") for warning in telemetry.warnings)
    assert (telemetry.limits.energy.gate, telemetry.limits.heat.tripped) == ("BOOST", ())
    bot.now += 0.05
    told[4] = Condition.DEAD
    assert len(bot.controller.update_valves(bot.now, valves(bot, np.zeros(16), told))) == 1
    bot.controller.update_motion(bot.now, odometry(bot))
    bot.controller.set_attitude(bot.now, AttitudeMode.HOLD)
    bot.run(5.5)
    assert not any("refused" in warning for warning in bot.controller.telemetry(bot.now).warnings)


def vars_of(reading):
    return reading.attitude, reading.velocity, reading.rates


def test_telemetry_that_was_overtaken_on_its_way_does_not_count(vehicle):
    bot = Bot(vehicle)
    bot.controller.update_energy(bot.now, EnergyReading(bot.now - 1.0, 0.1, 22500.0))
    assert bot.controller.telemetry(bot.now).limits.energy.gate == "BOOST"
    assert bot.controller.telemetry(bot.now).telemetry_refused == {"energy": 1}


def test_the_callers_arrays_are_copied(vehicle):
    bot = Bot(vehicle)
    attitude, target, rest = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)
    bot.controller.update_motion(bot.now, MotionReading(bot.now, attitude, rest, rest))
    bot.controller.set_attitude(bot.now, AttitudeMode.HOLD, target)
    body = MassProperties(1199.0, np.diag([760.0, 800.0, 820.0]), np.array([0.0, 0.0, 0.1]))
    bot.controller.update_mass(bot.now, body)
    on_time = np.zeros(16)
    bot.controller.update_valves(bot.now, valves(bot, on_time))
    for array in (target, attitude, rest, on_time):
        array[:] = 7.0
    force = np.array(FORCE)
    bot.command(force)
    force[:] = 7.0
    bot.run(0.02)
    commanded = bot.controller.telemetry(bot.now).commanded
    np.testing.assert_array_equal(commanded, FORCE)
    assert bot.controller.update_valves(bot.now, valves(bot, np.zeros(16))) == []
    bot.controller.set_attitude(bot.now, AttitudeMode.OFF)
    segment = Segment(np.array(FORCE), 1.0, 0.0, 1.0)
    bot.controller.start_profile(bot.now, [segment])
    segment.wrench[:] = 7.0
    bot.run(0.1)
    np.testing.assert_allclose(bot.controller.telemetry(bot.now).commanded, FORCE)


def test_after_undocking_the_bots_own_mass_properties_count_again(vehicle):
    """When the composite is withdrawn, or equals the body alone."""
    own, newer = (MassProperties(m, np.diag([760.0, 800.0, 820.0]), np.array([0.0, 0.0, 0.1])) for m in (1200, 1190))
    pair = MassProperties(2400.0, np.diag([1600.0, 4000.0, 4000.0]), np.array([1.2, 0.0, 0.1]))
    for undock in (
        lambda bot: bot.controller.separate(bot.now),
        lambda bot: bot.controller.update_mass(bot.now, newer, composite=True),
    ):
        bot = Bot(vehicle)
        bot.controller.update_mass(bot.now, own)
        assert bot.controller.update_mass(bot.now, pair, composite=True)
        assert not bot.controller.update_mass(bot.now, newer)
        assert bot.controller.motion.body is pair
        assert undock(bot), "the centre of mass moved"
        assert bot.controller.motion.body is newer
        np.testing.assert_array_equal(bot.controller.drive.array.com, newer.com)
        assert not bot.controller.update_mass(bot.now, own)
        assert bot.controller.motion.body is own
