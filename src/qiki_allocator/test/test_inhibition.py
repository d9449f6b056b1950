"""Inhibited thrusters: closed at once, named where they bind, free again when the order expires."""

import math

import numpy as np
import pytest
from bot import Bot, odometry, valves
from hypothesis import given, settings
from hypothesis import strategies as st
from valve_hardware import check_timing

from qiki_allocator import ValveTiming
from qiki_allocator.assembly import MODULATORS
from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.telemetry import Mode

pytestmark = pytest.mark.requirement("ALLOC-19")

CLUSTER_D = (12, 13, 14, 15)
UP = [0.0, 0.0, 500.0, 0.0, 0.0, 0.0]
"""D alone pushes along +z."""


def bounds(inhibited=CLUSTER_D, factor=0.0):
    values = np.ones(16)
    values[list(inhibited)] = factor
    return values


@pytest.fixture(params=MODULATORS)
def bot(vehicle, request):
    bot = Bot(vehicle)
    bot.controller.set_modulator(bot.now, request.param)
    bot.controller.set_modulator(bot.now, request.param)
    return bot


def inhibit(bot, values=None, reason="plume"):
    values = bounds() if values is None else values
    return bot.send(bot.controller.inhibit(bot.now, bot.now, values, reason))


def fired_after(bot, time, thrusters=CLUSTER_D):
    """Openings after a time."""
    return [opened for j in thrusters for opened, _ in bot.hardware.pulses()[j] if opened > time + 1e-6]


def test_open_valves_close_and_stay_closed_until_it_expires(bot):
    bot.run(0.6, UP)
    assert fired_after(bot, 0.0), "or this test shows nothing"
    at = bot.now
    inhibit(bot)
    bot.run(0.49, UP)
    closed_by = at + 0.04 + 0.0301
    assert not fired_after(bot, at + 0.04)
    for j in CLUSTER_D:
        assert all(close is not None and close <= closed_by for _, close in bot.hardware.pulses()[j])
    telemetry = bot.controller.telemetry(bot.now)
    assert "inhibit:plume" in telemetry.binding
    assert telemetry.limits.inhibition.factor.tolist() == bounds().tolist()
    bot.run(0.8, UP)
    assert fired_after(bot, at + 0.5), "free again"
    assert "inhibit:plume" not in bot.controller.telemetry(bot.now).binding
    bot.run(1.5)
    check_timing(bot.hardware.pulses(), ValveTiming())


def test_it_is_kept_while_orders_come_and_all_bounds_are_those_of_the_newest(bot):
    start = bot.now
    for count in range(80):
        inhibit(bot, bounds() if count % 2 else bounds(factor=0.0))
        bot.run(0.02, UP)
    assert not fired_after(bot, start)
    inhibit(bot, bounds((0, 1)))
    bot.run(0.4, UP)
    assert fired_after(bot, start), "D is free"


def test_with_all_thrusters_inhibited_nothing_waits_for_the_end(bot):
    """Thrust off after capture: what was commanded meanwhile is not given afterwards."""
    bot.run(0.6, UP)
    for _ in range(100):
        inhibit(bot, np.zeros(16), "captured")
        bot.run(0.02, UP)
    at = bot.now
    assert bot.controller.telemetry(bot.now).allocation.forces.tolist() == [0.0] * 16
    assert not fired_after(bot, at - 1.9, range(16))
    bot.run(2.0)
    after = np.array([sum(close - opened for opened, close in own if opened > at) for own in bot.hardware.pulses()])
    given_late = bot.array.effectiveness @ (bot.array.f_max * after)
    assert abs(given_late[2]) < 60.0, "one window at most, of the 1000 N s that were inhibited"


def test_levels_of_single_thrusters_are_inhibited_too(vehicle):
    bot = Bot(vehicle)
    bot.send(bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True))

    def run(seconds, *, inhibited):
        for _ in range(round(seconds * 100)):
            bot.now += 0.01
            bot.send(bot.controller.command_levels(bot.now, [0.7] * 2 + [0.0] * 10 + [0.9] * 2 + [0.05, 0.3]))
            if inhibited:
                inhibit(bot)

    run(1.0, inhibited=False)
    assert fired_after(bot, 0.0)
    at = bot.now
    run(1.0, inhibited=True)
    assert not fired_after(bot, at + 0.05)
    assert all(close <= at + 0.0801 for j in CLUSTER_D for _, close in bot.hardware.pulses()[j])
    assert fired_after(bot, at + 0.3, (0, 1)), "the others go on"
    bot.send(bot.controller.stop(bot.now))
    check_timing(bot.hardware.pulses(), ValveTiming())


@pytest.mark.parametrize(
    ("values", "after", "text"),
    [
        (np.ones(15), 0.0, "bound: 15 values; allowed: 16"),
        ([[1.0] * 16], 0.0, "bound: 16 values; allowed: 16"),
        (bounds(factor=math.nan), 0.0, r"bound\[12\]: nan; allowed: 0 to 1"),
        (bounds(factor=-0.1), 0.0, r"bound\[12\]: -0.1; allowed: 0 to 1"),
        (bounds(factor=1.1), 0.0, r"bound\[12\]: 1.1; allowed: 0 to 1"),
        (bounds(), -0.5, "stamp: 0.500 s old; allowed: less than 0.5 s"),
        (bounds(), math.nan, "stamp: nan s old"),
        (bounds(), 0.6, "stamp: 0.600 s ahead of now; allowed: at most 0.5 s"),
        (bounds(), -0.2, "stamp: 0.200 s older than the newest; allowed: none"),
    ],
)
def test_an_order_that_cannot_be_is_refused_counted_and_leaves_the_one_before(vehicle, values, after, text):
    bot = Bot(vehicle)
    inhibit(bot)
    with pytest.raises(RefusalError, match=text):
        bot.controller.inhibit(bot.now, bot.now + after, values, "bad")
    telemetry = bot.controller.telemetry(bot.now)
    assert telemetry.telemetry_refused == {"inhibit": 1}
    assert any("inhibit refused" in warning for warning in telemetry.warnings)
    assert telemetry.limits.inhibition.reason == "plume"
    start = bot.now
    bot.run(0.45, UP)
    assert not fired_after(bot, start)


def test_one_that_is_stamped_ahead_ends_as_if_stamped_now_and_its_reason_is_one_line(vehicle):
    bot = Bot(vehicle)
    bot.controller.inhibit(bot.now, bot.now + 0.4, bounds(), "after\ncapture\x1b " + "x" * 200)
    reason = bot.controller.telemetry(bot.now).limits.inhibition.reason
    assert reason.startswith("after capture x")
    assert len(reason) == 80
    bot.run(0.51)
    assert not bot.controller.telemetry(bot.now).limits.inhibition.reason


def test_no_thruster_is_accused_and_the_set_of_health_stays(vehicle):
    """Inhibited in flight, with the valves' counters and a body that moves as the valves make it."""
    bot = Bot(vehicle)
    body, velocity, rates, on = bot.controller.motion.body, np.zeros(3), np.zeros(3), np.zeros(16)
    found = []
    for count in range(600):
        bot.run(0.01, [0.0, 30.0, 120.0 * (-1.0) ** (count // 150), 0.0, 0.0, 0.0])
        if count % 100 >= 40:
            inhibit(bot)
        open_now = np.zeros(16)
        for j, own in enumerate(bot.hardware.pulses()):
            for opened, close in own:
                ends = bot.now if close is None else close
                open_now[j] += max(min(ends, bot.now) - max(opened, bot.now - 0.01), 0.0)
        impulse = bot.array.effectiveness @ (bot.array.f_max * open_now)
        rates = rates + np.linalg.inv(body.inertia) @ impulse[3:]
        velocity = velocity + impulse[:3] / body.mass
        on = on + open_now
        found += bot.controller.update_valves(bot.now, valves(bot, on))
        if count % 2:
            found += bot.controller.update_motion(bot.now, odometry(bot, velocity - np.cross(rates, body.com), rates))
    assert not [one for one in found if one.condition is not None]
    assert not bot.controller.drive.faults.health.stuck()


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_inhibited_thruster_opens_whatever_is_flown(vehicle, seed):
    rng = np.random.default_rng(seed)
    bot = Bot(vehicle)
    last, until = np.ones(16), -math.inf
    for _ in range(60):
        try:
            if rng.random() < 0.2:
                bot.controller.set_modulator(bot.now, str(rng.choice(MODULATORS)))
            elif rng.random() < 0.1:
                bot.controller.update_motion(bot.now, odometry(bot, rates=rng.normal(size=3) * 0.02))
                bot.controller.set_attitude(bot.now, list(AttitudeMode)[int(rng.integers(3))])
        except RefusalError:
            pass
        if rng.random() < 0.4:
            last, until = rng.choice([0.0, 0.3, 1.0], 16), bot.now + 0.5
            inhibit(bot, last)
        begun = bot.now
        bot.run(0.04, [*(rng.normal(size=3) * 200.0), 0.0, 0.0, 0.0])
        if bot.now < until:
            closed = np.flatnonzero(last == 0.0).tolist()
            # Edges up to the lead after the order have been sent before it.
            new = [one for one in fired_after(bot, begun + 0.041, closed) if one <= bot.now]
            assert not new
    bot.send(bot.controller.stop(bot.now))
    check_timing(bot.hardware.pulses(), ValveTiming())
