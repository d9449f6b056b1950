"""The node as a real process: wrench in, valve command out, refusals, watchdog, services, clock."""

import math

import numpy as np
import pytest
from bench import NODE, TICK, send_odometry
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from std_srvs.srv import Trigger
from valve_hardware import check_timing, on_times
from visualization_msgs.msg import Marker, MarkerArray

from qiki_allocator import ThrusterArray, ValveTiming
from qiki_msgs.msg import Allocation, ThrusterInhibit, ThrusterLevels, ThrusterState
from qiki_msgs.srv import ListGroups, SetAllocatorMode, SetAttitudeMode, SetModulator, SetThrusterHealth
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.testing import NodeProcess, Peer

pytestmark = pytest.mark.realtime


def test_a_wrench_becomes_pulses_with_its_impulse(bench, array):
    begun = bench.now
    bench.command(200, 0, 0, 0, 0, 0, frame="alpha/base_link")
    bench.peer.spin_until(lambda: bool(bench.commands))
    first = bench.commands[0]
    assert bench.now == begun, "answered without a step of the clock"
    assert first.header.frame_id == "alpha/base_link"
    assert len(first.open_time) == len(first.close_time) == 16
    start = first.header.stamp.sec + first.header.stamp.nanosec * 1e-9
    assert 0.0 <= start - bench.now <= 0.041
    for _ in range(100):
        bench.command(200, 0, 0, 0, 0, 0)
        bench.tick()
    flying = bench.allocation()
    assert flying.state == Allocation.STATE_ACTIVE
    assert flying.mode == Allocation.MODE_ADAPTIVE
    assert flying.commanded.force.x == 200.0
    assert flying.allocated.force.x == pytest.approx(200.0, rel=1e-6)
    assert flying.scale > 1.0
    assert 0.0 < flying.margin < 1.0
    assert flying.duality_gap < 1e-3
    assert flying.primal_violation < 1e-6
    assert flying.solve_time > 0.0
    assert sum(flying.forces) * 33.333 == pytest.approx(flying.power, rel=1e-5)
    bench.command(0, 0, 0, 0, 0, 0)
    ended = bench.now
    bench.tick(0.8)
    pulses = bench.hardware.pulses()
    check_timing(pulses, ValveTiming())
    impulse = array.effectiveness @ (array.f_max * on_times(pulses))
    assert impulse[0] == pytest.approx(200.0 * (ended - begun), rel=0.03)
    assert np.abs(impulse[3:]).max() < 0.5
    after = bench.wait_for_state(Allocation.STATE_IDLE)
    assert list(after.firings)[4] >= 4
    assert after.energy > 0.0
    assert after.scale == math.inf


@pytest.mark.requirement("ALLOC-8")
@pytest.mark.parametrize(
    ("wrench", "frame", "text"),
    [
        ([math.nan, 0, 0, 0, 0, 0], "base_link", "force.x: nan N; allowed: finite"),
        ([0, 0, 0, 0, math.inf, 0], "base_link", "torque.y: inf N m; allowed: finite"),
        ([100, 0, 0, 0, 0, 0], "world", "header.frame_id: 'world'; allowed: 'base_link' or 'alpha/base_link'"),
        ([100, 0, 0, 0, 0, 0], "", "header.frame_id: ''; allowed"),
    ],
)
def test_a_bad_wrench_is_refused_and_the_node_goes_on(bench, wrench, frame, text):
    before = bench.allocation().refused
    bench.command(*wrench, frame=frame)
    refused = bench.wait_for_state(Allocation.STATE_REFUSED)
    assert text in refused.refusal
    assert refused.refused == before + 1
    assert not bench.commands
    bench.command(50, 0, 0, 0, 0, 0)
    bench.peer.spin_until(lambda: bool(bench.commands))
    assert bench.wait_for_state(Allocation.STATE_ACTIVE).refusal == ""


@pytest.mark.requirement("ALLOC-8")
def test_watchdog_closes_the_valves(bench):
    bench.command(700, 0, 0, 0, 0, 0)
    bench.peer.spin_until(lambda: bool(bench.commands))
    silence = bench.now
    bench.wait_for_state(Allocation.STATE_WATCHDOG)
    bench.tick(0.1)
    pulses = bench.hardware.pulses()
    check_timing(pulses, ValveTiming())
    last = max(close for own in pulses for _, close in own)
    assert silence + 0.4 < last < silence + 0.5 + 0.1
    sent = len(bench.commands)
    bench.tick(0.3)
    assert len(bench.commands) == sent, "at rest nothing is sent"


def test_stop_service(bench):
    bench.command(700, 0, 0, 0, 0, 0)
    bench.peer.spin_until(lambda: bool(bench.commands))
    bench.tick(0.1)
    assert bench.peer.call(Trigger, f"{NODE}/stop", Trigger.Request()).success
    bench.command(700, 0, 0, 0, 0, 0)
    bench.tick_until(lambda: bench.allocations[-1].state == Allocation.STATE_STOPPED)
    bench.tick_until(lambda: "stopped" in bench.allocations[-1].refusal)
    assert max(close for own in bench.hardware.pulses() for _, close in own) < bench.now + 0.1
    request = SetAllocatorMode.Request(mode=Allocation.MODE_ADAPTIVE)
    assert bench.peer.call(SetAllocatorMode, f"{NODE}/set_mode", request).success
    bench.command(50, 0, 0, 0, 0, 0)
    bench.wait_for_state(Allocation.STATE_ACTIVE)


def test_modes(bench):
    def set_mode(mode, arm=False):
        return bench.peer.call(SetAllocatorMode, f"{NODE}/set_mode", SetAllocatorMode.Request(mode=mode, arm=arm))

    refused = set_mode(77)
    assert not refused.success
    assert "mode: 77; allowed: 1 (AUTO), 2 (ADAPTIVE), 3 (MANUAL_OVERRIDE)" in refused.message
    refused = set_mode(Allocation.MODE_MANUAL_OVERRIDE)
    assert not refused.success
    assert "arm: False; allowed for MANUAL_OVERRIDE: True" in refused.message
    assert bench.allocation().mode == Allocation.MODE_ADAPTIVE
    assert set_mode(Allocation.MODE_MANUAL_OVERRIDE, True).success
    bench.command(50, 0, 0, 0, 0, 0)
    assert "MANUAL_OVERRIDE; allowed: cmd_levels" in bench.wait_for_state(Allocation.STATE_REFUSED).refusal
    assert set_mode(Allocation.MODE_AUTO).success
    bench.command(50, 0, 0, 0, 0, 0)
    flying = bench.wait_for_state(Allocation.STATE_ACTIVE)
    assert flying.mode == Allocation.MODE_AUTO
    assert flying.activity == Allocation.ACTIVITY_COMMAND
    assert set_mode(Allocation.MODE_ADAPTIVE).success


@pytest.mark.requirement("ALLOC-10")
def test_a_dead_thruster_is_named_and_not_used(bench):
    service = f"{NODE}/set_thruster_health"
    for thruster in (4, 5, 6, 7):
        request = SetThrusterHealth.Request(thruster=thruster, health=ThrusterState.HEALTH_STUCK_CLOSED)
        assert bench.peer.call(SetThrusterHealth, service, request).success
    bench.command(200, 0, 0, 0, 0, 0)
    answer = bench.wait_for_state(Allocation.STATE_ACTIVE)
    assert not any(answer.forces[4:8])
    assert "dead:4" in answer.binding
    assert answer.margin < 0.0
    refused = bench.peer.call(SetThrusterHealth, service, SetThrusterHealth.Request(thruster=16, health=1))
    assert not refused.success
    assert "thruster: 16; allowed: 0 to 15" in refused.message
    refused = bench.peer.call(SetThrusterHealth, service, SetThrusterHealth.Request(thruster=1, health=9))
    assert "health: 9; allowed" in refused.message


def test_a_new_centre_of_mass_is_used(bench, array: ThrusterArray):
    bench.send_mass((0.0, 0.0, 0.3))
    bench.tick(0.1)
    bench.command(200, 0, 0, 0, 0, 0)
    answer = bench.wait_for_state(Allocation.STATE_ACTIVE)
    given = array.with_com((0.0, 0.0, 0.3)).effectiveness @ np.array(answer.forces)
    np.testing.assert_allclose(given, [200, 0, 0, 0, 0, 0], atol=1e-3)
    for com, frame in (((math.nan, 0.0, 0.0), "base_link"), ((0.0, 0.0, 9.0), "world")):
        bench.send_mass(com, frame)
        bench.tick(0.05)
    assert bench.allocation().allocated.force.x == pytest.approx(200.0, rel=1e-5)
    bench.send_mass((0.0, 0.0, 0.1))
    bench.tick(0.1)


@pytest.mark.requirement("EVENT-11e")
def test_nothing_is_commanded_while_the_clock_does_not_run(bench):
    before, bench.now = bench.now, -TICK
    bench.tick()
    assert bench.now == 0.0
    for _ in range(3):
        bench.command(300, 0, 0, 0, 0, 0)
        bench.valves.publish(ThrusterState())
        bench.peer.spin_for(0.05)
    refused = bench.peer.call(Trigger, f"{NODE}/brake", Trigger.Request())
    assert not refused.success
    assert "the clock does not run" in refused.message
    assert not bench.commands
    bench.now = before
    bench.tick(0.2)
    assert not bench.commands, "the wrench of before is not flown"
    bench.command(300, 0, 0, 0, 0, 0)
    bench.peer.spin_until(lambda: bool(bench.commands))


def test_a_clock_set_back_does_not_stop_the_node(bench):
    bench.command(300, 0, 0, 0, 0, 0)
    bench.peer.spin_until(lambda: bool(bench.commands))
    bench.tick(0.1)
    bench.now = 1.0
    bench.tick(0.2)
    assert bench.allocation().state == Allocation.STATE_IDLE
    bench.commands.clear()
    bench.command(300, 0, 0, 0, 0, 0)
    bench.peer.spin_until(lambda: bool(bench.commands))
    start = bench.commands[0].header.stamp
    assert start.sec + start.nanosec * 1e-9 < bench.now + 0.05


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-p", "control_rate:=20.0"), "parameter control_rate: 20.0 is not allowed; allowed: 50 to 500 Hz"),
        (("-p", "policy:=best"), "parameter policy: 'best' is not allowed; allowed: one of priority, weighted"),
        (("-p", "colour:=red"), "parameter colour: unknown"),
    ],
)
def test_bad_parameters_are_refused(arguments, text):
    with NodeProcess.of_module("qiki_allocator.node", *arguments) as process:
        code, _, err = process.wait()
    assert code == 2
    assert text in err


def test_a_broken_vehicle_file_leaves_the_node_unconfigured(tmp_path):
    path = tmp_path / "vehicle.yaml"
    path.write_text("name: x\nthrusters: none.json\n")
    with NodeProcess.of_module("qiki_allocator.node", "-r", "__ns:=/bravo", "-p", f"vehicle_file:={path}") as process:
        with Peer("asker") as peer:
            assert peer.lifecycle_state("/bravo/allocator") == 1
        assert "none.json: cannot be read" in process.stop()


def test_attitude_hold_and_brake(bench):
    services = bench.peer.call
    hold = SetAttitudeMode.Request(mode=SetAttitudeMode.Request.HOLD)  # no target: the attitude of now
    refused = services(SetAttitudeMode, f"{NODE}/set_attitude_mode", hold)
    assert not refused.success
    assert "odometry" in refused.message
    for _ in range(5):  # best effort: one may be lost
        send_odometry(bench, tilt=0.3)
        bench.tick()
    assert services(SetAttitudeMode, f"{NODE}/set_attitude_mode", hold).success
    for _ in range(40):
        send_odometry(bench, tilt=0.2)
        bench.command(100, 0, 0, 0, 0, 0)
        bench.tick()
    held = bench.allocation()
    assert held.attitude_mode == SetAttitudeMode.Request.HOLD
    assert held.commanded.force.x == 100.0
    assert held.commanded.torque.z > 10.0
    assert services(Trigger, f"{NODE}/brake", Trigger.Request()).success
    for _ in range(30):
        send_odometry(bench, velocity=0.5)
        bench.tick()
    braking = bench.allocation()
    assert braking.activity == Allocation.ACTIVITY_BRAKE
    assert braking.commanded.force.x < -100.0
    for _ in range(60):
        send_odometry(bench)
        bench.tick()
    bench.wait_for_state(Allocation.STATE_IDLE)
    off = SetAttitudeMode.Request(mode=SetAttitudeMode.Request.OFF)
    assert services(SetAttitudeMode, f"{NODE}/set_attitude_mode", off).success
    wrong = services(SetAttitudeMode, f"{NODE}/set_attitude_mode", SetAttitudeMode.Request(mode=9))
    assert "mode: 9; allowed: 0 (off), 1 (damp), 2 (hold)" in wrong.message


@pytest.mark.requirement("ALLOC-19")
def test_a_modulator_is_set_in_flight_and_thrusters_are_inhibited(bench):
    def set_modulator(name):
        return bench.peer.call(SetModulator, f"{NODE}/set_modulator", SetModulator.Request(modulator=name))

    refused = set_modulator("precise")
    assert not refused.success
    assert "modulator: 'precise'; allowed: pulse_width, pwpf, bang_bang, impulse_bit" in refused.message
    inhibitions = bench.peer.node.create_publisher(ThrusterInhibit, "/alpha/inhibit", COMMAND)
    bench.peer.spin_until(lambda: inhibitions.get_subscription_count() == 1)
    order = ThrusterInhibit(bound=[1.0] * 12 + [0.0] * 4, reason="plume")

    def is_inhibited():
        order.header.stamp = bench.clock_message().clock
        inhibitions.publish(order)
        bench.command(0, 0, 300, 0, 0, 0)
        return bool(bench.allocations) and bench.allocations[-1].inhibit_reason == "plume"

    assert set_modulator("impulse_bit").success
    bench.tick_until(is_inhibited)
    begun = bench.now
    while bench.now < begun + 0.5:
        is_inhibited()
        bench.tick()
    flying = bench.allocation()
    assert flying.modulator == "impulse_bit"
    assert list(flying.inhibit) == list(order.bound)
    assert "inhibit:plume" in flying.binding
    late = [opened for own in bench.hardware.pulses()[12:] for opened, _ in own if opened > begun + 0.05]
    assert not late
    order.bound = [1.0]
    bench.tick_until(lambda: is_inhibited() and any("inhibit refused" in one for one in bench.allocations[-1].warnings))
    assert set_modulator("pulse_width").success
    bench.peer.node.destroy_publisher(inhibitions)


@pytest.mark.requirement("ALLOC-9")
def test_stabilise_refuses_translation(bench):
    bench.soc = 0.2
    bench.tick_until(lambda: bench.allocations[-1].gate == "STABILISE")
    bench.command(100, 0, 0, 0, 0, 0)
    refused = bench.wait_for_state(Allocation.STATE_REFUSED)
    assert "force: 100 N; allowed: 0 N in STABILISE" in refused.refusal
    assert refused.power_limit == pytest.approx(22500.0 - 2810.0)
    bench.soc = 0.8
    bench.tick_until(lambda: bench.allocations[-1].gate == "BOOST")


def test_groups_are_listed_with_their_geometry(bench):
    answer = bench.peer.call(ListGroups, f"{NODE}/list_groups", ListGroups.Request())
    assert answer.success
    groups = {group.name: group for group in answer.groups}
    assert len(groups) == 24
    assert groups["FTG +x"].wrench.force.x == pytest.approx(735.391, abs=0.01)
    assert list(groups["ZTT +y"].thrusters)
    position, direction = answer.positions[8], answer.directions[8]
    assert (position.x, position.y, position.z) == (0.4, 0.85, 0.85)
    assert (direction.x, direction.y, direction.z) == pytest.approx((0.0, -(0.5**0.5), -(0.5**0.5)))
    assert answer.clusters == [cluster for cluster in "ABCD" for _ in range(4)]
    assert list(answer.max_forces) == [260.0] * 8 + [220.0] * 8
    assert (answer.com.x, answer.com.y, answer.com.z) == (0.0, 0.0, 0.1)
    assert answer.hull_radius == pytest.approx(1.267)


@pytest.mark.requirement("ALLOC-11")
def test_single_thrusters_in_manual_override_and_their_markers(bench):
    markers = []
    subscription = bench.peer.node.create_subscription(MarkerArray, "/alpha/markers", markers.append, TELEMETRY)
    armed = SetAllocatorMode.Request(mode=Allocation.MODE_MANUAL_OVERRIDE, arm=True)
    assert bench.peer.call(SetAllocatorMode, f"{NODE}/set_mode", armed).success
    bench.peer.spin_until(lambda: bench.levels.get_subscription_count() == 1)
    bench.tick_until(lambda: bool(markers))
    levels = [0.0] * 16
    levels[5] = 0.5
    for _ in range(100):
        bench.levels.publish(ThrusterLevels(level=levels))
        bench.tick()
    flying = bench.allocation()
    assert flying.activity == Allocation.ACTIVITY_LEVELS
    arrows = {marker.id for marker in markers[-1].markers if marker.action == Marker.ADD}
    assert arrows == {5}
    back = SetAllocatorMode.Request(mode=Allocation.MODE_ADAPTIVE)
    assert bench.peer.call(SetAllocatorMode, f"{NODE}/set_mode", back).success
    bench.tick(0.2)
    fired = [i for i, own in enumerate(bench.hardware.pulses()) if own]
    assert fired == [5]
    assert on_times(bench.hardware.pulses())[5] == pytest.approx(0.5, abs=0.15)
    check_timing(bench.hardware.pulses(), ValveTiming())
    bench.peer.node.destroy_subscription(subscription)


@pytest.mark.requirement("ALLOC-10")
def test_what_the_valves_report_is_absorbed(bench):
    report = ThrusterState(on_time=[0.0] * 16, health=[ThrusterState.HEALTH_OK] * 16, working_mass=60.0)
    report.health[8] = ThrusterState.HEALTH_STUCK_CLOSED

    def is_absorbed() -> bool:
        report.header.stamp = bench.clock_message().clock
        bench.valves.publish(report)
        return bench.allocations[-1].health[8] == ThrusterState.HEALTH_STUCK_CLOSED

    bench.tick_until(is_absorbed)
    assert not bench.allocation().uncontrollable
    for thruster in (0, 3):
        request = SetThrusterHealth.Request(thruster=thruster, health=ThrusterState.HEALTH_STUCK_CLOSED)
        assert bench.peer.call(SetThrusterHealth, f"{NODE}/set_thruster_health", request).success
    assert bench.allocation().uncontrollable


@pytest.mark.requirement("ALLOC-21")
def test_nothing_is_flown_with_the_hardware_of_another_vehicle(bench, vehicle):
    """As after `sim load` of a scenario with another vehicle: allocations for this one would be other wrenches."""
    own = vehicle.identity
    other = "cube 01234567"
    shown = {}

    def keep(message: DiagnosticArray) -> None:
        shown.update({one.name.split(": ")[1]: (one.level, one.message) for one in message.status})

    def report(vehicle: str) -> None:
        state = ThrusterState(vehicle=vehicle, on_time=[0.0] * 16, health=[ThrusterState.HEALTH_OK] * 16)
        state.header.stamp = bench.clock_message().clock
        bench.valves.publish(state)

    def is_refused() -> bool:
        bench.command(200, 0, 0, 0, 0, 0)
        report(other)
        return other in bench.allocations[-1].refusal

    subscription = bench.peer.node.create_subscription(DiagnosticArray, "/diagnostics", keep, 10)
    report(own)
    bench.command(200, 0, 0, 0, 0, 0)
    bench.wait_for_state(Allocation.STATE_ACTIVE)
    bench.tick_until(is_refused)
    assert bench.allocation().state == Allocation.STATE_STOPPED
    assert max(close for pulses in bench.hardware.pulses() for _, close in pulses) <= bench.now
    answer = bench.peer.call(Trigger, f"{NODE}/brake", Trigger.Request())
    assert (answer.success, answer.message) == (False, bench.allocation().refusal)
    bench.tick_until(lambda: shown.get("vehicle", (b"", ""))[0] == DiagnosticStatus.ERROR)
    assert own in shown["vehicle"][1]
    assert other in shown["vehicle"][1]

    report(own)
    bench.tick(0.6)
    bench.command(200, 0, 0, 0, 0, 0)
    bench.wait_for_state(Allocation.STATE_ACTIVE)
    bench.peer.node.destroy_subscription(subscription)


def test_diagnostics_of_a_deactivated_node_show_that_nothing_is_flown(bench):
    shown = {}

    def keep(message: DiagnosticArray) -> None:
        shown.update({one.name.split(": ")[1]: one.message for one in message.status if "alpha/" in one.name})

    def change(number: int) -> None:
        request = ChangeState.Request(transition=Transition(id=number))
        assert bench.peer.call(ChangeState, f"{NODE}/change_state", request, repeatable=False).success

    subscription = bench.peer.node.create_subscription(DiagnosticArray, "/diagnostics", keep, 10)
    bench.command(200, 0, 0, 0, 0, 0)
    bench.wait_for_state(Allocation.STATE_ACTIVE)
    change(Transition.TRANSITION_DEACTIVATE)
    bench.peer.spin_until(lambda: shown.get("commands") == "idle" and shown.get("thrust") == "none")
    change(Transition.TRANSITION_ACTIVATE)
    bench.peer.node.destroy_subscription(subscription)
