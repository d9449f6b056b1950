"""Life between commands: watchdog, stop, refusals, health, clock."""

import math

import numpy as np
import pytest
from bot import FORCE, ZERO, Bot, odometry, valves
from valve_hardware import Hardware, check_timing, on_times, peak

from qiki_allocator import ValveTiming
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.segments import Segment
from qiki_allocator.flight.telemetry import Activity, Mode, State
from qiki_allocator.health.readings import ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_vehicle import MassProperties


@pytest.fixture
def bot(vehicle):
    return Bot(vehicle)


def test_a_command_is_answered_at_once_and_flown(bot):
    assert bot.command(FORCE) is not None
    assert bot.state is State.ACTIVE
    bot.run(2.0, FORCE)
    bot.command(ZERO)
    bot.run(1.0)
    assert bot.state is State.IDLE
    assert not bot.controller.is_active
    assert bot.impulse[0] == pytest.approx(200.0 * 2.01, rel=0.02)
    assert bot.hardware.late == 0


def test_every_command_while_active_is_answered(bot):
    bot.command(FORCE)
    for _ in range(50):
        bot.now += 0.01
        assert bot.command(FORCE) is not None


@pytest.mark.requirement("ALLOC-8")
def test_watchdog_closes_the_valves(bot):
    bot.run(1.0, [700.0, 0, 0, 0, 0, 0])
    silence = bot.now
    bot.run(0.45)
    assert bot.state is State.ACTIVE
    bot.run(0.2)
    assert bot.state is State.WATCHDOG
    assert not bot.controller.is_active
    pulses = bot.hardware.pulses()
    check_timing(pulses, ValveTiming())
    last = max(close for own in pulses for _, close in own)
    assert silence < last <= silence + 0.5 + 0.01 + 0.04 + 0.031
    bot.command(FORCE)
    assert bot.state is State.ACTIVE


@pytest.mark.requirement("ALLOC-8")
@pytest.mark.parametrize("wrench", [[math.nan, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, -math.inf], [0, 1e30, 0, 0, 0, 0]])
def test_bad_wrenches_are_refused_counted_and_do_not_feed_the_watchdog(bot, wrench):
    with pytest.raises(ValueError, match="allowed: finite"):
        bot.command(wrench)
    assert bot.state is State.REFUSED
    bot.command(FORCE)
    assert bot.state is State.ACTIVE
    assert bot.controller.status[1] == ""
    for _ in range(60):
        bot.run(0.01)
        with pytest.raises(ValueError, match="allowed: finite"):
            bot.command(wrench)
    assert bot.state is State.WATCHDOG or bot.state is State.REFUSED
    assert bot.controller.status[2] == 61
    assert "allowed" in bot.controller.status[1]
    assert not bot.controller.is_active


def test_stop_holds_against_a_stream_until_it_pauses(bot):
    bot.run(0.5, FORCE)
    bot.send(bot.controller.stop(bot.now))
    assert bot.state is State.STOPPED
    for _ in range(100):
        bot.run(0.01)
        with pytest.raises(ValueError, match=r"stopped; allowed: after a pause of 0.5 s"):
            bot.command(FORCE)
    assert bot.state is State.STOPPED
    assert max(close for own in bot.hardware.pulses() for _, close in own) < 10.5 + 0.08
    bot.run(0.6)
    assert bot.command(FORCE) is not None
    bot.send(bot.controller.stop(bot.now))
    bot.controller.resume()
    bot.now += 0.01
    bot.command(FORCE)
    assert bot.state is State.ACTIVE


def test_a_clock_set_back_clears_all_and_works_on(bot):
    bot.run(1.0, FORCE)
    bot.now = 0.5
    bot.hardware = Hardware(16)  # the simulator was restarted
    bot.controller.tick(bot.now)
    bot.hear()
    assert bot.send(bot.controller.tick(bot.now)) is None
    assert bot.state is State.IDLE
    assert not bot.controller.telemetry(bot.now).commanded.any()
    bot.run(1.0, FORCE)
    bot.command(ZERO)
    bot.run(1.0)
    assert bot.impulse[0] == pytest.approx(200.0 * 0.99, rel=0.02)


@pytest.mark.requirement("ALLOC-10")
def test_a_dead_thruster_is_not_used_from_the_next_command_on(bot):
    bot.controller.set_health(bot.now, 4, Condition.DEAD)
    bot.run(1.0, FORCE)
    bot.command(ZERO)
    bot.run(1.0)
    assert not bot.hardware.pulses()[4]
    assert bot.impulse[0] == pytest.approx(200.0, rel=0.02)
    with pytest.raises(ValueError, match=r"thruster: 16; allowed: 0 to 15"):
        bot.controller.set_health(bot.now, 16, Condition.DEAD)
    for level in (2.0, 1.0, 0.0, -0.1, math.nan):  # 0: absent in a request; 1: no effect
        with pytest.raises(ValueError, match=r"level: .*; allowed for weak: above 0 and below 1"):
            bot.controller.set_health(bot.now, 3, Condition.WEAK, level)
    assert bot.controller.drive.health[3].condition is Condition.OK


def test_a_thruster_stuck_open_is_compensated(bot, array):
    bot.controller.set_health(bot.now, 6, Condition.STUCK_OPEN)
    begun = bot.now
    bot.run(2.0, ZERO)
    assert bot.state is State.ACTIVE
    bot.send(bot.controller.stop(bot.now))
    stuck = array.effectiveness[:, 6] * 260.0 * (bot.now - begun)
    left = bot.impulse + stuck
    # The last window, cut by the stop, is all that may be missing.
    assert np.abs(left[:3]).max() <= 260.0 * 0.3
    assert np.abs(left[3:]).max() <= 260.0 * 0.3
    power = bot.controller.telemetry(bot.now).allocation.power
    assert power + 260.0 * 33.333 <= 45000.0


def test_a_new_centre_of_mass_counts(bot):
    bot.controller.update_mass(
        bot.now, MassProperties(1200.0, np.diag([760.0, 800.0, 820.0]), np.array([0.0, 0.0, 0.3]))
    )
    bot.run(1.0, FORCE)
    bot.command(ZERO)
    bot.run(1.0)
    moved = bot.array.with_com((0.0, 0.0, 0.3))
    given = moved.effectiveness @ (moved.f_max * on_times(bot.hardware.pulses()))
    assert np.abs(given[3:]).max() <= 0.5


def test_telemetry_tells_what_was_commanded(bot, array):
    at_rest = bot.controller.telemetry(bot.now)
    assert at_rest.state is State.IDLE
    assert np.isnan(at_rest.duty).all()
    assert at_rest.allocation.scale == math.inf
    bot.run(1.0, FORCE)
    bot.command(ZERO)
    bot.run(1.0)
    after = bot.controller.telemetry(bot.now)
    on = on_times(bot.hardware.pulses())
    np.testing.assert_allclose(after.duty, on / 2.0, atol=1e-3)
    assert after.energy == pytest.approx(float(33.333 * array.f_max @ on), rel=1e-6)
    np.testing.assert_array_equal(after.firings, [len(own) for own in bot.hardware.pulses()])
    assert not bot.controller.telemetry(bot.now + 0.05).duty.any()


@pytest.mark.requirement("ALLOC-5b")
def test_the_zero_wrench_cancels_a_window_that_was_planned_in_the_very_same_tick(bot):
    """20 Hz commands of any phase against 100 Hz ticks, on a clock that goes in steps of 10 ms."""
    rng = np.random.default_rng(0)
    begun = bot.now
    for _ in range(200):
        bot.hardware = Hardware(16)
        start = begun + rng.uniform(0.0, 0.05)
        events = [(start + 0.05 * k + rng.uniform(0.0, 0.003), "wrench") for k in range(40)]
        events += [(start + 2.0, "zero")]
        events += [(begun + 0.01 * k + 1e-4, "tick") for k in range(350)]
        events += [(begun + 0.1 * k + 2e-4, "telemetry") for k in range(35)]
        first = last = None
        for at, kind in sorted(events):
            bot.now = math.floor(at * 100.0 + 1e-6) / 100.0
            if kind == "telemetry":
                bot.hear()
            elif kind == "tick":
                if bot.controller.is_active:
                    bot.send(bot.controller.tick(bot.now))
            else:
                first, last = first or bot.now, bot.now
                bot.command(FORCE if kind == "wrench" else ZERO)
        assert not bot.controller.is_active
        assert bot.impulse[0] == pytest.approx(200.0 * (last - first), rel=0.01)
        begun = round(begun + 4.0, 2)


@pytest.mark.requirement("ALLOC-9")
def test_stabilise_refuses_translation_but_not_torque_or_brake(bot):
    bot.soc = 0.2
    bot.run(0.1)
    with pytest.raises(ValueError, match=r"force: 200 N; allowed: 0 N in STABILISE \(supercapacitor at 0.200\)"):
        bot.command(FORCE)
    assert bot.command([0.0, 0.0, 0.0, 20.0, 0.0, 0.0]) is not None
    bot.run(0.5, [0.0, 0.0, 0.0, 20.0, 0.0, 0.0])
    assert bot.controller.telemetry(bot.now).limits.energy.gate == "STABILISE"
    bot.controller.update_motion(bot.now, odometry(bot, velocity=(0.4, 0.0, 0.0)))
    assert bot.send(bot.controller.brake(bot.now)) is not None
    for _ in range(20):
        bot.run(0.01)
        bot.controller.update_motion(bot.now, odometry(bot, velocity=(0.4, 0.0, 0.0)))
    assert bot.controller.telemetry(bot.now).commanded[0] < -100.0
    for _ in range(100):
        bot.run(0.01)
        bot.controller.update_motion(bot.now, odometry(bot))
    assert bot.state is State.IDLE
    assert bot.controller.telemetry(bot.now).activity is Activity.NONE


@pytest.mark.requirement("ALLOC-9")
def test_a_gate_that_falls_ends_translation_in_the_same_cycle_and_is_named(bot):
    bot.run(0.5, FORCE)
    bot.soc = 0.2
    bot.now += 0.01
    bot.hear()
    fell = bot.now
    bot.hears = False
    bot.send(bot.controller.tick(bot.now))
    telemetry = bot.controller.telemetry(bot.now)
    assert not telemetry.commanded.any()
    assert "gate:STABILISE" in telemetry.binding
    assert "STABILISE" in telemetry.refusal
    assert telemetry.limits.energy.power_limit == 22500.0 - 2810.0
    bot.run(0.3)
    pushes = bot.array.effectiveness[0] > 0.1
    pulses = bot.hardware.pulses()
    last = max(close for own, pushing in zip(pulses, pushes, strict=True) if pushing for _, close in own)
    assert last <= fell + 0.04 + 0.25 + 0.031


@pytest.mark.requirement("ALLOC-9")
def test_lost_telemetry_lowers_the_limits(bot):
    bot.hears = False
    bot.run(1.2)
    limits = bot.controller.telemetry(bot.now).limits
    assert limits.energy.gate == "HOLD"
    assert limits.energy.power_limit == 22500.0
    assert any("energy telemetry" in warning for warning in bot.controller.telemetry(bot.now).warnings)
    bot.run(4.0)
    assert bot.controller.telemetry(bot.now).limits.energy.gate == "STABILISE"


@pytest.mark.requirement("ALLOC-9")
def test_a_hot_cluster_is_bounded_in_the_same_cycle_and_named(bot):
    bot.run(0.3, [600.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    bot.temperature = 105.0
    bot.hear()
    bot.command([600.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    telemetry = bot.controller.telemetry(bot.now)
    assert any(name.startswith("heat:") for name in telemetry.binding)
    assert np.all(telemetry.allocation.forces <= 0.5 * bot.array.f_max + 1e-6)
    bot.temperature = 125.0
    bot.hear()
    assert bot.controller.telemetry(bot.now).limits.heat.tripped == ("A", "B", "C", "D")


def test_attitude_hold_turns_back_and_lets_translation_be_commanded(bot):
    tilted = (0.0, 0.0, math.sin(0.05), math.cos(0.05))
    with pytest.raises(ValueError, match="odometry: none came"):
        bot.controller.set_attitude(bot.now, AttitudeMode.HOLD)
    bot.controller.update_motion(bot.now, odometry(bot))
    bot.controller.set_attitude(bot.now, AttitudeMode.HOLD)
    with pytest.raises(ValueError, match=r"torque: .* allowed: 0 N m while the attitude mode is HOLD"):
        bot.command([0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    for _ in range(50):
        bot.run(0.01, FORCE)
        bot.controller.update_motion(bot.now, odometry(bot, attitude=tilted))
    telemetry = bot.controller.telemetry(bot.now)
    assert telemetry.commanded[0] == 200.0
    assert telemetry.commanded[5] < -10.0
    bot.run(2.0)
    assert any("odometry" in warning for warning in bot.controller.telemetry(bot.now).warnings)
    assert not bot.controller.telemetry(bot.now).commanded.any()
    bot.controller.set_attitude(bot.now, AttitudeMode.OFF)
    bot.run(3.0)
    assert bot.state is State.IDLE


def test_a_profile_is_flown_and_accounted_for(bot):
    segments = [Segment(np.array(FORCE), 1.0, 0.5, 1.5), Segment(np.array(FORCE), 0.5, 0.0, 1.0)]
    bot.controller.start_profile(bot.now, segments)
    with pytest.raises(ValueError, match="a thrust profile is flown"):
        bot.command(FORCE)
    bot.run(3.2)
    result = bot.controller.profile.result
    assert not bot.controller.profile.is_on
    assert result.outcome == "EXECUTED"
    assert result.delivered[0] == pytest.approx(200.0 * 1.25 + 100.0, rel=0.02)
    assert bot.impulse[0] == pytest.approx(result.delivered[0], rel=1e-3)
    assert result.energy > 0.0
    assert bot.state is State.IDLE


def fly_with_late_valves(bot, segments, *, hears=True, late=0.02, until=1.0):
    """For `until` s every valve opens `late` s after it should; the counters tell so at 20 Hz. (impulse, (6,); energy)
    in truth."""
    good_from = bot.now + until

    def on_time(now, opened, closed):
        end = now if closed is None else min(now, closed)
        return max(end - opened - (late if opened < good_from else 0.0), 0.0)

    def on_times_by(now):
        return np.array([sum(on_time(now, *pulse) for pulse in own) for own in bot.hardware.pulses()])

    bot.controller.start_profile(bot.now, segments)
    for count in range(round(2.0 + 100.0 * sum(segment.duration for segment in segments)) + 100):
        if hears and count % 5 == 0:
            bot.controller.update_valves(bot.now, valves(bot, on_times_by(bot.now)))
        bot.run(0.01)
        if not bot.controller.profile.is_on:
            break
    on = on_times_by(math.inf)
    return bot.array.effectiveness @ (bot.array.f_max * on), float(33.333 * bot.array.f_max @ on)


@pytest.mark.requirement("ALLOC-12")
def test_a_profile_is_accounted_for_by_the_counters_of_the_valves(bot):
    impulse, energy = fly_with_late_valves(bot, [Segment(np.array(FORCE), 1.0, 0.5, 2.0)])
    result = bot.controller.profile.result
    assert result.outcome == "EXECUTED"
    np.testing.assert_allclose(result.delivered, impulse, atol=1e-6)
    assert result.energy == pytest.approx(energy, rel=1e-9)
    # What came late was made up for, so the profile got its impulse all the same.
    assert impulse[0] == pytest.approx(result.commanded[0], rel=0.05)


@pytest.mark.requirement("ALLOC-12")
def test_without_counters_a_profile_is_accounted_for_by_its_commands(bot):
    impulse, energy = fly_with_late_valves(bot, [Segment(np.array(FORCE), 1.0, 0.0, 1.0)], hears=False)
    result = bot.controller.profile.result
    on = on_times(bot.hardware.pulses())
    np.testing.assert_allclose(result.delivered, bot.array.effectiveness @ (bot.array.f_max * on), atol=1e-6)
    assert result.delivered[0] > 1.1 * impulse[0]
    assert result.energy > 1.1 * energy


def test_a_valve_that_never_opens_delivers_nothing_and_uses_nothing(bot):
    impulse, energy = fly_with_late_valves(bot, [Segment(np.array(FORCE), 1.0, 0.0, 1.0)], late=10.0, until=10.0)
    assert not impulse.any()
    assert energy == 0.0
    result = bot.controller.profile.result
    np.testing.assert_allclose(result.delivered, 0.0, atol=1e-6)
    assert result.energy == pytest.approx(0.0, abs=1e-6)


def test_a_thruster_stuck_open_counts_for_a_profile(bot):
    bot.controller.set_health(bot.now, 6, Condition.STUCK_OPEN)
    bot.controller.start_profile(bot.now, [Segment(np.array(FORCE), 1.0, 0.0, 2.0)])
    bot.run(2.2)
    result = bot.controller.profile.result
    assert result.delivered[0] == pytest.approx(400.0, rel=0.1)


@pytest.mark.requirement("ALLOC-12")
def test_cancelling_a_profile_closes_the_valves_in_this_cycle(bot):
    bot.controller.start_profile(bot.now, [Segment(np.array([600.0, 0, 0, 0, 0, 0]), 1.0, 0.0, 10.0)])
    bot.run(1.0)
    cancelled = bot.now
    assert bot.send(bot.controller.cancel_profile(bot.now)) is not None
    assert max(close for own in bot.hardware.pulses() for _, close in own) <= cancelled + 0.04 + 0.031
    result = bot.controller.profile.result
    assert result.outcome == "CANCELED"
    assert result.elapsed == pytest.approx(1.0, abs=0.02)
    for reason, end in (("stopped", lambda: bot.send(bot.controller.stop(bot.now))), ("STABILISE", None)):
        bot.controller.resume()
        bot.controller.start_profile(bot.now, [Segment(np.array(FORCE), 1.0, 0.0, 10.0)])
        bot.run(0.5)
        if end is None:
            bot.soc = 0.1
            bot.run(1.0)
        else:
            end()
        assert bot.controller.profile.result.outcome == "FAILED"
        assert reason in bot.controller.profile.result.reason


@pytest.mark.requirement("ALLOC-11")
def test_auto_uses_the_thrusters_of_groups_only(bot):
    bot.controller.set_mode(bot.now, Mode.AUTO)
    wanted = [0.0, 400.0, 0.0, 0.0, 0.0, 0.0]
    bot.run(2.0, wanted)
    drive = bot.controller.drive
    group = drive.groups.groups(drive.array, drive.faults.health).ztt["+y"]
    bot.command(ZERO)
    bot.run(1.0)
    fired = {i for i, own in enumerate(bot.hardware.pulses()) if own}
    assert fired <= set(group.thrusters)
    assert bot.impulse[1] == pytest.approx(400.0 * 2.0, rel=0.03)
    check_timing(bot.hardware.pulses(), ValveTiming())


@pytest.mark.requirement("ALLOC-11")
def test_manual_override_fires_single_thrusters_under_the_limits(bot):
    levels = np.zeros(16)
    levels[[3, 9]] = 0.3, 1.0
    with pytest.raises(ValueError, match="cmd_levels: mode ADAPTIVE; allowed: MANUAL_OVERRIDE, armed"):
        bot.controller.command_levels(bot.now, levels)
    with pytest.raises(ValueError, match="arm: False"):
        bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE)
    bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True)
    with pytest.raises(ValueError, match=r"level\[0\]: 2.0; allowed: 0 to 1"):
        bot.controller.command_levels(bot.now, np.full(16, 2.0))
    for _ in range(400):
        bot.run(0.01)
        bot.send(bot.controller.command_levels(bot.now, levels))
    assert bot.controller.telemetry(bot.now).activity is Activity.LEVELS
    bot.send(bot.controller.command_levels(bot.now, np.zeros(16)))
    bot.run(0.5)
    pulses = bot.hardware.pulses()
    on = on_times(pulses)
    assert on[3] == pytest.approx(0.3 * 4.0, rel=0.05)
    assert on[9] > 0.7 * 4.0
    assert not np.delete(on, [3, 9]).any()
    check_timing(pulses, ValveTiming())
    for _ in range(300):
        bot.run(0.01)
        bot.send(bot.controller.command_levels(bot.now, np.ones(16)))
    bot.run(1.0)
    assert bot.state is State.WATCHDOG
    assert not bot.controller.is_active
    check_timing(bot.hardware.pulses(), ValveTiming())
    assert peak(bot.hardware.pulses(), bot.array.f_max * 33.333) <= 45000.0


@pytest.mark.requirement("ALLOC-8a")
def test_other_commands_do_not_keep_levels_alive(bot):
    """A pilot goes on with zero wrenches, which are accepted in every mode."""
    bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True)
    levels = np.zeros(16)
    levels[8] = 0.5
    bot.send(bot.controller.command_levels(bot.now, levels))
    levels[:] = 1.0  # the caller's own
    begun = bot.now
    bot.run(3.0, ZERO, rate=50.0)
    assert bot.state is State.WATCHDOG
    assert not bot.controller.is_active
    pulses = bot.hardware.pulses()
    assert not any(own for i, own in enumerate(pulses) if i != 8)
    assert begun + 0.25 < max(close for _, close in pulses[8]) <= begun + 0.5 + 0.02 + 0.04 + 0.031
    assert [one.type for one in bot.controller.journal.take()][-1] == "allocator.watchdog_stopped"


@pytest.mark.requirement("ALLOC-8")
def test_a_zero_wrench_after_the_pause_ends_stop_in_manual_override(bot):
    bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True)
    bot.controller.stop(bot.now)
    bot.run(1.0)
    bot.command(ZERO)
    assert bot.state is State.IDLE
    bot.now += 0.02
    bot.command(ZERO)
    assert bot.controller.command_levels(bot.now, np.full(16, 0.5)) is not None


@pytest.mark.requirement("ALLOC-8")
@pytest.mark.parametrize("late", [0.0, 0.003])
def test_one_command_is_flown_for_half_a_second_at_most(bot, late):
    """Also where the cycle in which the watchdog ends is the first of a window."""
    bot.now += late
    bot.command(FORCE)
    bot.run(2.0)
    assert 0.25 * FORCE[0] < bot.impulse[0] <= 0.5 * FORCE[0] + 1.0


def test_commands_count_that_were_sent(bot):
    """Not those of a mode that is set at rest, nor those of a stall, which the hardware has closed by itself."""
    bot.send(bot.controller.set_mode(bot.now, Mode.AUTO))
    bot.send(bot.controller.set_mode(bot.now, Mode.ADAPTIVE))
    assert bot.controller.telemetry(bot.now).way.commands == 0
    bot.run(0.3, FORCE)
    bot.now += 2.0
    bot.hear()
    bot.run(0.3)
    bot.run(0.2, FORCE)
    bot.send(bot.controller.stop(bot.now))
    assert bot.sent > 10
    assert bot.controller.telemetry(bot.now).way.commands == bot.sent


@pytest.mark.requirement("ALLOC-8a")
def test_other_commands_do_not_keep_a_wrench_alive(bot):
    """Refused levels and an attitude mode: the hold goes on, the force ends."""
    bot.controller.update_motion(bot.now, odometry(bot))
    bot.controller.set_attitude(bot.now, AttitudeMode.HOLD)
    bot.command(FORCE)
    for _ in range(100):
        bot.run(0.01)
        bot.controller.update_motion(bot.now, odometry(bot))
        with pytest.raises(ValueError, match="cmd_levels: mode ADAPTIVE"):
            bot.controller.command_levels(bot.now, np.ones(16))
        bot.controller.set_attitude(bot.now, AttitudeMode.HOLD)
    assert bot.state is State.ACTIVE
    assert not bot.controller.telemetry(bot.now).commanded.any()
    assert bot.impulse[0] == pytest.approx(200.0 * 0.51, rel=0.05)


@pytest.mark.requirement("ALLOC-5b")
def test_late_edges_are_made_up_for(bot):
    """Half the pulses come 20 ms short, as the valves' own counters tell."""
    given = np.zeros(16)
    for count in range(400):
        bot.run(0.01, FORCE if count < 300 else ZERO)
        if count % 5 == 0:
            done = [[(a, b) for a, b in own if b is not None and b <= bot.now] for own in bot.hardware.pulses()]
            given = np.array([sum(b - a - 0.02 * (k % 2) for k, (a, b) in enumerate(own)) for own in done])
            running = [own[-1] for own in bot.hardware.pulses() if own]
            if all(b is not None and (b <= bot.now or a > bot.now) for a, b in running):
                bot.controller.update_valves(bot.now, valves(bot, given))
    bot.run(1.0)
    short = [sum(b - a - 0.02 * (k % 2) for k, (a, b) in enumerate(own)) for own in bot.hardware.pulses()]
    assert bot.array.effectiveness[0] @ (bot.array.f_max * short) == pytest.approx(600.0, rel=0.03)


@pytest.mark.requirement("ALLOC-10")
def test_what_the_hardware_tells_of_a_thruster_is_absorbed_and_named(bot):
    told = [Condition.OK] * 16
    told[4] = Condition.DEAD
    (finding,) = bot.controller.update_valves(bot.now, valves(bot, np.zeros(16), told))
    assert (finding.source, finding.thrusters, finding.condition) == ("hardware", (4,), Condition.DEAD)
    assert bot.controller.update_valves(bot.now, valves(bot, np.zeros(16), told, after=0.05)) == []
    bot.run(0.5, FORCE)
    assert not bot.hardware.pulses()[4]
    for pair in (0, 3):
        bot.controller.set_health(bot.now, pair, Condition.DEAD)
    assert bot.controller.telemetry(bot.now).uncontrollable
    told[4] = Condition.OK
    (finding,) = bot.controller.update_valves(bot.now, valves(bot, np.zeros(16), told, after=0.1))
    assert finding.condition is Condition.OK


def test_mass_properties_of_a_composite_replace_the_bots_own(bot):
    def body(mass, height):
        return MassProperties(mass, np.diag([760.0, 800.0, 820.0]), np.array([0.0, 0.0, height]))

    own, docked = body(1200.0, 0.3), body(2400.0, 0.5)
    assert bot.controller.update_mass(bot.now, own)
    assert not bot.controller.update_mass(bot.now, body(1199.0, 0.3)), "the mass alone"
    assert bot.controller.update_mass(bot.now, docked, composite=True)
    assert not bot.controller.update_mass(bot.now, own)
    assert bot.controller.motion.body is docked
    np.testing.assert_array_equal(bot.controller.drive.array.com, docked.com)


@pytest.mark.parametrize("report", ["power", "valves", None])
def test_motion_is_no_evidence_while_the_hardware_keeps_the_valves_closed(bot, report):
    """No pulse moves the body, which is a fault, unless the reason is known."""
    found = []
    for _ in range(300):
        bot.run(0.01, [400.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        if report == "power":
            bot.controller.update_energy(bot.now, EnergyReading(bot.now, bot.soc, 22500.0, tripped=True))
        if report == "valves":
            closed = ValveReading(bot.now, np.full(16, math.nan), (None,) * 16, forced_closed=True)
            bot.controller.update_valves(bot.now, closed)
        found += bot.controller.update_motion(bot.now, odometry(bot))
    assert bool(found) == (report is None)
