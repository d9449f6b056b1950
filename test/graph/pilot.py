"""A pilot for tests of whole flights: flies a bot by cmd_wrench and watches that every limit is kept."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from geometry_msgs.msg import Quaternion, WrenchStamped
from nav_msgs.msg import Odometry
from pacing import in_time, stamp_of
from std_srvs.srv import Trigger

from qiki_msgs.msg import Allocation, Energy, ThrusterState
from qiki_msgs.srv import InjectFault, SetAllocatorMode, SetAttitudeMode, SetThrusterHealth
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.testing import Peer

MASS = 1200.0  # kg, launch/config/vehicles/dodecahedron.yaml
LIMIT = 45000.0  # W
LONGEST = 120.0  # s of simulated time that a manoeuvre may take

SCENARIO = """
name: far_apart
seed: 1
bots:
  - name: alpha
    vehicle: {vehicle}
    position: [0.0, 0.0, 0.0]
  - name: bravo
    vehicle: {vehicle}
    position: [200.0, 0.0, 0.0]
    supercap_soc: {soc}
"""


def write_scenario(folder: Path, soc_of_bravo: float) -> Path:
    """Two bots, far apart; the path of the file."""
    vehicle = Path(__file__).resolve().parents[2] / "launch/config/vehicles/dodecahedron.yaml"
    path = folder / "far_apart.yaml"
    path.write_text(SCENARIO.format(vehicle=vehicle, soc=soc_of_bravo))
    return path


class Pilot:
    """Flies one bot by cmd_wrench and watches that every limit is kept."""

    def __init__(self, peer: Peer, bot: str, pace: float = 1.0) -> None:
        self.peer, self.bot, self.pace = peer, bot, pace
        self.odom: Odometry | None = None
        self.allocation: Allocation | None = None
        self.goal: np.ndarray | None = None
        self.largest_force, self.cruise = 400.0, 0.6  # N, m/s
        self.peak = 0.0
        self.trips: int | None = None
        self.gates: list[str] = []
        self.worst_tilt = 0.0
        self.arrived: float | None = None  # s
        self.attitude = np.array([0.0, 0.0, 0.0, 1.0])
        node = peer.node
        self._wrench = node.create_publisher(WrenchStamped, f"/{bot}/cmd_wrench", COMMAND)
        self._subscriptions = [
            node.create_subscription(Odometry, f"/{bot}/odom", self._fly, TELEMETRY),
            node.create_subscription(Energy, f"/{bot}/energy", self._watch, TELEMETRY),
            node.create_subscription(Allocation, f"/{bot}/allocation", self._note, TELEMETRY),
        ]
        peer.spin_until(lambda: None not in (self.odom, self.allocation, self.trips))
        peer.spin_until(lambda: self.allocation.gate in ("BOOST", "HOLD"))
        self._renew()
        assert self.call(Trigger, "brake", Trigger.Request()).success
        self.allocation = None
        self.wait(lambda: self.allocation is not None and self.allocation.activity == Allocation.ACTIVITY_NONE)
        self.gates.clear()
        self.tripped = self.trips

    def _renew(self) -> None:
        """As it would be after its start: whatever an earlier flight has left."""
        for thruster, health in enumerate(self.allocation.health):
            if health != ThrusterState.HEALTH_OK:
                repaired = SetThrusterHealth.Request(thruster=thruster, health=ThrusterState.HEALTH_OK)
                assert self.call(SetThrusterHealth, "set_thruster_health", repaired).success
        self.set_mode(Allocation.MODE_ADAPTIVE)
        self.call(SetAttitudeMode, "set_attitude_mode", SetAttitudeMode.Request(mode=SetAttitudeMode.Request.OFF))

    def close(self) -> None:
        self.goal = None
        for subscription in self._subscriptions:
            self.peer.node.destroy_subscription(subscription)
        self.peer.node.destroy_publisher(self._wrench)

    def call(self, kind, service, request):
        return self.peer.call(kind, f"/{self.bot}/allocator/{service}", request)

    def fault(self, kind: str, target: str) -> None:
        request = InjectFault.Request(bot=self.bot, kind=kind, target=target)
        assert self.peer.call(InjectFault, "/qiki/sim/inject_fault", request).success

    def set_mode(self, mode: int) -> None:
        request = SetAllocatorMode.Request(mode=mode)
        assert self.call(SetAllocatorMode, "set_mode", request).success

    def hold(self, *target: float) -> None:
        self.attitude = np.array(target)
        x, y, z, w = target
        request = SetAttitudeMode.Request(
            mode=SetAttitudeMode.Request.HOLD, current=False, target=Quaternion(x=x, y=y, z=z, w=w)
        )
        answer = self.call(SetAttitudeMode, "set_attitude_mode", request)
        assert answer.success, answer.message

    @property
    def time(self) -> float:
        return stamp_of(self.odom)

    @property
    def position(self) -> np.ndarray:
        p = self.odom.pose.pose.position
        return np.array([p.x, p.y, p.z])

    @property
    def speed(self) -> float:
        v = self.odom.twist.twist.linear
        return math.hypot(v.x, v.y, v.z)

    @property
    def rate(self) -> float:
        """deg/s."""
        w = self.odom.twist.twist.angular
        return math.degrees(math.hypot(w.x, w.y, w.z))

    @property
    def quaternion(self) -> np.ndarray:
        q = self.odom.pose.pose.orientation
        return np.array([q.x, q.y, q.z, q.w])

    @property
    def tilt(self) -> float:
        """deg between the attitude and the one to hold."""
        return math.degrees(2.0 * math.acos(min(abs(float(self.quaternion @ self.attitude)), 1.0)))

    def wait(self, condition) -> float:
        """Until the condition holds; s of simulated time."""
        begun = self.time
        self.peer.spin_until(lambda: condition() or self.time - begun > LONGEST, 3.0 * LONGEST / self.pace)
        assert condition(), f"not within {LONGEST} s: tilt {self.tilt:.2f} deg, speed {self.speed:.3f} m/s"
        return self.time - begun

    def _fly(self, message: Odometry) -> None:
        self.odom = message
        if self.goal is None:
            return
        self.worst_tilt = max(self.worst_tilt, self.tilt)
        if self.arrived is None and self.has_arrived():
            self.arrived = self.time
        turn = rotation(self.quaternion)
        v = message.twist.twist.linear
        velocity = turn @ np.array([v.x, v.y, v.z])
        towards = 0.3 * (self.goal - self.position)
        towards *= min(1.0, self.cruise / max(float(np.linalg.norm(towards)), 1e-9))
        force = turn.T @ (MASS * (towards - velocity))
        force *= min(1.0, self.largest_force / max(float(np.abs(force).max()), 1e-9))
        command = WrenchStamped()
        command.header.frame_id = "base_link"
        command.wrench.force.x, command.wrench.force.y, command.wrench.force.z = force.tolist()
        self._wrench.publish(command)

    def _watch(self, message: Energy) -> None:
        self.peak = max(self.peak, message.thrust_power, message.thrust_power_mean)
        self.trips = message.pdu_trips

    def _note(self, message: Allocation) -> None:
        self.allocation = message
        if not self.gates or self.gates[-1] != message.gate:
            self.gates.append(message.gate)

    def has_arrived(self) -> bool:
        return (
            float(np.linalg.norm(self.goal - self.position)) < 0.10
            and self.speed < 0.03
            and self.tilt < 1.0
            and self.rate < 0.5
        )

    def check_limits(self) -> None:
        assert self.trips == self.tripped
        assert self.peak <= LIMIT

    def figures(self, **more: object) -> None:
        figures = {
            "bot": self.bot,
            "peak_kw": round(self.peak / 1000.0, 1),
            "worst_tilt_deg": round(self.worst_tilt, 2),
            "tilt_deg": round(self.tilt, 3),
            "rate_deg_s": round(self.rate, 3),
            "gates": self.gates,
            "health": list(self.allocation.health),
            "trips": self.trips - self.tripped,
            "pace": self.pace,
            **more,
        }
        print(json.dumps(figures))


def rotation(q: np.ndarray) -> np.ndarray:
    """(3, 3), base_link to world."""
    x, y, z, w = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def fly_in_time(peer: Peer, flight: Callable[..., None], *bots: str) -> None:
    """Let pilots of these bots fly; `flight` takes them, and asserts. See `in_time`."""

    def attempt(pace: float) -> None:
        pilots: list[Pilot] = []
        try:
            for bot in bots:
                pilots.append(Pilot(peer, bot, pace))
            flight(*pilots)
        except AssertionError:
            for pilot in pilots:
                pilot.figures()
            raise
        finally:
            for pilot in pilots:
                pilot.close()

    in_time(peer, attempt, *bots)


def translate(
    *pilots: Pilot,
    fault: tuple[str, str] | None = None,
) -> None:
    """Ten metres along x side by side with the attitude held; the fault, if there is one, comes to all after two."""
    for pilot in pilots:
        pilot.hold(0.0, 0.0, 0.0, 1.0)
    for pilot in pilots:
        pilot.wait(lambda pilot=pilot: pilot.tilt < 1.0 and pilot.rate < 0.5)
    starts = [pilot.position for pilot in pilots]
    begun = pilots[0].time
    for pilot, start in zip(pilots, starts, strict=True):
        pilot.worst_tilt, pilot.arrived = 0.0, None
        pilot.goal = start + np.array([10.0, 0.0, 0.0])
    if fault is not None:
        for pilot, start in zip(pilots, starts, strict=True):
            pilot.wait(lambda pilot=pilot, start=start: pilot.position[0] - start[0] > 2.0)
            pilot.fault(*fault)
    for pilot in pilots:
        pilot.wait(lambda pilot=pilot: pilot.arrived is not None)
        missed = round(float(np.linalg.norm(pilot.goal - pilot.position)), 3)
        pilot.figures(seconds=round(pilot.arrived - begun, 1), missed_m=missed)
        pilot.check_limits()
