"""Alpha docks to a station through the real processes; its docking node is killed twice on the way, and once the
station's. The report of the docking comes from the recording of the same graph.

No test of speed: time is slowed down by what the machine needs, and each wait is for a condition.
"""

import json
import os
import signal
from contextlib import suppress
from math import isfinite
from pathlib import Path

import pytest
from docking_log import DockingLog, Pace, store_of
from docking_markers import DockingMarkers
from rclpy.action import ActionClient
from std_srvs.srv import Trigger

from qiki_docking import Reason
from qiki_events import REGISTRY
from qiki_msgs.action import Dock
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState, Energy
from qiki_msgs.srv import QueryEvents
from qiki_node.qos import STATE, TELEMETRY
from qiki_node.stamps import seconds
from qiki_node.testing import Peer
from qiki_vehicle import Vehicle

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(1800)]

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
STATION_PORT = ((0.0, 0.0, 6.15), (0.0, 0.0, 1.0))  # m, position and axis of A in station/base_link
LONG = 400.0  # s of wall time, for a part of the docking on a busy machine


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def launch_arguments(tmp_path_factory, recordings) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("scenario") / "final_metre.yaml"
    path.write_text(SCENARIO.format(vehicle=VEHICLE))
    return (f"scenario:={path}", f"record:=mcap:///{recordings}/")


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
        self.log = DockingLog(peer, ("alpha",), ("alpha",))
        peer.spin_until(lambda: bool(self.log.valves["alpha"]), LONG)
        self.pace = Pace(peer, self.log, 1.5)
        self.markers = DockingMarkers(node, "alpha")
        node.create_subscription(Energy, "/alpha/energy", lambda one: self.powers.append(one.dock_power), TELEMETRY)

    def until(self, condition) -> None:
        try:
            self.pace.until(condition, LONG)
        except AssertionError as error:
            raise AssertionError(f"{self.states[-1:]}\n{self.graph.output()}") from error

    def phase(self) -> int:
        return self.states[-1].phase

    def is_fed(self) -> bool:
        edges = self.bridges[-1].edges
        return bool(edges) and edges[0].state == BridgeEdge.CLOSED and self.powers[-1] > 100.0

    def begin(self, peer: Peer) -> str:
        """Order alpha to dock until it does; the id of the docking."""
        for node in NODES:
            peer.wait_until_active(node, LONG)
        docks = ActionClient(peer.node, Dock, "/alpha/docking/dock")
        self.until(lambda: docks.server_is_ready() and self.states and self.states[-1].offers[1].fit)
        peer.meet("/alpha/docking/dock/_action/send_goal")
        handle = None
        while handle is None or not handle.accepted or self.phase() == DockingState.FREE:
            sent = docks.send_goal_async(Dock.Goal(command_id="dock-1", partner="station", profile="FULL"))
            self.until(sent.done)
            handle = sent.result()
            peer.spin_for(0.5)
        self.until(lambda: self.phase() == DockingState.APPROACH)
        return str(self.states[-1].docking_id)

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
def test_it_docks_by_action_and_survives_kill_9_in_approach_and_in_bridge(graph, recordings) -> None:
    with Peer() as peer:
        watch = Watch(peer, graph)
        docking_id = watch.begin(peer)
        watch.until(lambda: watch.markers.show_a_corridor(watch.states))
        watch.markers.check(VEHICLE, STATION_PORT)
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
        report = ("dock", "report", docking_id, "--recording", str(recordings))
        shown = graph.qiki(*report)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith(f"{docking_id}: alpha:B to station:A, FULL")
        assert "range, m" in shown.stdout
        assert "no plot" not in shown.stdout
        # From the store's file, with the numbers that were live; before the kill and after it.
        out = graph.qiki(*report, "--json", "--store", store_of(graph.run_dir)).stdout
        samples = {round(one["time"], 3): one["range"] for one in json.loads(out)["samples"]}
        live = {
            round(seconds(one.header.stamp), 3): one.range for one in watch.log.states["alpha"] if isfinite(one.range)
        }
        common = live.keys() & samples.keys()
        assert len(common) > 20
        assert {time: live[time] for time in common} == pytest.approx({time: samples[time] for time in common})


@pytest.mark.long
@pytest.mark.requirement("DOCK-31")
@pytest.mark.timeout(1200)
def test_it_retreats_when_the_partners_docking_node_is_killed_while_it_aligns(graph) -> None:
    with Peer() as peer:
        watch = Watch(peer, graph)
        for node in NODES:
            peer.wait_until_active(node, LONG)
        assert peer.call(Trigger, "/qiki/sim/reset", Trigger.Request(), repeatable=False).success
        watch.states.clear()
        watch.begin(peer)
        watch.until(lambda: watch.phase() == DockingState.ALIGN)
        while watch.phase() == DockingState.ALIGN:
            if (pid := graph.pid("station/docking")) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            peer.spin_for(0.2)
        assert watch.phase() == DockingState.ABORT
        lost = watch.states[-1]
        assert lost.reason in (Reason.PARTNER_SILENT, Reason.RESERVATION_LOST), lost.text
        watch.until(lambda: watch.phase() == DockingState.FREE)
        rules = Vehicle.from_file(VEHICLE).docking
        end = [one for one in watch.states if one.phase == DockingState.ABORT][-1]
        assert end.range == pytest.approx(rules.retreat_hold, abs=0.5)
        assert abs(end.closing) < 0.05
        (ended,) = [one for one in events(peer, "docking.ended") if one.correlation == "dock-1"][-1:]
        assert (
            REGISTRY.decode(ended.type, ended.schema_version, ended.content_type, bytes(ended.payload))["outcome"]
            == "FAILED"
        )
