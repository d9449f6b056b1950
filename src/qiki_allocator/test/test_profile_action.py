"""The action `execute_thrust_profile` of the node as a real process: each goal ends in exactly one right result."""

import math
import signal
import subprocess
import sys
from uuid import uuid4

import pytest
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from bench import NODE, Flight, segment, send_odometry
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from unique_identifier_msgs.msg import UUID
from valve_hardware import on_times

from qiki_msgs.action import ExecuteThrustProfile
from qiki_msgs.msg import Allocation
from qiki_msgs.srv import SetAttitudeMode

pytestmark = pytest.mark.realtime

Result = ExecuteThrustProfile.Result


@pytest.mark.requirement("ALLOC-12")
def test_a_thrust_profile_is_flown_and_accounted_for(bench, array):
    flight = Flight(bench, segment(force=200.0), segment(group="ZTT +y", level=0.5))
    result = flight.result()
    assert result.outcome == Result.EXECUTED, result.reason
    # A busy machine may bring an edge too late for its valve, so the account is measured against the valves below;
    # test_controller.py has the whole impulse.
    assert 100.0 < result.impulse.force.x < 206.0
    assert result.impulse.force.y > 50.0
    assert result.energy > 0.0
    progress = [feedback.progress for feedback in flight.feedback]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1.0, abs=0.1)
    given = array.effectiveness @ (array.f_max * on_times(bench.hardware.pulses()))
    assert given[0] == pytest.approx(result.impulse.force.x, rel=0.01)


@pytest.mark.requirement("ALLOC-12")
def test_a_cancelled_profile_closes_the_valves_at_once(bench):
    flight = Flight(bench, segment(force=600.0, duration=30.0))
    bench.tick(1.0)
    cancelled = bench.now
    done = flight.handle.cancel_goal_async()
    bench.peer.spin_until(done.done)
    result = flight.result()
    assert result.outcome == Result.CANCELED
    assert result.reason == "canceled"
    assert 0.9 <= result.elapsed <= 1.2
    last = max(close for own in bench.hardware.pulses() for _, close in own)
    assert last <= cancelled + 0.04 + 0.031 + 0.011


def test_an_impossible_profile_is_rejected(bench):
    for bad, text in (
        (segment(force=100.0, duration=0.0), "segments[0].duration: 0.0 s; allowed"),
        (segment(group="ZTT up"), "segments[0].group: 'ZTT up'; allowed: ZTT +x"),
        (segment(force=math.nan), "segments[0].wrench.force.x: nan N; allowed: finite"),
        (segment(force=100.0, level=2.0), "segments[0].level: 2.0; allowed: 0 to 1"),
        (segment(force=1e10), "segments[0].wrench.force.x: 1e+10 N; allowed: -735.391 to 735.391 N"),
    ):
        result = Flight(bench, bad).result()
        assert result.outcome == Result.REJECTED
        assert text in result.reason


@pytest.mark.requirement("ALLOC-12")
def test_a_profile_with_too_many_segments_is_refused_and_one_beyond_the_message_is_not_sent(bench):
    """Each segment costs the node some 60 us before the goal can be refused: 100 000 would make it deaf for seconds."""
    most = [segment(force=10.0)] * 1000
    result = Flight(bench, *most).result()
    assert (result.outcome, result.reason) == (Result.REJECTED, "segments: 1000; allowed: 1 to 100")
    with pytest.raises(AssertionError, match="<= 1000"):
        ExecuteThrustProfile.Goal(segments=[*most, most[0]], check_fields=True)
    unsent = Flight(bench, *most, most[0], wait=False)
    bench.tick(0.3)
    assert not unsent.is_answered
    assert Flight(bench, segment(force=100.0, duration=0.2)).result().outcome == Result.EXECUTED


CLIENT = """
import sys, rclpy
from rclpy.action import ActionClient
from qiki_msgs.action import ExecuteThrustProfile
from qiki_msgs.msg import ThrustSegment
rclpy.init()
node = rclpy.create_node("doomed")
client = ActionClient(node, ExecuteThrustProfile, sys.argv[1])
client.wait_for_server()
segment = ThrustSegment(level=1.0, duration=2.0)
segment.header.frame_id, segment.wrench.force.x = "base_link", 100.0
goal = client.send_goal_async(ExecuteThrustProfile.Goal(segments=[segment]))
goal.add_done_callback(lambda done: done.result().get_result_async())
rclpy.spin(node)
"""


@pytest.mark.requirement("ALLOC-12")
def test_a_profile_goes_on_when_the_process_that_ordered_it_is_killed(bench):
    client = subprocess.Popen([sys.executable, "-c", CLIENT, f"{NODE}/execute_thrust_profile"])
    try:
        bench.tick_until(lambda: bench.allocations[-1].activity == Allocation.ACTIVITY_PROFILE)
    finally:
        client.kill()
        client.wait()
    bench.tick(0.5)
    assert bench.allocation().activity == Allocation.ACTIVITY_PROFILE
    bench.wait_for_state(Allocation.STATE_IDLE)
    assert Flight(bench, segment(force=100.0, duration=0.2)).result().outcome == Result.EXECUTED


def closed_by(bench):
    """s, when the last valve closed."""
    return max((close for own in bench.hardware.pulses() for _, close in own), default=0.0)


@pytest.mark.requirement("ALLOC-12")
def test_a_profile_that_is_cancelled_at_once_is_not_flown(bench):
    """Goal and cancellation back to back: the cancellation is there before a task of the executor would have run."""
    cancel = bench.peer.client(CancelGoal, f"{NODE}/execute_thrust_profile/_action/cancel_goal")
    bench.peer.spin_until(cancel.service_is_ready)
    bench.peer.meet(f"{NODE}/execute_thrust_profile/_action/cancel_goal")
    for _ in range(5):
        goal_id = UUID(uuid=list(uuid4().bytes))
        flight = Flight(bench, segment(force=200.0, duration=5.0), goal_id=goal_id, wait=False)
        request = CancelGoal.Request()
        request.goal_info.goal_id = goal_id
        cancelled = cancel.call_async(request)
        bench.peer.spin_until(cancelled.done)
        assert flight.is_accepted()
        if not cancelled.result().goals_canceling:
            continue  # it overtook its goal: there was nothing to cancel yet
        result = flight.result()
        assert (flight.status, result.outcome) == (GoalStatus.STATUS_CANCELED, Result.CANCELED)
        assert result.elapsed < 0.1
        break
    else:
        raise AssertionError("no cancellation came after its goal")
    bench.tick(0.5)
    assert closed_by(bench) <= bench.now - 0.4


@pytest.mark.requirement("ALLOC-12")
def test_a_new_goal_right_after_a_cancellation(bench):
    first = Flight(bench, segment(force=100.0, duration=30.0))
    bench.tick(0.3)
    cancelled = first.handle.cancel_goal_async()
    second = Flight(bench, segment(force=-100.0, duration=0.5))
    bench.peer.spin_until(cancelled.done)
    assert len(cancelled.result().goals_canceling) == 1
    assert second.result().outcome == Result.EXECUTED
    assert second.status == GoalStatus.STATUS_SUCCEEDED
    assert first.result().outcome == Result.CANCELED
    assert first.status == GoalStatus.STATUS_CANCELED
    assert first.result().impulse.force.x > 0.0 > second.result().impulse.force.x


@pytest.mark.requirement("EVENT-11c")
@pytest.mark.parametrize("command_id", ["x" * 201, "a\nb"])
def test_a_command_id_that_no_event_can_carry_is_refused(bench, command_id):
    flight = Flight(bench, segment(100.0), command_id=command_id)
    result = flight.result()
    assert result.outcome == ExecuteThrustProfile.Result.REJECTED
    assert result.reason.startswith("command_id ")
    assert not bench.commands


@pytest.mark.requirement("ALLOC-12")
def test_goals_beside_the_one_in_flight_are_refused_and_a_dead_client_leaves_it_alone(bench):
    """One from another client, which is cancelled in vain, and one with the same id."""
    other = ActionClient(bench.peer.node, ExecuteThrustProfile, f"{NODE}/execute_thrust_profile")
    bench.peer.spin_until(other.server_is_ready)
    bench.peer.meet(f"{NODE}/execute_thrust_profile/_action/send_goal")
    goal_id = UUID(uuid=list(uuid4().bytes))
    flown = Flight(bench, segment(force=100.0, duration=1.0), goal_id=goal_id, client=other)
    beside = Flight(bench, segment(force=100.0))
    assert beside.result().outcome == Result.REJECTED
    assert beside.status == GoalStatus.STATUS_ABORTED
    assert "a thrust profile is flown" in beside.result().reason
    cancelled = beside.handle.cancel_goal_async()
    bench.peer.spin_until(cancelled.done)
    assert not cancelled.result().goals_canceling
    assert not Flight(bench, segment(force=100.0), goal_id=goal_id).is_accepted()
    assert flown.is_accepted()
    other.destroy()
    bench.tick(0.3)
    assert bench.allocation().activity == Allocation.ACTIVITY_PROFILE
    bench.wait_for_state(Allocation.STATE_IDLE)
    assert Flight(bench, segment(force=100.0, duration=0.2)).result().outcome == Result.EXECUTED


@pytest.mark.requirement("ALLOC-12")
def test_a_clock_set_back_ends_a_profile(bench):
    flight = Flight(bench, segment(force=100.0, duration=30.0))
    bench.tick(0.2)
    bench.now = 1.0
    result = flight.result()
    assert (flight.status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.FAILED)
    assert result.reason == "clock: set back; allowed: forward only"


@pytest.mark.requirement("ALLOC-12")
def test_a_profile_with_torque_is_refused_while_an_attitude_mode_gives_the_torque(bench):
    def attitude(mode):
        request = SetAttitudeMode.Request(mode=mode, current=True)
        return bench.peer.call(SetAttitudeMode, f"{NODE}/set_attitude_mode", request)

    def keep_odometry():
        send_odometry(bench)
        return attitude(SetAttitudeMode.Request.HOLD).success

    bench.tick_until(keep_odometry)
    turn = segment(duration=0.5)
    turn.wrench.torque.z = 20.0
    for bad in (turn, segment(group="TORQUE +yaw")):
        result = Flight(bench, segment(force=10.0, duration=0.1), bad).result()
        assert result.outcome == Result.REJECTED
        assert result.reason.startswith("segments[1].torque: [")
        assert "allowed: 0 N m while the attitude mode is HOLD" in result.reason
    assert attitude(SetAttitudeMode.Request.OFF).success
    flight = Flight(bench, turn)
    bench.tick(0.02)
    send_odometry(bench)
    refused = attitude(SetAttitudeMode.Request.HOLD)
    assert "mode: HOLD; allowed: OFF while a thrust profile with torque is flown" in refused.message
    assert flight.result().outcome == Result.EXECUTED


@pytest.mark.requirement("ALLOC-12")
@pytest.mark.parametrize(
    "transitions",
    [
        (Transition.TRANSITION_DEACTIVATE,),
        (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE),
    ],
)
def test_a_profile_ends_with_the_node_that_flies_it(bench, transitions):
    def change(number):
        request = ChangeState.Request(transition=Transition(id=number))
        assert bench.peer.call(ChangeState, f"{NODE}/change_state", request, repeatable=False).success

    flight = Flight(bench, segment(force=100.0, duration=30.0))
    bench.tick(0.2)
    for transition in transitions:
        change(transition)
    result = flight.result()
    assert (flight.status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.FAILED)
    assert result.reason == "node deactivated"
    assert not Flight(bench, segment(force=100.0)).is_accepted()
    assert closed_by(bench) <= bench.now + 0.071
    change(Transition.TRANSITION_ACTIVATE)
    bench.tick_until(lambda: bench.allocations[-1].gate == "BOOST")


@pytest.mark.requirement("ALLOC-12")
def test_a_profile_ends_with_its_process(bench, process):
    """The last test of the module: it ends the node."""
    flight = Flight(bench, segment(force=100.0, duration=30.0))
    bench.tick(0.2)
    process.process.send_signal(signal.SIGTERM)
    bench.peer.spin_until(flight.is_done)
    assert (flight.status, flight.result().outcome) == (GoalStatus.STATUS_ABORTED, Result.FAILED)
    code, _, err = process.wait()
    assert code == 0, err
