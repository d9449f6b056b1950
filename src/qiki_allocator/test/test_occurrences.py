"""What happened: every change of mode, gate, attitude mode, arming, health and profile, each refusal and fault."""

import contextlib
import json
import math

import numpy as np
import pytest
from bot import FORCE, ZERO, Bot, odometry, valves
from hypothesis import given
from hypothesis import strategies as st
from valve_hardware import Hardware

from qiki_allocator.assembly import MODULATORS
from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.segments import Segment
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.table import Condition
from qiki_allocator.health.watch import MOTION, Finding


@pytest.fixture
def bot(vehicle):
    bot = Bot(vehicle)
    bot.controller.tick(bot.now)
    (first,) = bot.controller.journal.take()
    assert (first.type, first.data["cause"]) == ("allocator.configured", "start")
    return bot


def happened(bot):
    """(what, data) of everything since the last call, with its time checked."""
    taken = bot.controller.journal.take()
    assert all(one.time <= bot.now for one in taken)
    return [(one.type.removeprefix("allocator."), dict(one.data)) for one in taken]


def rebuilt(occurrences):
    """What the allocator is, from its occurrences alone."""
    state = {}
    for one in occurrences:
        kind, data = one.type.removeprefix("allocator."), json.loads(json.dumps(dict(one.data), allow_nan=False))
        if kind == "configured":
            state = {name: value for name, value in data.items() if name != "cause"}
        elif kind in ("mode_changed", "gate_changed", "attitude_mode_changed", "modulator_changed"):
            name = kind.removesuffix("_changed")
            assert state[name] == data["before"]
            state[name] = data[name]
        elif kind in ("armed", "disarmed"):
            state["armed"] = kind == "armed"
        elif kind == "thruster_health_changed":
            state["health"][data["thruster"]] = {"health": data["health"], "share": data["share"]}
        elif kind == "profile_started":
            assert state["profile"] is None
            state["profile"] = data["profile"]
        elif kind == "profile_ended":
            assert state["profile"] == data["profile"]
            state["profile"] = None
    return state


def standing(bot, telemetry):
    """What the allocator is, as it tells itself."""
    profile = bot.controller.profile
    return {
        "mode": telemetry.mode.value,
        "armed": telemetry.mode is Mode.MANUAL_OVERRIDE,
        "gate": telemetry.limits.energy.gate.value,
        "attitude_mode": telemetry.attitude_mode.name,
        "health": [
            {"health": condition.name, "share": share}
            for condition, share in zip(telemetry.conditions, telemetry.levels.tolist(), strict=True)
        ],
        "profile": profile.name if profile.is_on else None,
        "modulator": telemetry.modulator,
    }


def _do(bot, action, number):
    controller, now = bot.controller, bot.now
    if action == "mode":
        controller.set_modulator(now, MODULATORS[number // 3 % 4])
        bot.send(controller.set_mode(now, list(Mode)[number % 3], arm=number % 2 == 0))
    elif action == "attitude":
        controller.update_motion(now, odometry(bot))
        controller.set_attitude(now, list(AttitudeMode)[number % 3])
    elif action == "health":
        controller.set_health(now, number % 16, list(Condition)[number % 4], 0.25 * (number % 5))
    elif action == "valves":
        told = [list(Condition)[number % 3] if i == number % 16 else Condition.OK for i in range(16)]
        controller.update_valves(now, valves(bot, np.zeros(16), told))
    elif action == "energy":
        bot.soc = 0.1 * (number % 10)
    elif action == "silence":
        bot.hears = not bot.hears
    elif action == "profile":
        segments = [Segment(np.array(FORCE), 1.0, 0.0, 0.1 * (1 + number % 5))]
        controller.start_profile(now, segments, f"p{number}", MODULATORS[number % 4] if number % 3 == 0 else "")
    elif action == "cancel":
        bot.send(controller.cancel_profile(now))
    elif action == "brake":
        controller.update_motion(now, odometry(bot, velocity=(0.4, 0.0, 0.0)))
        bot.send(controller.brake(now))
    elif action == "stop":
        bot.send(controller.stop(now))
        controller.resume()
    elif action == "command":
        bot.command(FORCE if number % 2 else ZERO)
    elif action == "clock":
        bot.now = max(bot.now - 1.0, 0.0)
        bot.hardware = Hardware(16)


ACTIONS = (
    *("mode", "attitude", "health", "valves", "energy", "silence"),
    *("profile", "cancel", "brake", "stop", "command", "clock"),
)


@pytest.mark.requirement("ALLOC-12a")
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 60), st.floats(0.0, 1.5)), max_size=12))
def test_what_the_allocator_is_can_be_rebuilt_from_its_occurrences(vehicle, steps):
    bot = Bot(vehicle)
    seen = []
    for action, number, pause in [("command", 0, 0.05), *steps]:
        with contextlib.suppress(ValueError):  # refused: nothing changed
            _do(bot, action, number)
        bot.run(pause)
        telemetry = bot.controller.telemetry(bot.now)
        seen += bot.controller.journal.take()
        assert rebuilt(seen) == standing(bot, telemetry)


def test_changes_are_told_with_their_time(bot):
    bot.run(0.03)
    bot.send(bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True))
    bot.controller.set_health(bot.now, 4, Condition.WEAK, 0.5)
    changed, armed, health = bot.controller.journal.take()
    assert {one.time for one in (changed, armed, health)} == {bot.now}
    assert (changed.type, armed.type) == ("allocator.mode_changed", "allocator.armed")
    assert changed.data == {"mode": "MANUAL_OVERRIDE", "before": "ADAPTIVE"}
    assert health.data == {"thruster": 4, "health": "WEAK", "share": 0.5, "before": "OK"}
    bot.send(bot.controller.set_mode(bot.now, Mode.AUTO))
    assert [kind for kind, _ in happened(bot)] == ["mode_changed", "disarmed"]


def test_a_gate_is_told_in_the_cycle_that_it_counts_in(bot):
    bot.run(0.5, FORCE)
    happened(bot)
    bot.soc = 0.2
    bot.now += 0.01
    bot.hear()
    bot.send(bot.controller.tick(bot.now))
    gate, dropped = sorted(bot.controller.journal.take(), key=lambda one: one.type)
    assert (gate.type, gate.time) == ("allocator.gate_changed", bot.now)
    assert gate.data["gate"] == "STABILISE"
    assert gate.data["before"] == "BOOST"
    assert "supercapacitor at 0.200" in gate.data["reason"]
    assert dropped.type == "allocator.wrench_refused"
    assert dropped.data["topic"] == "flown"


def test_a_profile_is_told_from_start_to_end(bot):
    bot.controller.start_profile(bot.now, [Segment(np.array(FORCE), 1.0, 0.0, 1.0)], "burn")
    ((kind, data),) = happened(bot)
    assert (kind, data) == ("profile_started", {"profile": "burn", "segments": 1, "duration": 1.0})
    bot.run(2.0)
    ((kind, data),) = happened(bot)
    assert kind == "profile_ended"
    assert (data["profile"], data["outcome"], data["segment"]) == ("burn", "EXECUTED", 0)
    assert data["impulse"][0] == pytest.approx(200.0, rel=0.03)
    assert data["energy"] > 0.0


def test_a_profile_with_a_modulator_of_its_own_has_it_while_it_is_flown(bot):
    controller, segments = bot.controller, [Segment(np.array(FORCE), 1.0, 0.0, 0.5)]
    with pytest.raises(RefusalError, match="modulator: 'precise'; allowed: pulse_width, pwpf, bang_bang, impulse_bit"):
        controller.start_profile(bot.now, segments, "burn", "precise")
    assert not controller.profile.is_on
    controller.set_modulator(bot.now, "pwpf")
    controller.start_profile(bot.now, segments, "burn", "impulse_bit")
    set_, started, used = controller.journal.take()
    assert set_.data == {"modulator": "pwpf", "before": "pulse_width"}
    assert (used.data, used.cause) == ({"modulator": "impulse_bit", "before": "pwpf"}, started)
    controller.set_modulator(bot.now, "bang_bang")
    assert controller.telemetry(bot.now).modulator == "impulse_bit", "that of the profile"
    assert controller.settings.now.modulator == "bang_bang"
    bot.run(2.0)
    kinds = dict(happened(bot))
    assert kinds["modulator_changed"] == {"modulator": "bang_bang", "before": "impulse_bit"}
    assert kinds["profile_ended"]["outcome"] == "EXECUTED"


def test_refusals_are_told_once_per_reason_and_counted(bot):
    def ask(*wrench):
        try:
            bot.command(wrench)
        except ValueError:
            return happened(bot)
        return happened(bot)

    ((kind, first),) = ask(math.nan, 0, 0, 0, 0, 0)
    assert kind == "wrench_refused"
    assert first["held_back"] == 0
    assert "force.x: nan N" in first["reason"]
    for _ in range(9):
        assert ask(math.inf, 0, 0, 0, 0, 0) == []
    ((_, other),) = ask(0, 0, 0, 0, 0, -1e12)
    assert other["held_back"] == 9
    assert ask(*ZERO) == []
    assert ask(0, 0, 0, 0, 0, 2e12) == [], "not told twice within a second"
    bot.run(1.1)
    assert ask(*ZERO) == []
    ((_, again),) = ask(0, 0, 0, 0, 0, 2e12)
    assert again["held_back"] == 1


def test_a_watchdog_is_told(bot):
    bot.run(1.0, FORCE)
    bot.run(0.7)
    ((kind, data),) = happened(bot)
    assert kind == "watchdog_stopped"
    assert data["silent"] == pytest.approx(0.51, abs=0.011)
    assert data["commanded"] == FORCE


def test_faults_are_told_with_what_they_change(bot):
    told = [Condition.OK] * 16
    told[4] = Condition.DEAD
    bot.controller.update_valves(bot.now, valves(bot, np.zeros(16), told))
    (_, fault), (kind, health) = happened(bot)
    assert (fault["source"], fault["thrusters"], fault["health"]) == ("hardware", [4], "DEAD")
    assert (kind, health["thruster"], health["health"]) == ("thruster_health_changed", 4, "DEAD")


def test_findings_that_nothing_is_done_about_are_told_once_in_a_while(bot):
    journal = bot.controller.journal
    for i in range(40):
        journal.found(float(i), Finding("motion unexplained", MOTION, (), None), ())
    told = journal.take()
    assert [one.time for one in told] == [0.0, 10.0, 20.0, 30.0]
    assert [one.data["held_back"] for one in told] == [0, 9, 9, 9]
    assert all(one.data["score"] is None for one in told)


def causes(bot):
    """What caused what, by their types, of everything since the last call."""
    taken = bot.controller.journal.take()
    return {_kind(one): None if one.cause is None else _kind(one.cause) for one in taken}


def _kind(one):
    return one.type.removeprefix("allocator.")


def start_profile(bot, seconds=1.0):
    bot.controller.start_profile(bot.now, [Segment(np.array(FORCE), 1.0, 0.0, seconds)], "burn")
    (started,) = bot.controller.journal.take()
    return started


def test_a_mode_causes_what_it_ends_and_brings(bot):
    bot.controller.update_motion(bot.now, odometry(bot))
    bot.controller.set_attitude(bot.now, AttitudeMode.HOLD)
    assert causes(bot) == {"attitude_mode_changed": None}
    start_profile(bot, 5.0)
    bot.run(0.2)
    assert causes(bot) == {}
    bot.send(bot.controller.set_mode(bot.now, Mode.MANUAL_OVERRIDE, arm=True))
    taken = bot.controller.journal.take()
    assert taken[0].type == "allocator.mode_changed", "before what it causes"
    assert {one.type: one.cause for one in taken} == {
        "allocator.mode_changed": None,
        "allocator.armed": taken[0],
        "allocator.profile_ended": taken[0],
        "allocator.attitude_mode_changed": taken[0],
    }
    bot.send(bot.controller.set_mode(bot.now, Mode.AUTO))
    assert causes(bot) == {"mode_changed": None, "disarmed": "mode_changed"}


def test_a_profile_ends_because_it_began_unless_a_mode_ended_it(bot):
    started = start_profile(bot)
    bot.run(2.0)
    (ended,) = bot.controller.journal.take()
    assert (ended.type, ended.cause) == ("allocator.profile_ended", started)
    started = start_profile(bot)
    bot.send(bot.controller.stop(bot.now))
    (stopped,) = bot.controller.journal.take()
    assert (stopped.data["reason"], stopped.cause) == ("stopped", started), "the request is no event"
    bot.controller.resume()
    again = start_profile(bot)
    bot.controller.cancel_profile(bot.now)
    (canceled,) = bot.controller.journal.take()
    assert (canceled.data["outcome"], canceled.cause) == ("CANCELED", again), "not the one before"


def test_a_mode_that_comes_after_a_profile_has_ended_did_not_end_it(bot):
    """It ends EXECUTED, and its last pulses are still waited for."""
    started = start_profile(bot, 0.1)
    while bot.controller.profile.result.outcome is None:
        bot.run(0.01)
    assert bot.controller.profile.is_on, "or this test shows nothing"
    bot.send(bot.controller.set_mode(bot.now, Mode.AUTO))
    mode, ended = bot.controller.journal.take()
    assert (mode.type, ended.data["outcome"], ended.cause) == ("allocator.mode_changed", "EXECUTED", started)


def test_health_changes_because_of_the_fault_that_was_found(bot):
    told = [Condition.OK] * 16
    told[4], told[7] = Condition.DEAD, Condition.WEAK
    bot.controller.update_valves(bot.now, valves(bot, np.zeros(16), told))
    taken = bot.controller.journal.take()
    faults = {one.data["thrusters"][0]: one for one in taken if one.type == "allocator.fault_detected"}
    changes = {one.data["thruster"]: one.cause for one in taken if one.type == "allocator.thruster_health_changed"}
    assert changes == faults
    assert set(changes) == {4, 7}
    bot.controller.set_health(bot.now, 4, Condition.OK)
    assert causes(bot) == {"thruster_health_changed": None}, "an operator said so"
    bot.controller.set_health(bot.now, 9, Condition.DEAD)
    assert causes(bot) == {"thruster_health_changed": None}


def test_a_watchdog_and_a_gate_have_causes_that_are_no_events(bot):
    bot.run(0.5, FORCE)
    bot.run(0.9)
    assert causes(bot) == {"watchdog_stopped": None}
    bot.soc = 0.2
    bot.run(0.5, ZERO)
    assert causes(bot) == {"gate_changed": None}


@pytest.mark.requirement("EVENT-15g")
def test_a_clock_set_back_ends_and_begins_the_account(bot):
    bot.controller.start_profile(bot.now, [Segment(np.array(FORCE), 1.0, 0.0, 5.0)], "burn")
    bot.run(1.0)
    happened(bot)
    bot.now = 0.5
    bot.controller.tick(bot.now)
    kinds = [kind for kind, _ in happened(bot)]
    assert kinds[:2] == ["profile_ended", "configured"]
