"""Requests of operators and programs: carried out, or refused by field, value and range."""

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from geometry_msgs.msg import WrenchStamped
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

from qiki_msgs.msg import Allocation
from qiki_msgs.srv import LoadScenario, SetSpeed
from qiki_node.qos import COMMAND, TELEMETRY

pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("peer")]


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


def check(graph, arguments: tuple[str, ...], code: int, text: str) -> None:
    """Run a command of the allocator, which ends with this exit code and says this."""
    run = graph.qiki("allocator", *arguments)
    assert run.returncode == code, (arguments, run.stdout, run.stderr)
    assert text in run.stdout + run.stderr


def groups(graph, bot: str) -> dict[str, dict]:
    run = graph.qiki("groups", bot, "--json")
    assert run.returncode == 0, run.stderr
    return {group["name"]: group for group in json.loads(run.stdout)}


def test_groups_follow_the_health_of_the_thrusters(graph) -> None:
    healthy = groups(graph, "alpha")
    assert len(healthy) == 24
    assert healthy["FTG +x"]["force_n"][0] == pytest.approx(735.4, abs=0.1)
    check(graph, ("health", "alpha", "4", "stuck_closed"), 0, "thruster 4: dead")
    without = groups(graph, "alpha")
    assert all(4 not in group["thrusters"] for group in without.values())
    assert 4 in groups(graph, "bravo")["FTG +x"]["thrusters"]
    check(graph, ("health", "alpha", "4", "weak", "--level", "0.5"), 0, "thruster 4: weak")
    check(graph, ("health", "alpha", "4", "ok"), 0, "thruster 4: ok")
    assert groups(graph, "alpha").keys() == healthy.keys()
    check(graph, ("health", "alpha", "16", "ok"), 2, "thruster: 16; allowed: 0 to 15")


def test_a_picture_of_a_group_is_drawn(graph, tmp_path: Path) -> None:
    picture = tmp_path / "group.svg"
    assert graph.qiki("groups", "alpha", "--group", "FTG +x", "--picture", str(picture)).returncode == 0
    root = ElementTree.parse(picture).getroot()
    assert root.tag.endswith("svg")
    assert (root.findtext("{*}desc") or "").startswith("735.4 N along +x, 8 thrusters")
    refused = graph.qiki("groups", "alpha", "--group", "sideways", "--picture", str(tmp_path / "none.svg"))
    assert refused.returncode == 2
    assert "group: 'sideways' is not there; allowed: " in refused.stderr
    assert not (tmp_path / "none.svg").exists()


def test_the_allocator_is_driven_from_the_console(graph) -> None:
    for arguments, code, text in (
        (("mode", "bravo", "AUTO"), 0, "AUTO"),
        (("mode", "bravo", "MANUAL_OVERRIDE"), 2, "arm: False"),
        (("mode", "bravo", "adaptive"), 0, "ADAPTIVE"),
        (("hold", "bravo"), 0, "HOLD"),
        (("hold", "bravo", "--off", "--damp"), 2, "at most one"),
    ):
        check(graph, arguments, code, text)
    refused = graph.qiki("thrust", "bravo", "--torque", "0", "0", "10", "--for", "0.5")
    assert refused.returncode == 2
    assert "torque" in refused.stdout + refused.stderr
    for arguments, code, text in (
        (("hold", "bravo", "--off"), 0, "OFF"),
        (("brake", "bravo"), 0, "braking"),
        (("stop", "bravo"), 0, "valves closed"),
        (("stop", "charlie"), 2, "charlie"),
    ):
        check(graph, arguments, code, text)
