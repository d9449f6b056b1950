"""Bad input is refused by field, value and range, and the graph keeps running."""

import math

import pytest
from geometry_msgs.msg import WrenchStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

from qiki_msgs.msg import Allocation
from qiki_msgs.srv import LoadScenario, SetSpeed
from qiki_node.qos import COMMAND, TELEMETRY

pytestmark = pytest.mark.realtime


@pytest.fixture
def allocations(peer):
    seen: list[Allocation] = []
    subscription = peer.node.create_subscription(Allocation, "/alpha/allocation", seen.append, TELEMETRY)
    peer.spin_until(lambda: bool(seen))
    yield seen
    peer.node.destroy_subscription(subscription)


def send_refused(peer, allocations, frame: str, force_x: float) -> Allocation:
    """Send a wrench; return the allocation that reports its refusal."""
    refused = allocations[-1].refused
    publisher = peer.node.create_publisher(WrenchStamped, "/alpha/cmd_wrench", COMMAND)
    peer.spin_until(lambda: publisher.get_subscription_count() > 0)
    message = WrenchStamped()
    message.header.stamp = peer.node.get_clock().now().to_msg()
    message.header.frame_id = frame
    message.wrench.force.x = force_x
    publisher.publish(message)
    # Until then it must stay: a subscriber that has not discovered it yet gets the message a little later, from it.
    peer.spin_until(lambda: allocations[-1].refused == refused + 1)
    peer.node.destroy_publisher(publisher)
    return allocations[-1]


@pytest.mark.parametrize(
    ("frame", "force", "parts"),
    [
        ("base_link", math.nan, ("force.x", "nan")),
        ("base_link", math.inf, ("force.x", "inf")),
        ("map", 1.0, ("frame_id", "map", "alpha/base_link")),
        ("", 1.0, ("frame_id", "alpha/base_link")),
        ("bravo/base_link", 1.0, ("frame_id", "bravo/base_link", "alpha/base_link")),
    ],
)
def test_a_bad_wrench_is_refused_and_nothing_fires(peer, allocations, frame, force, parts) -> None:
    firings = sum(allocations[-1].firings)
    refused = send_refused(peer, allocations, frame, force)
    assert all(part in refused.refusal for part in parts), refused.refusal
    seen = len(allocations)
    peer.spin_until(lambda: len(allocations) >= seen + 5)
    assert sum(allocations[-1].firings) == firings


def test_a_broken_scenario_is_refused_and_the_running_one_goes_on(peer, graph, tmp_path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("bodies: [{name: alpha, kind: bot, velocity: [1, 2]}]\n")
    pid = graph.pid("qiki/sim")
    answer = peer.call(LoadScenario, "/qiki/sim/load_scenario", LoadScenario.Request(path=str(broken), seed=-1))
    assert not answer.success
    assert "broken.yaml" in answer.message
    missing = peer.call(LoadScenario, "/qiki/sim/load_scenario", LoadScenario.Request(path="nowhere", seed=-1))
    assert not missing.success
    assert "nowhere" in missing.message
    assert graph.pid("qiki/sim") == pid
    assert graph.qiki("status", "--json").returncode == 0


def test_a_speed_out_of_range_is_refused(peer) -> None:
    answer = peer.call(SetSpeed, "/qiki/sim/set_speed", SetSpeed.Request(factor=math.nan))
    assert not answer.success
    assert "nan" in answer.message
    assert "100" in answer.message


@pytest.mark.parametrize("node", ["/qiki/sim", "/alpha/allocator"])
def test_a_parameter_of_the_wrong_type_is_refused(peer, node) -> None:
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="often")
    request = SetParameters.Request(parameters=[Parameter(name="diagnostics_period", value=value)])
    result = peer.call(SetParameters, f"{node}/set_parameters", request).results[0]
    assert not result.successful
    assert result.reason
