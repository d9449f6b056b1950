"""An exception of a callback closes the valves, even where the core itself is what fails."""

import math
from collections.abc import Iterator

import pytest
import rclpy
from geometry_msgs.msg import WrenchStamped

from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.node import AllocatorNode

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
