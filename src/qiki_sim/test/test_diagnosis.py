"""Diagnostics of a simulation (SIM-N6)."""

from types import SimpleNamespace

import pytest
from sim_helpers import command, make_world

from qiki_node.health import Level
from qiki_sim.pacer import Pacer
from qiki_sim.ros.diagnosis import Flow, of_simulation


@pytest.fixture
def runner(tmp_path):
    return SimpleNamespace(world=make_world(tmp_path), pacer=Pacer(0.01, 10.0, 0.0), paused=False)


def test_it_keeps_up(runner):
    health = of_simulation(runner, Flow(9.9, 480.0), 0, "")
    assert (health.level, health.message) == (Level.OK, "running")
    assert health.values["speed"] == 10.0
    assert health.values["real_time_factor"] == "9.900"
    assert health.values["commands_per_second"] == "480.0"


def test_a_speed_that_was_not_measured_yet_is_unknown(runner):
    health = of_simulation(runner, Flow(), 0, "")
    assert (health.level, health.values["real_time_factor"]) == (Level.OK, "")


def test_a_speed_that_is_not_reached_is_named_with_the_commands_taken(runner):
    health = of_simulation(runner, Flow(3.2, 41.0), 0, "")
    assert (health.level, health.message) == (
        Level.WARN,
        "slower than asked: 3.20 of 10, 41 valve commands taken per s",
    )


def test_commands_that_come_late_are_named(runner):
    runner.world.step(2.0)
    runner.world.command("alpha", command(0.5, (), range(16)))
    late = runner.world.bot("alpha").valves.late_edges
    assert late == 16
    health = of_simulation(runner, Flow(10.0, 90.0, late), 0, "")
    assert health.level == Level.WARN
    assert health.message == "16 valve edges came late at speed 10, 90 valve commands taken per s"


@pytest.mark.parametrize("others", [(), ("/player",)])
@pytest.mark.parametrize("paused", [True, False])
def test_a_pause_is_reported_whatever_else_is_wrong(runner, paused, others):
    runner.paused = paused
    health = of_simulation(runner, Flow(0.0), 0, "", others)
    assert health.values["paused"] is paused
    assert health.message.startswith("paused") == paused
    assert all(name in health.message for name in others)


def test_other_publishers_of_the_clock_are_named(runner):
    health = of_simulation(runner, Flow(10.0), 0, "", ["/other/sim", "/player"])
    assert health.level == Level.ERROR
    assert health.message == "/clock is published by /other/sim, /player too: simulated time jumps"
