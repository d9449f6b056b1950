"""A docked pair in the twin, flown by one lead with the thrusters of both."""

import numpy as np
import pytest
from docked import bot, scenario

from qiki_allocator.docked.members import Joint
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.telemetry import Activity
from qiki_loop import ClosedLoop
from qiki_loop.assembly import LedAssembly
from qiki_vehicle import quaternion

MASS = 2400.0  # kg of both


@pytest.fixture
def pair(tmp_path):
    """A loop of two bots that are docked, and its led assembly."""
    path = scenario(tmp_path, [bot("alpha"), bot("bravo")], station=False, docked=[("bravo", "B", "alpha", "A")])
    loop = ClosedLoop.from_file(path, control_rate=50.0, telemetry_rate=0, fault_detection=False)
    loop.run(0.5)
    return loop, LedAssembly(loop, "alpha", [Joint("alpha", "A", "bravo", "B")], control_rate=50.0)


def tilt(motion):
    return np.degrees(2.0 * np.arccos(min(abs(float(motion.orientation[3])), 1.0)))


@pytest.mark.requirement("ALLOC-23")
@pytest.mark.parametrize("dead", [None, 5], ids=["all thrusters", "a dead one of the partner"])
def test_a_welded_pair_is_moved_10_m_within_10_cm_with_its_attitude_held(pair, dead):
    loop, assembly = pair
    if dead is not None:
        loop.world.inject_fault("bravo", "thruster_stuck_closed", str(dead))
    loop.run(0.2)
    assembly.act(lambda controller, now: controller.set_attitude(now, AttitudeMode.HOLD, quaternion.IDENTITY))
    goal, worst = np.array([10.0, 0.0, 0.0]), 0.0

    def fly(motion):
        nonlocal worst
        worst = max(worst, tilt(motion))
        turn = quaternion.matrix(motion.orientation)
        towards = 0.3 * (goal - motion.position)
        towards *= min(1.0, 0.6 / max(float(np.linalg.norm(towards)), 1e-9))
        force = turn.T @ (MASS * (towards - turn @ motion.velocity))
        force *= min(1.0, 500.0 / max(float(np.abs(force).max()), 1e-9))
        assembly.command([*force, 0.0, 0.0, 0.0])

    loop.listen("alpha", "odom", fly)
    loop.run(24.0)
    here = loop.world.motion("alpha")
    assert np.linalg.norm(np.asarray(here.position) - goal) < 0.1
    assert worst < 2.0
    assert assembly.ended == ""
    on = loop.world.valves("bravo").on_time
    assert sum(on) > 1.0
    assert dead is None or on[dead] == 0.0


@pytest.mark.requirement("ALLOC-24")
def test_when_the_partner_is_lost_its_valves_close_and_both_fly_themselves_again(pair):
    loop, assembly = pair
    loop.run(0.2)
    assembly.command([400.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    loop.run(0.3)
    assert any(loop.world.valves("bravo").open)
    assembly.unreachable.add("bravo")
    begun = loop.time
    loop.run_until(lambda: not any(loop.world.valves("bravo").open), 0.6)
    assert loop.time - begun <= 0.5
    loop.run_until(lambda: assembly.ended != "", 1.0)
    assert assembly.ended == "silent:bravo (no report of bravo for 0.5 s)"
    loop.run(0.2)
    assert [loop.controller(body).lead for body in ("alpha", "bravo")] == ["", ""]
    loop.command("bravo", [50.0, 0.0, 0.0, 0.0, 0.0, 0.0])


@pytest.mark.requirement("ALLOC-24")
def test_a_brake_under_way_at_the_end_is_dropped_and_the_pair_drifts_until_the_next_one(pair):
    loop, assembly = pair
    loop.run(0.2)
    assembly.act(lambda controller, now: controller.set_attitude(now, AttitudeMode.HOLD, quaternion.IDENTITY))
    for _ in range(20):
        assembly.command([1500.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        loop.run(0.1)
    assembly.act(lambda controller, now: controller.brake(now))
    loop.run(0.4)
    assembly.unreachable.add("bravo")
    loop.run_until(lambda: assembly.ended != "", 1.0)
    loop.run(0.1)
    bodies = ("alpha", "bravo")
    assert not any(any(loop.world.valves(body).open) for body in bodies)
    on_times = [sum(loop.world.valves(body).on_time) for body in bodies]
    drift = np.linalg.norm(loop.world.motion("alpha").velocity)
    assert drift > 0.2
    loop.run(3.0)
    assert [sum(loop.world.valves(body).on_time) for body in bodies] == on_times, "nobody brakes by itself"
    assert [loop.controller(body).activity for body in bodies] == [Activity.NONE] * 2
    again = LedAssembly(loop, "alpha", [Joint("alpha", "A", "bravo", "B")], control_rate=50.0)
    loop.run(0.2)
    again.act(lambda controller, now: controller.brake(now))
    loop.run_until(lambda: again.lead.controller.activity is Activity.NONE, 15.0)
    rest = 0.02 + 0.008 * 1.2  # m/s, of the common centre of mass; rad/s, and m to there
    assert np.linalg.norm(loop.world.motion("alpha").velocity) < rest
