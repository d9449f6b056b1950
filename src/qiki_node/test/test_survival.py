"""No callback and no request of a client ends a node; each request gets an answer. The file runs once per executor."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from prometheus_client import generate_latest
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.action import ActionClient, ActionServer
from rclpy.event_handler import SubscriptionEventCallbacks
from spun_node import SpunNode, spinning
from std_msgs.msg import String
from std_srvs.srv import Trigger

from qiki_msgs.action import ExecuteThrustProfile
from qiki_msgs.srv import AppendEvents
from qiki_node.deferred import create_deferred_service
from qiki_node.health import Level
from qiki_node.testing import Peer

REASON = "LookupError: lamp is broken"


pytestmark = pytest.mark.realtime


def fail(*_: Any) -> None:
    raise LookupError("lamp is broken")


class Fragile(SpunNode):
    """Everything that it offers fails; `made_safe` are the callbacks before whose exceptions were logged."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.made_safe: list[str] = []
        self.received: list[str] = []

    def on_configure_node(self) -> None:
        self.create_subscription(String, "fail", fail, 10)
        self.create_subscription(
            String, "fine", lambda m: self.received.append(m.data), 10,
            event_callbacks=SubscriptionEventCallbacks(matched=fail),
        )  # fmt: skip
        self.create_service(Trigger, "~/fail", fail)
        create_deferred_service(self, AppendEvents, "~/later", fail)
        self.client = self.create_client(Trigger, "~/fail")
        self.unanswered = self.create_client(Trigger, "~/silent")
        self.publisher = self.create_lifecycle_publisher(String, "lamp", 10)
        self.add_timer(0.1, self.tick)
        for name, options in {
            "execute": {"execute_callback": self.fly},
            "goal": {"execute_callback": fail, "goal_callback": fail},
            "accepted": {"execute_callback": fail, "handle_accepted_callback": fail},
        }.items():
            ActionServer(self, ExecuteThrustProfile, f"~/{name}", **options)

    def tick(self) -> None:
        raise LookupError("lamp is broken")

    async def fly(self, _goal: Any) -> None:
        raise LookupError("lamp is broken")

    def make_safe(self, callback: str) -> None:
        self.made_safe.append(callback)
        if callback == "topic fail":
            raise RuntimeError("valves are stuck")

    @property
    def full_name(self) -> str:
        return self.get_fully_qualified_name()

    def metric(self, callback: str) -> float:
        for line in generate_latest(self.registry).decode().splitlines():
            if line.startswith(f'qiki_node_callback_errors_total{{callback="{callback}"}}'):
                return float(line.split()[-1])
        return 0.0


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(params=["events", "single"], scope="module")
def fragile(request: pytest.FixtureRequest) -> Iterator[Fragile]:
    node = Fragile(f"fragile_{request.param}")
    with spinning(node, request.param):
        yield node


@pytest.fixture(autouse=True)
def active(fragile: Fragile) -> None:
    if fragile.state == "unconfigured":
        fragile.start()


def change(peers: tuple[Peer, ...], node: Fragile, *wanted: Transition) -> list[list[bool]]:
    """For each transition, whether it was done for each of the peers, which ask at the same time."""
    clients = [peer.client(ChangeState, f"{node.full_name}/change_state") for peer in peers]
    for peer, client in zip(peers, clients, strict=True):
        peer.spin_until(client.service_is_ready)
    answers = [[client.call_async(ChangeState.Request(transition=one)) for client in clients] for one in wanted]
    for number, peer in enumerate(peers):
        peer.spin_until(lambda number=number: all(row[number].done() for row in answers))
    return [[answer.result().success for answer in row] for row in answers]


def test_an_exception_in_a_subscription_timer_or_event_is_counted_and_the_node_goes_on(fragile, peer) -> None:
    bad, fine = (peer.node.create_publisher(String, topic, 10) for topic in ("fail", "fine"))
    peer.spin_until(lambda: bad.get_subscription_count() == 1 and fine.get_subscription_count() == 1)
    bad.publish(String())
    peer.spin_until(lambda: fragile.metric("topic fail") == 1.0)
    peer.spin_until(lambda: fragile.metric("timer Fragile.tick") >= 2.0)
    peer.spin_until(lambda: fragile.metric("event RCL_SUBSCRIPTION_MATCHED") >= 1.0)
    assert fragile.metric("topic fail: make safe") == 1.0
    assert {"topic fail", "timer Fragile.tick"} <= set(fragile.made_safe)
    fine.publish(String(data="on"))
    peer.spin_until(lambda: "on" in fragile.received)
    peer.spin_until(lambda: fragile.health()["callbacks"].level is Level.ERROR)
    assert REASON in fragile.health()["callbacks"].message
    for publisher in (bad, fine):
        peer.node.destroy_publisher(publisher)


def test_a_service_that_fails_answers_with_the_reason(fragile, peer) -> None:
    answer = peer.call(Trigger, f"{fragile.full_name}/fail", Trigger.Request())
    assert (answer.success, answer.message) == (False, REASON)
    answer = peer.call(AppendEvents, f"{fragile.full_name}/later", AppendEvents.Request())
    assert (answer.success, answer.message, answer.code) == (False, REASON, AppendEvents.Response.UNAVAILABLE)


def test_an_exception_over_an_answer_is_counted_too(fragile, peer) -> None:
    """rclpy makes a warning of Python of it, which nobody sees."""
    peer.spin_until(fragile.client.service_is_ready)
    answered: list[Any] = []
    future = fragile.client.call_async(Trigger.Request())
    future.add_done_callback(fail)
    future.add_done_callback(lambda done: answered.append(done.result().success))
    peer.spin_until(lambda: bool(answered))
    assert answered == [False]
    assert fragile.metric("answer of ~/fail") == 1.0


def test_a_service_that_is_silent_gathers_a_bounded_number_of_requests(fragile, peer) -> None:
    client = fragile.unanswered
    sent = [client.call_async(Trigger.Request()) for _ in range(200)]
    kept = []
    for number in range(1, 201):
        with suppress(KeyError):
            kept.append(client.get_pending_request(number))
    assert kept == sent[-64:]
    service = f"{fragile.full_name}/silent"
    server = peer.node.create_service(Trigger, service, lambda *_: Trigger.Response(success=True))
    peer.meet(service)
    peer.spin_until(client.service_is_ready)
    answered: list[bool] = []
    for _ in range(20):  # a request that comes before the service knows the client is dropped by the middleware
        client.call_async(Trigger.Request()).add_done_callback(lambda done: answered.append(done.result().success))
        peer.spin_for(0.05)
    peer.spin_until(lambda: bool(answered))
    assert all(answered)
    peer.node.destroy_service(server)


@pytest.mark.parametrize(("action", "callback"), [("execute", "execute"), ("accepted", "accepted"), ("goal", "goal")])
def test_a_goal_whose_callback_fails_is_aborted_or_rejected(fragile, peer, action: str, callback: str) -> None:
    client = ActionClient(peer.node, ExecuteThrustProfile, f"{fragile.full_name}/{action}")
    peer.spin_until(client.server_is_ready)
    peer.meet(f"{fragile.full_name}/{action}/_action/send_goal")
    goal = peer.ask(lambda: client.send_goal_async(ExecuteThrustProfile.Goal()), "the action")
    assert goal.accepted is (action != "goal")
    if goal.accepted:
        result = peer.ask(goal.get_result_async, "the result")
        assert result.status == GoalStatus.STATUS_ABORTED
        assert (result.result.outcome, result.result.reason) == (ExecuteThrustProfile.Result.FAILED, REASON)
    assert fragile.metric(f"action ExecuteThrustProfile {callback}") >= 1.0
    client.destroy()


@pytest.mark.parametrize("kind", [0, 10, 255])
def test_a_parameter_type_that_does_not_exist_is_refused(fragile, peer, kind: int) -> None:
    before = dict(fragile.callbacks.health().values)
    good = Parameter(name="nothing", value=ParameterValue(type=1))
    bad = Parameter(name="diagnostics_period", value=ParameterValue(type=kind))
    results = peer.call(
        SetParameters, f"{fragile.full_name}/set_parameters", SetParameters.Request(parameters=[bad, good, bad])
    ).results
    assert [result.successful for result in results] == [False] * 3
    assert "diagnostics_period" in results[0].reason
    result = peer.call(
        SetParametersAtomically,
        f"{fragile.full_name}/set_parameters_atomically",
        SetParametersAtomically.Request(parameters=[good, bad]),
    ).result
    assert not result.successful
    assert fragile.params.diagnostics_period == 0.1
    services = {name for name in fragile.callbacks.health().values if name not in before and "service" in str(name)}
    assert not services, "a refusal is no exception"


def test_a_check_of_parameters_that_fails_refuses_each_with_the_reason(fragile, peer) -> None:
    items = [Parameter(name="use_sim_time", value=ParameterValue(type=1))] * 2
    fragile.add_on_set_parameters_callback(fail)
    try:
        service = f"{fragile.full_name}/set_parameters"
        results = peer.call(SetParameters, service, SetParameters.Request(parameters=items)).results
        request = SetParametersAtomically.Request(parameters=items)
        results = [*results, peer.call(SetParametersAtomically, f"{service}_atomically", request).result]
    finally:
        fragile.remove_on_set_parameters_callback(fail)
    assert [(one.successful, one.reason) for one in results] == [(False, REASON)] * 3


def test_the_source_of_time_is_fixed_while_the_node_is_configured(fragile, peer) -> None:
    item = Parameter(name="use_sim_time", value=ParameterValue(type=1, bool_value=True))
    service = f"{fragile.full_name}/set_parameters"
    [result] = peer.call(SetParameters, service, SetParameters.Request(parameters=[item])).results
    assert (result.successful, fragile.uses_sim_time) == (False, False)
    assert result.reason == (
        "parameter use_sim_time: True is not allowed while the node is active; allowed: False; clean up first"
    )
    fragile.stop()
    [result] = peer.call(SetParameters, service, SetParameters.Request(parameters=[item])).results
    assert (result.successful, fragile.uses_sim_time) == (True, True)
    item.value.bool_value = False
    peer.call(SetParameters, service, SetParameters.Request(parameters=[item]))
    assert fragile.start()
    assert not fragile.uses_sim_time


def test_each_transition_in_each_state_from_two_clients_gets_an_answer(fragile, peer) -> None:
    possible = {
        "active": {"deactivate": 4, "shutdown": 7},
        "inactive": {"cleanup": 2, "activate": 3, "shutdown": 6},
        "unconfigured": {"shutdown": 5, "configure": 1},
        "finalized": {},
    }
    with Peer("other") as other:
        service = f"{fragile.full_name}/change_state"
        for one in (peer, other):
            one.client(ChangeState, service)
            one.meet(service)
        for state, allowed in possible.items():
            impossible = {*range(17), *range(20, 70, 10), 97, 99, 255} - set(allowed.values())
            wanted = [Transition(id=number) for number in impossible]
            wanted += [Transition(label=label) for label in ("nonsense", "transition_success")]
            for some in (wanted[n : n + 4] for n in range(0, len(wanted), 4)):  # the service's queue holds ten
                assert change((peer, other), fragile, *some) == [[False, False]] * len(some)
            assert fragile.state == state
            if allowed:  # both want the same: it is done once
                [done] = change((peer, other), fragile, Transition(label=next(iter(allowed))))
                assert sorted(done) == [False, True]
    assert not fragile.start(), "a finalized node refuses"
    assert peer.lifecycle_state(fragile.full_name) == State.PRIMARY_STATE_FINALIZED
