"""Alpha docks to a station through the real processes; its docking node is killed twice on the way.

No test of speed: time is slowed down by what the machine needs, and each wait is for a condition.
"""

import os
import signal
from pathlib import Path

import pytest
from rclpy.action import ActionClient

from qiki_msgs.action import Dock
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState, Energy
from qiki_msgs.srv import QueryEvents, SetSpeed
from qiki_node.qos import STATE, TELEMETRY
from qiki_node.testing import Peer

pytestmark = pytest.mark.realtime

VEHICLE = Path(__file__).resolve().parents[2] / "launch/config/vehicles/dodecahedron.yaml"
SCENARIO = """
name: final_metre
seed: 3
bots:
  - {{name: alpha, vehicle: {vehicle}, position: [0.02, -0.01, 8.65]}}
bodies:
  - name: station
    type: STATION
    shape: {{kind: cylinder, radius: 3.0, length: 12.0}}
    mass: 80000.0
    vehicle: {vehicle}
    source_power: 250.0
    ports: [{{name: A, position: [0.0, 0.0, 6.15], axis: [0.0, 0.0, 1.0], radius: 0.30, length: 0.15}}]
"""
NODES = ("/qiki/eventstore", "/qiki/sim", "/alpha/allocator", "/alpha/docking", "/station/docking")
LONG = 150.0  # s, for a part of the docking on a busy machine


@pytest.fixture(scope="module")
def launch_arguments(tmp_path_factory) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("scenario") / "final_metre.yaml"
    path.write_text(SCENARIO.format(vehicle=VEHICLE))
    return (f"scenario:={path}",)


class Watch:
    """States of alpha's docking and bridge, and the power that its bus gets from the station."""

    def __init__(self, peer: Peer, graph) -> None:
        self.peer, self.graph = peer, graph
        self.states: list[DockingState] = []
        self.bridges: list[BridgeState] = []
        self.powers: list[float] = []
        node = peer.node
        node.create_subscription(DockingState, "/alpha/docking", self.states.append, STATE)
        node.create_subscription(BridgeState, "/alpha/bridge", self.bridges.append, STATE)
        node.create_subscription(Energy, "/alpha/energy", lambda one: self.powers.append(one.dock_power), TELEMETRY)

    def until(self, condition) -> None:
        try:
            self.peer.spin_until(condition, LONG)
        except AssertionError as error:
            raise AssertionError(f"{self.states[-1:]}\n{self.graph.output()}") from error

    def phase(self) -> int:
        return self.states[-1].phase

    def is_fed(self) -> bool:
        edges = self.bridges[-1].edges
        return bool(edges) and edges[0].state == BridgeEdge.CLOSED and self.powers[-1] > 100.0

    def kill(self) -> None:
        """Kill -9 the docking node, and wait for the first state of the next one."""
        before = self.graph.pid("alpha/docking")
        os.kill(before, signal.SIGKILL)
        self.until(lambda: self.graph.pid("alpha/docking") not in (before, None))
        self.states.clear()
        self.until(lambda: bool(self.states))


def events(peer: Peer, *types: str):
    request = QueryEvents.Request(types=list(types), streams=["alpha/docking"], start=-(2**63), recorded_start=-(2**63))
    return peer.call(QueryEvents, "/qiki/eventstore/query", request).events


@pytest.mark.requirement("DOCK-31")
def test_it_docks_by_action_and_survives_kill_9_in_approach_and_in_bridge(graph) -> None:
    with Peer() as peer:
        watch = Watch(peer, graph)
        for node in NODES:
            peer.wait_until_active(node, LONG)
        docks = ActionClient(peer.node, Dock, "/alpha/docking/dock")
        watch.until(lambda: docks.server_is_ready() and watch.states and watch.states[-1].offers[1].fit)
        peer.meet("/alpha/docking/dock/_action/send_goal")
        assert peer.call(SetSpeed, "/qiki/sim/set_speed", SetSpeed.Request(factor=1.5)).success
        handle = None
        while handle is None or not handle.accepted or watch.phase() == DockingState.FREE:
            sent = docks.send_goal_async(Dock.Goal(command_id="dock-1", partner="station", profile="FULL"))
            watch.until(sent.done)
            handle = sent.result()
            peer.spin_for(0.5)
        watch.until(lambda: watch.phase() == DockingState.APPROACH)
        docking_id = watch.states[-1].docking_id
        watch.kill()
        watch.until(lambda: watch.states[-1].confirmed)
        assert (watch.phase(), watch.states[-1].docking_id) == (DockingState.APPROACH, docking_id)
        watch.until(lambda: watch.phase() == DockingState.BRIDGE and watch.is_fed())
        watch.powers.clear()
        watch.kill()
        watch.until(lambda: watch.states[-1].confirmed)
        assert (watch.phase(), watch.states[-1].docking_id) == (DockingState.BRIDGE, docking_id)
        count = len(watch.powers)
        watch.until(lambda: len(watch.powers) > count + 20)
        assert min(watch.powers) > 100.0, "power was dropped"
        (started,) = events(peer, "docking.started")
        assert started.correlation == "dock-1"
        # Goals that came before the first measurements, and the repeated ones; no flight command and no other order.
        assert {one.correlation for one in events(peer, "docking.refused")} <= {"dock-1"}
        assert len(events(peer, "docking.check_passed")) == 7
