"""An exception of a callback closes the valves, even where the core itself is what fails."""

import math
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import WrenchStamped
from std_srvs.srv import Trigger

from qiki_allocator.checks import RefusalError
from qiki_allocator.flight.segments import Segment
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.node import AllocatorNode
from qiki_msgs.msg import Allocation, ThrusterState
from qiki_msgs.srv import SetAllocatorMode, SetAttitudeMode, SetThrusterHealth
from qiki_node.health import Level

pytestmark = pytest.mark.realtime


@pytest.fixture
def node() -> Iterator[AllocatorNode]:
    rclpy.init(args=["--ros-args", "-p", "events_enabled:=false"])
    node = AllocatorNode()
    assert node.start()
    yield node
    node.close()
    rclpy.shutdown()


@pytest.mark.parametrize("core_fails", [False, True])
def test_the_valves_close_before_anything_else(node, monkeypatch, core_fails: bool) -> None:
    sent: list[tuple[list[float], list[float]]] = []
    node._commands.publish = lambda m: sent.append((list(m.open_time), list(m.close_time)))
    now = node.seconds()
    node.controller.update_energy(now, EnergyReading(now, 0.9, 22_500.0))
    node.controller.update_thermal(now, now, dict.fromkeys(("RCS_A", "RCS_B", "RCS_C", "RCS_D"), 20.0))
    node.act(node.controller.command(node.seconds(), [200.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert any(not math.isnan(time) for time in sent[-1][0]), "valves open"

    def fail(*_: object) -> None:
        raise FloatingPointError("overflow")

    if core_fails:
        monkeypatch.setattr(node.controller, "stop", fail)
    node.callbacks.guard("topic odom", fail)(None)
    opening, closing = sent[-1]
    # A valve that was open already is in the command until it is known to have been.
    assert all(math.isnan(begins) or begins <= ends for begins, ends in zip(opening, closing, strict=True))
    assert len(sent) == 2
    assert core_fails is (closing == [0.0] * 16)
    assert node.is_active


def test_a_fault_of_the_core_is_no_refusal(node, monkeypatch) -> None:
    refused = WrenchStamped()
    refused.header.frame_id = "world"
    node._take_wrench(refused)

    def fail(*_: object) -> None:
        raise ValueError("array must not contain infs or NaNs")

    monkeypatch.setattr(node.controller, "command", fail)
    command = WrenchStamped()
    command.header.frame_id = "base_link"
    with pytest.raises(ValueError, match="must not contain"):
        node._take_wrench(command)
    assert node._refused._value.get() == 1.0


@pytest.mark.requirement("ALLOC-8d")
@pytest.mark.parametrize(
    ("service", "method", "request_of"),
    [
        ("set_mode", "set_mode", SetAllocatorMode.Request(mode=Allocation.MODE_AUTO)),
        ("set_attitude_mode", "set_attitude", SetAttitudeMode.Request(mode=SetAttitudeMode.Request.DAMP)),
        ("set_thruster_health", "set_health", SetThrusterHealth.Request(thruster=1, health=ThrusterState.HEALTH_WEAK)),
        ("brake", "brake", Trigger.Request()),
        ("stop", "stop", Trigger.Request()),
    ],
)
def test_a_fault_in_a_service_is_no_refusal(node, monkeypatch, service, method, request_of) -> None:
    """The valves close, the fault is counted, and the answer gives the reason; a refusal does none of the first two."""
    server = next(one for one in node.services if one.srv_name.endswith(f"/{service}"))
    closed: list[str] = []
    monkeypatch.setattr(node.callbacks, "_make_safe", closed.append)

    def raising(error: Exception) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(node.controller, method, fail)

    node.controller.journal.take()
    raising(RefusalError("field: 1; allowed: 2"))
    refused = server.callback(request_of, server.srv_type.Response())
    assert (refused.success, refused.message) == (False, "field: 1; allowed: 2")
    assert not closed
    raising(ValueError("array must not contain infs or NaNs"))
    failed = server.callback(request_of, server.srv_type.Response())
    assert not failed.success
    assert "array must not contain infs or NaNs" in failed.message
    assert closed == [f"service ~/{service}"]
    assert node.callbacks.health().level is Level.ERROR


def test_a_goal_whose_cancellation_failed_ends_with_its_profile(node, monkeypatch) -> None:
    """rclpy has not noted the cancellation then, and never will."""
    ended: list[str] = []
    goal = SimpleNamespace(
        request=SimpleNamespace(command_id="burn", segments=[], modulator=""),
        goal_id=SimpleNamespace(uuid=[0] * 16),
        is_cancel_requested=False,
        execute=lambda: None,
        abort=lambda: ended.append("aborted"),
    )
    server = node._profiles
    monkeypatch.setattr(server._server, "finish", lambda *_: ended.append("result"))
    monkeypatch.setattr(server, "_segments", lambda _: [Segment(np.array([100.0, 0, 0, 0, 0, 0]), 1.0, 0.0, 5.0)])
    now = node.seconds()
    node.controller.update_energy(now, EnergyReading(now, 0.9, 22_500.0))
    node.controller.update_thermal(now, now, dict.fromkeys(("RCS_A", "RCS_B", "RCS_C", "RCS_D"), 20.0))
    server._start(goal)
    assert server._flight is not None

    def fail(*_: object) -> None:
        raise FloatingPointError("overflow")

    monkeypatch.setattr(node.controller, "cancel_profile", fail)
    node.callbacks.guard("action", server._cancel)(goal)
    server.follow()
    assert ended == ["aborted", "result"]
