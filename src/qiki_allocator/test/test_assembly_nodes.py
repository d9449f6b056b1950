"""Two allocator nodes: one follows, one leads, edges go to both; the lead is killed."""

import math
import signal
from contextlib import ExitStack

import pytest
from geometry_msgs.msg import WrenchStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from qiki_msgs.msg import (
    Allocation,
    Assembly,
    AssemblyJoint,
    AssemblyMember,
    BridgeEdge,
    BridgeState,
    Energy,
    Thermal,
    ThrusterCommand,
)
from qiki_msgs.srv import SetLead
from qiki_node.executor import spin_until
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.testing import NodeProcess, Peer

pytestmark = pytest.mark.realtime

BOTS = ("alpha", "bravo")
TICK = 0.02  # s
JOINT = AssemblyJoint(body="alpha", port="A", partner="bravo", partner_port="B")
NODES = ["RCS_A", "RCS_B", "RCS_C", "RCS_D", "HULL"]


class Pair:
    """A peer in lockstep with both nodes."""

    def __init__(self, peer):
        self.peer, self.now, self.alive = peer, 5.0, list(BOTS)
        self.commands = {bot: [] for bot in BOTS}
        self.latest = {}
        node = peer.node
        self.clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self.out = {}
        for bot in BOTS:
            for kind, topic, qos in (
                (Energy, "energy", TELEMETRY),
                (Thermal, "thermal", TELEMETRY),
                (Odometry, "odom", TELEMETRY),
                (WrenchStamped, "cmd_wrench", COMMAND),
                (BridgeState, "bridge", STATE),
            ):
                self.out[bot, topic] = node.create_publisher(kind, f"/{bot}/{topic}", qos)
            take = self.commands[bot].append
            node.create_subscription(ThrusterCommand, f"/{bot}/thruster_command", take, COMMAND)
            for kind, topic in (
                (Allocation, "allocation"),
                (Assembly, "assembly"),
                (AssemblyMember, "assembly_member"),
            ):
                self._keep(node, bot, kind, topic)
        self.greeters = {bot: node.create_client(GetParameters, f"/{bot}/allocator/get_parameters") for bot in BOTS}
        for bot in BOTS:
            peer.wait_until_active(f"/{bot}/allocator")
            peer.spin_until(self.greeters[bot].service_is_ready)
        for (_, topic), publisher in self.out.items():
            peer.spin_until(lambda publisher=publisher: publisher.get_subscription_count() == 1)
            assert topic
        self.tick_until(lambda: all(self.gate(bot) == "BOOST" for bot in BOTS))

    def _keep(self, node, bot, kind, topic):
        node.create_subscription(kind, f"/{bot}/{topic}", lambda it: self.latest.update({(bot, topic): it}), TELEMETRY)

    def gate(self, bot):
        return self.latest[bot, "allocation"].gate if (bot, "allocation") in self.latest else ""

    def state(self, bot):
        return self.latest[bot, "allocation"].state

    def tick(self):
        self.now = round(self.now + TICK, 6)
        stamp = Clock()
        stamp.clock.sec, stamp.clock.nanosec = int(self.now), round(self.now % 1.0 * 1e9)
        self.clock.publish(stamp)
        if round(self.now / TICK) % 5 == 0:
            self._telemetry(stamp.clock)
        for _ in range(3):
            for bot in self.alive:
                answer = self.greeters[bot].call_async(GetParameters.Request())
                assert spin_until(self.peer.executor, answer, 30.0)

    def _telemetry(self, stamp):
        odometry = Odometry()
        odometry.pose.pose.orientation.w = 1.0
        messages = {
            "energy": Energy(supercap_soc=0.8, continuous_power=22500.0, pdu=Energy.PDU_ON),
            "thermal": Thermal(name=NODES, temperature=[20.0] * len(NODES)),
            "odom": odometry,
        }
        for bot in self.alive:
            for topic, message in messages.items():
                message.header.stamp = stamp
                self.out[bot, topic].publish(message)

    def tick_until(self, condition):
        for _ in range(600):
            if condition():
                return
            self.tick()
        raise AssertionError("condition did not come true")

    def push(self, bot, force):
        message = WrenchStamped()
        message.header.frame_id = "base_link"
        message.wrench.force.x = force
        self.out[bot, "cmd_wrench"].publish(message)

    def set_lead(self, bot, lead, *joints):
        return self.peer.call(SetLead, f"/{bot}/allocator/set_lead", SetLead.Request(lead=lead, joints=list(joints)))

    def opens(self, bot):
        return any(math.isfinite(at) for command in self.commands[bot] for at in command.open_time)

    def report_bridge(self, *peers, partner_port="B"):
        edges = [BridgeEdge(port="A", partner=peer, partner_port=partner_port) for peer in peers]
        self.out["alpha", "bridge"].publish(BridgeState(body="alpha", data_peers=list(peers), edges=edges))
        self.tick()
        self.tick()

    def lead(self):
        assert self.set_lead("bravo", "alpha").success
        assert self.set_lead("alpha", "alpha", JOINT).success
        self.tick_until(lambda: ("alpha", "assembly") in self.latest and self.latest["alpha", "assembly"].members)


@pytest.fixture(scope="module")
def processes(vehicle_file):
    with ExitStack() as stack:
        started = {}
        for bot in BOTS:
            arguments = ("-r", f"__ns:=/{bot}", "-p", "use_sim_time:=true", "-p", f"vehicle_file:={vehicle_file}")
            started[bot] = stack.enter_context(NodeProcess.of_module("qiki_allocator.node", *arguments))
        yield started
        if started["bravo"].process.poll() is None:
            started["bravo"].stop(signal.SIGTERM)


@pytest.mark.requirement("ALLOC-23", "ALLOC-24")
def test_a_lead_flies_both_bots_until_it_is_ended_loses_the_bridge_or_is_killed(processes):
    with Peer() as peer:
        pair = Pair(peer)
        assert "joints: none" in pair.set_lead("alpha", "alpha").message
        assert "'br avo'; allowed: names of bodies" in pair.set_lead("alpha", "br avo").message
        pair.lead()
        state = pair.latest["alpha", "assembly"]
        assert (list(state.members), state.thrusters) == (["alpha", "bravo"], 32)
        assert state.poses[1].position.z == pytest.approx(2.4)
        assert state.mass == pytest.approx(2400.0)
        pair.tick_until(lambda: len(pair.latest["alpha", "allocation"].forces) == 32)
        assert pair.state("bravo") == Allocation.STATE_FOLLOWING
        assert [pair.latest[bot, "allocation"].flight_lead for bot in BOTS] == ["alpha", "alpha"]
        # An own command of the member is refused, one to the lead opens valves of both.
        pair.push("bravo", 50.0)
        pair.tick_until(lambda: pair.latest["bravo", "allocation"].refusal.startswith("FOLLOWS: alpha"))
        pair.commands["bravo"].clear()
        pair.push("alpha", 400.0)
        pair.tick_until(lambda: pair.opens("alpha") and pair.opens("bravo"))
        # The operator ends it; without a data bridge it is not begun again.
        assert pair.set_lead("alpha", "").success
        pair.tick_until(lambda: pair.state("bravo") != Allocation.STATE_FOLLOWING)
        pair.report_bridge()
        assert (
            "allowed: bodies that are reached over data bridges: none" in pair.set_lead("alpha", "alpha", JOINT).message
        )
        pair.report_bridge("bravo")
        pair.lead()
        # Ports that docking does not report are refused: the geometry would be another one.
        assert pair.set_lead("alpha", "").success
        pair.report_bridge("bravo", partner_port="A")
        wrong = pair.set_lead("alpha", "alpha", JOINT).message
        assert wrong == "joint: bravo:B=alpha:A; allowed: bravo:A=alpha:A, as they are docked"
        pair.report_bridge("bravo")
        pair.tick_until(lambda: pair.state("bravo") != Allocation.STATE_FOLLOWING)
        pair.lead()
        # The bridge goes, and with it the command under way.
        pair.push("alpha", 400.0)
        pair.tick_until(lambda: pair.latest["alpha", "allocation"].activity == Allocation.ACTIVITY_COMMAND)
        pair.out["alpha", "bridge"].publish(BridgeState(body="alpha"))
        pair.tick_until(lambda: pair.state("bravo") != Allocation.STATE_FOLLOWING)
        reason = "no data bridge to bravo; command dropped, valves closed"
        pair.tick_until(lambda: pair.latest["alpha", "assembly"].reason == reason)
        pair.report_bridge("bravo")
        pair.lead()
        # The lead is killed: the member flies itself again.
        pair.tick_until(lambda: pair.state("bravo") == Allocation.STATE_FOLLOWING)
        processes["alpha"].kill()
        pair.alive.remove("alpha")
        pair.tick_until(lambda: pair.state("bravo") != Allocation.STATE_FOLLOWING)
        pair.commands["bravo"].clear()
        pair.push("bravo", 200.0)
        pair.tick_until(lambda: pair.opens("bravo"))
