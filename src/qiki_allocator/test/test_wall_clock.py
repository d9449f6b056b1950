"""An allocator that follows the computer's clock flies on, and knows its inputs, while that clock is set."""

import sys
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import WrenchStamped
from nav_msgs.msg import Odometry
from wall_clock import WallClock

from qiki_msgs.msg import Allocation, Energy, Thermal, ThrusterCommand
from qiki_node import stamps
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.testing import PATIENCE, NodeProcess, Peer

pytestmark = pytest.mark.realtime

BOT = "/charlie"


class Feeder:
    """Commands and telemetry, stamped with the clock, and all that the allocator publishes."""

    def __init__(self, peer: Peer, clock: WallClock) -> None:
        self.peer, self.clock = peer, clock
        self.ahead = 0.0
        """s, of the stamps"""
        node = peer.node
        self.commands: list[ThrusterCommand] = []
        self.allocations: list[Allocation] = []
        self.diagnostics: list[DiagnosticArray] = []
        node.create_subscription(ThrusterCommand, f"{BOT}/thruster_command", self.commands.append, COMMAND)
        node.create_subscription(Allocation, f"{BOT}/allocation", self.allocations.append, TELEMETRY)
        node.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self._publishers = {
            kind: node.create_publisher(kind, f"{BOT}/{topic}", qos)
            for kind, topic, qos in (
                (WrenchStamped, "cmd_wrench", COMMAND),
                (Energy, "energy", TELEMETRY),
                (Thermal, "thermal", TELEMETRY),
                (Odometry, "odom", TELEMETRY),
            )
        }
        for one in self._publishers.values():
            peer.spin_until(lambda one=one: one.get_subscription_count() == 1)
        node.create_timer(0.02, self._feed)

    def now(self) -> float:
        return time.time() + self.clock.offset

    def _feed(self) -> None:
        wrench = WrenchStamped()
        wrench.header.frame_id = "base_link"
        wrench.wrench.force.x = 100.0
        odometry = Odometry()
        odometry.header.frame_id = "world"
        odometry.pose.pose.orientation.w = 1.0
        energy = Energy(supercap_soc=0.9, continuous_power=22500.0, pdu=Energy.PDU_ON)
        thermal = Thermal(name=["RCS_A", "RCS_B", "RCS_C", "RCS_D"], temperature=[20.0] * 4)
        for message in (wrench, odometry, energy, thermal):
            message.header.stamp = stamps.from_seconds(self.now() + self.ahead)
            self._publishers[type(message)].publish(message)

    def live_through(self, *, flying: bool = True) -> None:
        """Wait for half a second's worth of each thing that the allocator publishes, stamped with the clock of now."""
        for published in (self.commands, self.allocations, self.diagnostics):
            published.clear()
        self.peer.spin_until(lambda: len(self.allocations) >= 10 and len(self.own_diagnostics()) >= 3)
        if flying:
            self.peer.spin_until(lambda: len(self.commands) >= 25)
        stamped = [stamps.seconds(self.allocations[-1].header.stamp)]
        stamped += [stamps.seconds(command.header.stamp) for command in self.commands[-1:]]
        assert all(abs(stamp - self.now()) < PATIENCE for stamp in stamped)

    def own_diagnostics(self) -> list[DiagnosticArray]:
        return [one for one in self.diagnostics if one.status[0].name.startswith(f"{BOT[1:]}/allocator")]

    def settles(self, gate: str, refused: str = "") -> None:
        """Wait for a gate (empty: any), and for a refusal among the warnings (empty: for warnings without one)."""

        def settled() -> bool:
            if not self.allocations:
                return False
            last = self.allocations[-1]
            found = any(refused in text if refused else "refused" in text for text in last.warnings)
            return last.gate in (gate or last.gate) and last.state == Allocation.STATE_ACTIVE and found is bool(refused)

        self.allocations.clear()
        self.peer.spin_until(settled)


@pytest.fixture
def feeder(tmp_path, vehicle_file):
    clock = WallClock(tmp_path)
    arguments = ["-r", f"__ns:={BOT}", "-p", f"vehicle_file:={vehicle_file}", "-p", "diagnostics_period:=0.2"]
    process = NodeProcess([sys.executable, "-m", "qiki_allocator.node"], arguments, clock.environment)
    with process, Peer() as peer:
        peer.wait_until_active(f"{BOT}/allocator")
        yield Feeder(peer, clock)
        process.stop()


def test_control_and_telemetry_go_on_when_the_clock_is_set(feeder):
    feeder.settles("BOOST")
    for step in (0.0, -100.0, 3600.0, -3500.0):
        feeder.clock.step(step)
        feeder.live_through()
        feeder.settles("BOOST")


def test_telemetry_of_a_sender_whose_clock_is_ahead_is_refused_until_the_clocks_agree(feeder):
    feeder.settles("BOOST")
    feeder.ahead = 60.0
    feeder.live_through()
    feeder.settles("", "s ahead of now; allowed: at most 0.5 s")
    feeder.clock.step(60.0)  # both clocks are now those of the sender
    feeder.ahead = 0.0
    feeder.settles("BOOST")
    feeder.live_through()
