"""The way of a command through the real processes: console, allocator, valves, rigid body, odometry."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("peer")

MODEL_MASS = 1200.0  # kg at start, launch/config/vehicles/dodecahedron.yaml


def test_a_push_gains_the_velocity_that_newton_asks_for(graph) -> None:
    run = graph.qiki("thrust", "alpha", "--force", "200", "0", "0", "--for", "2", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    flight = json.loads(run.stdout)
    # On a busy machine the console may end the push late.
    assert flight["lasted_s"] > 1.98
    expected = 200.0 * flight["lasted_s"] / MODEL_MASS
    gained = flight["gained_delta_v_m_s"]
    assert gained[0] == pytest.approx(expected, rel=0.02)
    assert abs(gained[1]) < 0.02 * expected
    assert abs(gained[2]) < 0.02 * expected


def test_the_other_bot_can_be_turned(graph) -> None:
    run = graph.qiki("thrust", "bravo", "--torque", "0", "0", "100", "--for", "1", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    flight = json.loads(run.stdout)
    assert flight["lasted_s"] > 0.98
    assert flight["gained_rate_rad_s"][2] == pytest.approx(100.0 * flight["lasted_s"] / 820.0, rel=0.03)


def test_status_shows_every_bot_and_node(graph) -> None:
    run = graph.qiki("status", "--json")
    assert run.returncode == 0, run.stderr
    status = json.loads(run.stdout)
    assert set(status["bots"]) == {"alpha", "bravo"}
    text = graph.qiki("status").stdout
    assert "alpha" in text
    assert "supercap" in text.lower()


def test_simulator_is_driven_from_the_console(graph) -> None:
    assert graph.qiki("sim", "pause").returncode == 0
    assert graph.qiki("sim", "step", "0.5").returncode == 0
    assert graph.qiki("sim", "resume").returncode == 0
    refused = graph.qiki("sim", "speed", "1000")
    assert refused.returncode == 2
    assert "1000" in refused.stdout + refused.stderr
    assert "100" in refused.stdout + refused.stderr


def test_a_dead_thruster_is_a_fault_the_operator_can_inject_and_clear(graph) -> None:
    assert graph.qiki("sim", "fault", "bravo", "thruster_stuck_closed", "3").returncode == 0
    assert graph.qiki("sim", "clear", "bravo").returncode == 0
    assert graph.qiki("sim", "fault", "bravo", "thruster_stuck_closed", "16").returncode == 2
