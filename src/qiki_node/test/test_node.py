"""A real node process: lifecycle, parameters, services, actions, simulated time, signals, log, metrics.

The whole file runs once per executor.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.action import ActionClient
from rosgraph_msgs.msg import Clock
from std_msgs.msg import UInt64
from std_srvs.srv import Trigger

from qiki_msgs.action import ExecuteThrustProfile
from qiki_node.qos import CLOCK
from qiki_node.testing import PATIENCE, NodeProcess, Peer

pytestmark = pytest.mark.realtime


@pytest.fixture(params=["events", "single"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


EXAMPLE = [sys.executable, str(Path(__file__).with_name("example_node.py"))]
DOUBLE = ParameterType.PARAMETER_DOUBLE


@pytest.fixture
def example() -> Iterator[Callable[..., NodeProcess]]:
    """Starts example nodes; whatever is left of them at the end is ended."""
    with ExitStack() as stack:
        yield lambda *arguments, **environment: stack.enter_context(NodeProcess(EXAMPLE, arguments, environment))


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


def set_parameter(peer: Peer, name: str, value: ParameterValue) -> tuple[bool, str]:
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    result = peer.call(SetParameters, "/example/set_parameters", request).results[0]
    return result.successful, result.reason


def transition(peer: Peer, number: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=number))
    return peer.call(ChangeState, "/example/change_state", request, repeatable=False).success


def fall_silent(peer: Peer, received: list[int]) -> None:
    """Wait until nothing more comes: earlier messages may still be on their way."""

    def silent() -> bool:
        before = len(received)
        peer.spin_for(0.3)
        return len(received) == before

    peer.spin_until(silent)


def test_ticks_service_and_clean_exit_on_each_signal(example, peer: Peer, kind: str) -> None:
    heeded = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has the tests ignore it, and what they start
    for number in (signal.SIGINT, signal.SIGTERM if kind == "events" else signal.SIGHUP):
        process = example("-p", f"executor:={kind}")
        ticks: list[int] = []
        subscription = peer.node.create_subscription(UInt64, "ticks", lambda m, t=ticks: t.append(m.data), 10)
        peer.spin_until(lambda t=ticks: len(t) >= 5)
        answer = peer.call(Trigger, "/example/poke", Trigger.Request())
        assert (answer.success, answer.message) == (True, 'poked "hard"')
        peer.node.destroy_subscription(subscription)
        err = process.stop(number)
        assert "lamp off" in err, "the node must be deactivated before it exits"
        assert "Traceback" not in err
    signal.signal(signal.SIGHUP, heeded)


def test_lifecycle_by_service(example, peer: Peer, kind: str) -> None:
    example("-p", f"executor:={kind}", "-p", "autostart:=false")
    ticks: list[int] = []
    peer.node.create_subscription(UInt64, "ticks", lambda m: ticks.append(m.data), 10)
    assert peer.lifecycle_state("/example") == State.PRIMARY_STATE_UNCONFIGURED
    assert transition(peer, Transition.TRANSITION_CONFIGURE)
    assert peer.lifecycle_state("/example") == State.PRIMARY_STATE_INACTIVE
    peer.spin_for(0.3)
    assert not ticks
    assert transition(peer, Transition.TRANSITION_ACTIVATE)
    peer.spin_until(lambda: len(ticks) >= 3)
    assert transition(peer, Transition.TRANSITION_DEACTIVATE)
    fall_silent(peer, ticks)


def test_a_refused_configuration_leaves_a_node_that_can_be_corrected(example, peer: Peer, kind: str) -> None:
    example("-p", f"executor:={kind}", "-p", "broken:=true")
    messages: list[str] = []
    peer.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda m: messages.extend(s.message for s in m.status), 10
    )
    peer.spin_until(lambda: any("cannot configure: parameter broken: True" in text for text in messages))
    assert peer.lifecycle_state("/example") == State.PRIMARY_STATE_UNCONFIGURED
    value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=False)
    assert set_parameter(peer, "broken", value) == (True, "")
    assert transition(peer, Transition.TRANSITION_CONFIGURE)
    assert transition(peer, Transition.TRANSITION_ACTIVATE)
    peer.spin_until(lambda: "active" in messages)


def test_parameters_are_checked_by_value_and_described(example, peer: Peer, kind: str) -> None:
    example("-p", f"executor:={kind}", "-p", "rate:=100")
    ok, reason = set_parameter(peer, "rate", ParameterValue(type=DOUBLE, double_value=1000.0))
    assert not ok
    assert all(part in reason for part in ("rate", "1000.0", "500.0")), reason
    ok, reason = set_parameter(peer, "colour", ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="blue"))
    assert not ok
    assert reason == "parameter colour: 'blue' is not allowed; allowed: one of red, green"
    ok, reason = set_parameter(peer, "rate", ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=60))
    assert not ok
    assert reason == "parameter rate: 60 has the wrong type; write 60.0"
    assert set_parameter(peer, "rate", ParameterValue(type=DOUBLE, double_value=60.0)) == (True, "")
    request = DescribeParameters.Request(names=["rate"])
    described = peer.call(DescribeParameters, "/example/describe_parameters", request).descriptors[0]
    assert described.description == "ticks per second [Hz]"
    assert described.floating_point_range[0].to_value == 500.0


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("rate:=0.5", "parameter rate: 0.5 is not allowed; allowed: 1 to 500 Hz"),
        ("colour:=blue", "parameter colour: 'blue' is not allowed; allowed: one of red, green"),
        ("speed:=3.0", "parameter speed: unknown; known: autostart"),
    ],
)
def test_a_bad_parameter_at_start_is_named_and_ends_the_process(example, argument: str, text: str) -> None:
    code, _, err = example("-p", argument).wait()
    assert code == 2
    assert text in err


def test_action_feedback_and_cancellation(example, peer: Peer, kind: str) -> None:
    example("-p", f"executor:={kind}")
    client = ActionClient(peer.node, ExecuteThrustProfile, "/example/fly")
    peer.spin_until(client.server_is_ready)
    peer.meet("/example/fly/_action/send_goal")
    feedback: list[float] = []
    goal = peer.ask(
        lambda: client.send_goal_async(
            ExecuteThrustProfile.Goal(), feedback_callback=lambda m: feedback.append(m.feedback.progress)
        ),
        "the action",
        again=PATIENCE,
    )
    assert goal.accepted
    peer.spin_until(lambda: len(feedback) >= 5)
    result = goal.get_result_async()
    peer.ask(goal.cancel_goal_async, "cancellation")
    peer.spin_until(result.done)
    assert result.result().status == GoalStatus.STATUS_CANCELED
    assert result.result().result.outcome == ExecuteThrustProfile.Result.CANCELED
    client.destroy()


def test_timers_follow_simulated_time_also_when_it_jumps_back(example, peer: Peer, kind: str) -> None:
    """/clock is best effort: each time is published until it has had its effect."""
    sim_time = ("-p", "use_sim_time:=true", "-p", "diagnostics_period:=0.1")
    example("-p", f"executor:={kind}", "-p", "rate:=10.0", *sim_time)
    ticks: list[int] = []
    times: list[Time] = []
    peer.node.create_subscription(UInt64, "ticks", lambda m: ticks.append(m.data), 100)
    peer.node.create_subscription(DiagnosticArray, "/diagnostics", lambda m: times.append(m.header.stamp), 10)
    clock = peer.node.create_publisher(Clock, "/clock", CLOCK)
    peer.wait_until_active("/example")

    def until(now: Time, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            clock.publish(Clock(clock=now))
            return condition()

        peer.spin_until(holds)

    def run(start: int, periods: int) -> int:
        """Simulated time in steps of one period of the timer, each taken when the tick before has come; ticks seen."""
        first = Time(sec=start)
        times.clear()
        until(first, lambda: first in times)
        fall_silent(peer, ticks)
        seen = len(ticks)
        for step in range(1, periods + 1):
            now = Time(sec=start + step // 10, nanosec=step % 10 * 100_000_000)
            until(now, lambda step=step: len(ticks) >= seen + step)
        fall_silent(peer, ticks)
        return len(ticks) - seen

    peer.spin_for(0.3)
    assert not ticks, "time stands still"
    peer.spin_until(lambda: bool(times))
    assert Time() not in times, "stamps of diagnostics before the first /clock"
    assert run(10, 50) == 50
    assert run(1, 50) == 50, "ticks after time jumped back"


def test_json_log_is_one_object_per_line(example, peer: Peer) -> None:
    process = example(QIKI_LOG_FORMAT="json")
    peer.call(Trigger, "/example/poke", Trigger.Request())
    err = process.stop()
    records = [json.loads(line) for line in err.splitlines()]
    poked = next(record for record in records if record["message"] == 'poked "hard"')
    assert (poked["level"], poked["node"], poked["count"]) == ("info", "example", 1)


def test_what_python_itself_would_print_is_json_too(example, peer: Peer) -> None:
    process = example(QIKI_LOG_FORMAT="json")
    peer.wait_until_active("/example")
    levels: dict[str, int] = {}
    peer.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda m: levels.update((s.name, s.level[0]) for s in m.status), 10
    )
    peer.call(Trigger, "/example/break", Trigger.Request())
    peer.spin_until(lambda: levels.get("example: callbacks") == 2)
    err = process.stop()
    records = {record["message"]: record for record in map(json.loads, err.splitlines())}
    assert records["lamp is hot"]["category"] == "RuntimeWarning"
    assert records["ZeroDivisionError: division by zero"]["level"] == "error"
    failed = records["timer Example.tick failed"]
    assert (failed["level"], failed["node"], failed["error"]) == ("error", "example", "LookupError: lamp is broken")
    assert "raise LookupError" in failed["traceback"]


def test_an_unknown_log_format_is_refused(example) -> None:
    code, _, err = example(QIKI_LOG_FORMAT="xml").wait()
    assert code != 0
    assert "QIKI_LOG_FORMAT: 'xml' is not allowed; allowed: one of text, json" in err
