"""The node as a real process (SIM-N1 to SIM-N7)."""

import signal
import time

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from frame_tree import Tree
from geometry_msgs.msg import InertiaStamped
from lifecycle_msgs.msg import State
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState
from sim_helpers import CONFIG
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from qiki_msgs.msg import (
    DockCommand,
    DockSensor,
    Energy,
    PortCommand,
    PortState,
    RadarFrame,
    RfReception,
    RfTransmit,
    Thermal,
    ThrusterCommand,
    ThrusterState,
)
from qiki_msgs.srv import InjectFault, LoadScenario, SetSpeed, Step
from qiki_node.qos import CLOCK, COMMAND, RADIO, STATE, TELEMETRY
from qiki_node.testing import PATIENCE, NodeProcess, Peer
from qiki_sim.node import SimNode
from qiki_vehicle import Pose, Vehicle

# The message generators' parser imports modules that Python has deprecated.
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]

STATION = str(CONFIG / "scenarios" / "station.yaml")
SINGLE = str(CONFIG / "scenarios" / "single.yaml")
# As tf2_ros.TransformListener subscribes.
LISTENER = QoSProfile(depth=100)
STATIC_LISTENER = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def seconds(stamp):
    return stamp.sec + stamp.nanosec * 1e-9


def stamps_of(message):
    """s, of the headers of a message, or of the clock."""
    if isinstance(message, Clock):
        return [seconds(message.clock)]
    parts = getattr(message, "markers", None) or getattr(message, "transforms", None) or [message]
    return [seconds(part.header.stamp) for part in parts]


class Ground:
    """Listens to the simulator and talks to it."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.received: dict[str, list] = {}
        self.listen(Clock, "/clock", CLOCK)
        self.listen(DiagnosticArray, "/diagnostics", 10)

    def listen(self, kind, topic, qos=TELEMETRY):
        self.received[topic] = []
        self.peer.node.create_subscription(kind, topic, self.received[topic].append, qos)

    def wait_for(self, topic, count=1):
        """Until that many messages more have come; the last of them."""
        target = len(self.received[topic]) + count
        self.peer.spin_until(lambda: len(self.received[topic]) >= target)
        return self.received[topic][-1]

    @property
    def time(self):
        return seconds(self.received["/clock"][-1].clock)

    def trigger(self, name):
        return self.peer.call(Trigger, f"/qiki/sim/{name}", Trigger.Request())

    def step(self, duration):
        return self.peer.call(Step, "/qiki/sim/step", Step.Request(duration=duration), repeatable=False)

    def load(self, path, seed=-1):
        return self.peer.call(LoadScenario, "/qiki/sim/load_scenario", LoadScenario.Request(path=path, seed=seed))

    def fault(self, **fields):
        return self.peer.call(InjectFault, "/qiki/sim/inject_fault", InjectFault.Request(**fields))

    def speed(self, factor):
        return self.peer.call(SetSpeed, "/qiki/sim/set_speed", SetSpeed.Request(factor=factor))

    def diagnosis(self, component):
        """The next diagnostics of a component of the simulator."""
        while True:
            for status in self.wait_for("/diagnostics").status:
                if status.name == f"qiki/sim: {component}":
                    return status

    def frames(self):
        """Names of the frames of the newest /tf_static."""
        return {transform.child_frame_id for transform in self.received["/tf_static"][-1].transforms}

    def simulation_values(self):
        return {item.key: item.value for item in self.diagnosis("simulation").values}


def start(scenario):
    return NodeProcess.of_module(
        "qiki_sim.node", "-r", "__ns:=/qiki", "-p", f"scenario:={scenario}", "-p", "diagnostics_period:=0.2"
    )


def test_broken_scenario_at_the_start_is_named_and_can_be_asked_again():
    """SIM-N4: the node stays unconfigured, alive, and its diagnostics say why."""
    with start("/nowhere/broken.yaml") as broken, Peer() as peer:
        assert peer.lifecycle_state("/qiki/sim") == State.PRIMARY_STATE_UNCONFIGURED
        messages = []
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", messages.append, 10)
        peer.spin_until(
            lambda: any("/nowhere/broken.yaml" in status.message for message in messages for status in message.status)
        )
        assert "/nowhere/broken.yaml: cannot be read" in broken.stop()


def test_an_overloaded_simulator_leaves_time_for_commands():
    """SIM-N6: its timer is not due again at once, however late a look was."""
    rclpy.init()
    try:
        node = SimNode()
        assert node.start()
        node.runner.pacer.set_speed(100.0, time.monotonic())
        node.restart_timer()
        for _ in range(3):
            time.sleep(0.02)
            assert node._timer.time_until_next_call() <= 0
            node._look()
            assert node._timer.time_until_next_call() > 0
        node.close()
    finally:
        rclpy.shutdown()


@pytest.fixture(scope="module")
def of_module():
    """One node for all tests that follow; the last loads another scenario."""
    with start(STATION) as process, Peer() as peer:
        peer.wait_until_active("/qiki/sim")
        ground = Ground(peer)
        ground.wait_for("/clock")
        yield ground
        assert ground.speed(100.0).success  # ends although it is never done with its work
        process.stop(signal.SIGTERM)


@pytest.fixture
def ground(of_module):
    """Its time runs, whatever an earlier test left."""
    assert of_module.trigger("resume").success
    return of_module


def test_everything_promised_is_published(ground):
    """SIM-N2: names, frames and stamps; time runs forward."""
    topics = {
        "odom": Odometry,
        "thruster_state": ThrusterState,
        "energy": Energy,
        "thermal": Thermal,
        "battery": BatteryState,
        "supercap": BatteryState,
    }
    ground.listen(MarkerArray, "/qiki/markers")
    for bot in ("alpha", "bravo"):
        for name, kind in topics.items():
            ground.listen(kind, f"/{bot}/{name}")
        ground.listen(InertiaStamped, f"/{bot}/body/mass_properties", STATE)
    for bot in ("alpha", "bravo"):
        for name in topics:
            message = ground.wait_for(f"/{bot}/{name}")
            assert message.header.frame_id == ("world" if name == "odom" else f"{bot}/base_link")
            assert message.header.stamp.sec + message.header.stamp.nanosec > 0
        assert ground.wait_for(f"/{bot}/odom").child_frame_id == f"{bot}/base_link"
        latched = ground.received[f"/{bot}/body/mass_properties"]
        ground.peer.spin_until(lambda received=latched: bool(received))
        assert latched[-1].inertia.m == pytest.approx(1200.0)
    assert ground.received["/alpha/odom"][-1].pose.pose.position.x == pytest.approx(30.0, abs=0.1)
    assert ground.received["/alpha/supercap"][-1].percentage == pytest.approx(0.8, abs=0.2)
    assert {marker.ns for marker in ground.wait_for("/qiki/markers").markers} >= {"alpha", "station", "freighter"}
    stamps = [m.clock.sec * 10**9 + m.clock.nanosec for m in ground.received["/clock"]]
    assert stamps == sorted(stamps)
    assert all(stamp % 10_000_000 == 0 for stamp in stamps)


def test_tf_places_every_frame_that_a_message_names(ground):
    """SIM-N7: one tree in simulated time, for a listener like tf2's, also one that comes while time stands still."""
    assert ground.trigger("pause").success
    ground.listen(TFMessage, "/tf", LISTENER)
    ground.listen(TFMessage, "/tf_static", STATIC_LISTENER)
    ground.listen(MarkerArray, "/qiki/markers")
    ground.listen(Odometry, "/alpha/odom")
    for topic in ("/tf", "/tf_static", "/qiki/markers", "/alpha/odom"):
        ground.peer.spin_until(lambda topic=topic: bool(ground.received[topic]))
    moving, fixed = ground.received["/tf"][-1].transforms, ground.received["/tf_static"][-1].transforms
    assert all(0.0 < seconds(one.header.stamp) <= ground.time for one in [*moving, *fixed])
    tree = Tree([*moving, *fixed])
    assert tree.roots == {"map"}
    assert tree.chain("alpha/thruster_5") == ["alpha/thruster_5", "alpha/base_link", "world", "map"]
    odom = ground.received["/alpha/odom"][-1]
    named = {marker.header.frame_id for marker in ground.received["/qiki/markers"][-1].markers}
    assert all(frame in tree for frame in named | {odom.header.frame_id, odom.child_frame_id})
    thruster = Vehicle.from_file(CONFIG / "vehicles" / "dodecahedron.yaml").thrusters[5]
    bot, place, turn = tree.pose("alpha/thruster_5"), odom.pose.pose.position, odom.pose.pose.orientation
    body = Pose(np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w]))
    np.testing.assert_allclose(bot.position, body.point(thruster.position_m), atol=0.05)  # noise of the odometry
    np.testing.assert_allclose(bot.vector([1.0, 0.0, 0.0]), body.vector(thruster.direction), atol=0.01)


def test_docking_hardware_is_read_and_commanded_of_bots_and_of_the_station(ground):
    """SIM-N8: levels arrive, readings show them; a command that is none is refused and counted."""
    for body in ("alpha", "station"):
        ground.listen(DockSensor, f"/{body}/dock/sensor")
    for body in ("alpha", "station"):
        reading = ground.wait_for(f"/{body}/dock/sensor")
        assert reading.header.frame_id == f"{body}/base_link"
        assert [port.port for port in reading.ports] == ["A", "B"]
        assert {port.contact for port in reading.ports} == {PortState.NO}
    publisher = ground.peer.node.create_publisher(DockCommand, "/station/dock_command", COMMAND)
    ground.peer.spin_until(lambda: publisher.get_subscription_count() == 1)

    def closed(level):
        publisher.publish(DockCommand(ports=[PortCommand(port="B", ground=level, main=PortCommand.KEEP)]))
        return ground.wait_for("/station/dock/sensor").ports[1].ground

    ground.peer.spin_until(lambda: closed(PortCommand.ON) == PortState.YES)
    assert closed(PortCommand.KEEP) == PortState.YES
    ground.peer.spin_until(lambda: closed(PortCommand.OFF) == PortState.NO)
    before = int(ground.simulation_values()["commands_refused"])
    publisher.publish(DockCommand(ports=[PortCommand(port="B", latch=7)]))
    ground.peer.spin_until(lambda: int(ground.simulation_values()["commands_refused"]) == before + 1)
    assert (
        "station: ports[0].latch = 7; allowed: 0 (KEEP), 1 (ON), 2 (OFF)"
        in (ground.simulation_values()["last_refusal"])
    )


def test_radar_frames_and_radio_frames_go_their_way(ground):
    """SIM-R6: frames in base_link by number and time; bytes arrive as they were sent; a refusal is counted."""
    ground.listen(RadarFrame, "/alpha/radar/frame")
    ground.listen(RfReception, "/bravo/rf/rx", RADIO)
    first, second = ground.wait_for("/alpha/radar/frame"), ground.wait_for("/alpha/radar/frame")
    assert second.number > first.number
    assert seconds(second.header.stamp) == pytest.approx(0.1 * second.number, abs=1e-6)
    assert second.header.frame_id == "alpha/base_link"
    assert second.range_max == 20_000.0
    ground.peer.spin_until(
        lambda: any(
            one.range == pytest.approx(30.0, abs=4.0) for one in ground.received["/alpha/radar/frame"][-1].detections
        )
    )
    publisher = ground.peer.node.create_publisher(RfTransmit, "/alpha/rf/tx", RADIO)
    ground.peer.spin_until(
        lambda: publisher.get_subscription_count() == 1 and ground.peer.node.count_publishers("/bravo/rf/rx") == 1
    )
    frame = bytes(range(256))

    def arrived():
        publisher.publish(RfTransmit(frame=frame, eirp=30.0))
        ground.peer.spin_until(lambda: True)
        return bool(ground.received["/bravo/rf/rx"])

    ground.peer.spin_until(arrived)
    reception = ground.received["/bravo/rf/rx"][-1]
    assert bytes(reception.frame) == frame
    assert reception.header.frame_id == "bravo/base_link"
    assert reception.number >= 1
    assert -60.0 < reception.strength < 0.0
    assert np.isnan(reception.round_trip)
    before = int(ground.simulation_values()["commands_refused"])
    publisher.publish(RfTransmit(frame=frame, eirp=float("nan")))
    ground.peer.spin_until(lambda: int(ground.simulation_values()["commands_refused"]) == before + 1)
    assert "alpha: eirp = nan; allowed: -100 to 100 dBm" in ground.simulation_values()["last_refusal"]


def test_a_commanded_pulse_moves_the_bot(ground):
    """SIM-N3: exactly as long as commanded, wherever the window begins."""
    assert ground.trigger("pause").success
    ground.listen(ThrusterState, "/alpha/thruster_state")
    ground.listen(Odometry, "/alpha/odom")
    publisher = ground.peer.node.create_publisher(ThrusterCommand, "/alpha/thruster_command", COMMAND)
    ground.peer.spin_until(lambda: publisher.get_subscription_count() == 1)
    # Not from /clock: what comes now may have been sent before the pause.
    nanoseconds = round(ground.step(0.01).time * 1e9) + 200_000_000
    nan = float("nan")
    command = ThrusterCommand(window=0.4)
    command.header.stamp.sec, command.header.stamp.nanosec = divmod(nanoseconds, 10**9)
    command.open_time = [0.01 if index in (4, 5, 6, 7) else nan for index in range(16)]
    command.close_time = [0.21 if index in (4, 5, 6, 7) else nan for index in range(16)]
    for _ in range(8):
        publisher.publish(command)
        assert publisher.wait_for_all_acked(Duration(seconds=PATIENCE))
        assert ground.step(0.01).success
    after = ground.step(0.45).time

    def current(topic):
        received = ground.received[topic]
        return bool(received) and seconds(received[-1].header.stamp) >= after

    # Telemetry is best effort: go on until samples after the pulse have come.
    while not (current("/alpha/thruster_state") and current("/alpha/odom")):
        assert ground.step(0.05).success
        ground.peer.spin_for(0.05)
    state = ground.received["/alpha/thruster_state"][-1]
    assert state.vehicle.startswith("dodecahedron ")
    assert state.on_time[4] == pytest.approx(0.2, abs=1e-6)
    assert state.firings[4] == 1
    assert state.late_edges == 0
    velocity = ground.received["/alpha/odom"][-1].twist.twist.linear.x
    assert velocity == pytest.approx(735.391 * 0.2 / 1200.0, rel=0.05)


def test_impossible_requests_are_refused_and_it_goes_on(ground):
    """SIM-N4: commands and services; field, value and allowed range are named."""
    publisher = ground.peer.node.create_publisher(ThrusterCommand, "/alpha/thruster_command", COMMAND)
    ground.peer.spin_until(lambda: publisher.get_subscription_count() == 1)
    before = int(ground.simulation_values()["commands_refused"])
    publisher.publish(ThrusterCommand(window=0.1, open_time=[0.0], close_time=[0.0]))
    ground.peer.spin_until(lambda: int(ground.simulation_values()["commands_refused"]) == before + 1)
    assert "alpha: open_time: (1,) values; allowed: (16,)" in ground.simulation_values()["last_refusal"]
    for answer, text in (
        (ground.step(0.1), "pause"),
        (ground.speed(1000.0), "factor = 1000.0: allowed: 0.01 to 100"),
        (ground.speed(float("nan")), "factor = nan"),
        (ground.fault(bot="zulu", kind="clear"), "bot = 'zulu': allowed: alpha, bravo"),
        (ground.fault(bot="alpha", kind="thruster_weak", target="1", value=7.0), "value = 7.0"),
        (ground.load("/nowhere/broken.yaml"), "/nowhere/broken.yaml: cannot be read"),
        (ground.load("no_such_scenario"), "no_such_scenario"),
        (ground.load("/etc/passwd"), "allowed: a file named *.yaml"),
        (ground.load(SINGLE, seed=-2), "seed = -2"),
    ):
        assert not answer.success
        assert text in answer.message
    assert ground.trigger("pause").success
    for duration, text in ((0.0, "duration = 0.0"), (61.0, "0 to 60 s"), (0.0005, "0.002 s"), (float("nan"), "nan")):
        answer = ground.step(duration)
        assert not answer.success
        assert text in answer.message
    assert ground.trigger("resume").success
    before = ground.time
    ground.peer.spin_until(lambda: ground.time > before + 0.1)
    assert ground.simulation_values()["scenario"] == "station"


def test_a_speed_that_is_not_reached_and_a_second_clock_are_named(ground):
    """SIM-N6: commanded speed, reached speed, commands and late edges; the diagnostics keep their rate meanwhile."""
    publisher = ground.peer.node.create_publisher(ThrusterCommand, "/alpha/thruster_command", COMMAND)
    ground.peer.spin_until(lambda: publisher.get_subscription_count() == 1)
    assert ground.speed(100.0).success
    found = []

    def too_slow():
        found.append(ground.diagnosis("simulation"))
        return any(status.message.startswith("slower than asked") for status in found)

    ground.peer.spin_until(too_slow)
    slow = next(status for status in found if status.message.startswith("slower than asked"))
    values = {item.key: item.value for item in slow.values}
    assert 0.0 < float(values["real_time_factor"]) < 90.0
    assert float(values["speed"]) == 100.0
    assert ground.speed(1.0).success
    late = ThrusterCommand(window=0.1, open_time=[float("nan")] * 16, close_time=[0.0] * 16)

    def named():
        publisher.publish(late)
        return int(ground.simulation_values()["late_edges"]) > 0  # on a busy machine the message says that it is slow

    ground.peer.spin_until(named)

    second = ground.peer.node.create_publisher(Clock, "/clock", CLOCK)
    name = ground.peer.node.get_fully_qualified_name()
    ground.peer.spin_until(lambda: ground.diagnosis("simulation").level == DiagnosticStatus.ERROR)
    assert f"/clock is published by {name} too" in ground.diagnosis("simulation").message
    ground.peer.node.destroy_publisher(second)
    ground.peer.spin_until(lambda: ground.diagnosis("simulation").level != DiagnosticStatus.ERROR)


def test_pause_step_speed_reset_load(ground):
    """SIM-N5."""
    assert ground.trigger("pause").success
    answer = ground.step(0.5)
    later = ground.step(0.002)
    assert later.time == pytest.approx(answer.time + 0.002, abs=1e-9)
    ground.peer.spin_until(lambda: ground.time == pytest.approx(later.time, abs=1e-6))
    assert ground.speed(5.0).factor == 5.0
    assert ground.trigger("resume").success
    ground.peer.spin_until(lambda: ground.time > later.time + 1.0)
    ground.received["/clock"].clear()
    assert ground.trigger("reset").success
    # Any of them: by now time may again be later than it was.
    ground.peer.spin_until(lambda: any(seconds(message.clock) < later.time for message in ground.received["/clock"]))

    ground.listen(Odometry, "/alpha/odom")
    ground.wait_for("/alpha/odom")
    assert ground.trigger("pause").success
    ground.received["/alpha/odom"].clear()
    again = ground.wait_for("/alpha/odom", 3)  # repeated, for subscribers that come while time stands still
    assert seconds(again.header.stamp) <= ground.time
    assert ground.fault(bot="alpha", kind="sensor_dropout", target="odom").success
    last = ground.step(0.01).time
    assert ground.trigger("resume").success
    ground.wait_for("/clock", 30)
    assert not [message for message in ground.received["/alpha/odom"] if seconds(message.header.stamp) >= last - 1e-6]
    assert "alpha sensor_dropout odom" in ground.simulation_values()["faults"]

    assert ground.diagnosis("hardware").message == "ok"
    assert ground.fault(bot="bravo", kind="thruster_stuck_open", target="3").success
    ground.peer.spin_until(lambda: ground.diagnosis("hardware").message == "bravo: thruster 3 stuck_open")
    assert ground.diagnosis("hardware").level == DiagnosticStatus.ERROR

    assert ground.trigger("pause").success
    assert ground.trigger("reset").success
    ground.peer.spin_until(lambda: 0.0 < ground.time < 0.01)
    ground.listen(TFMessage, "/tf_static", STATIC_LISTENER)
    ground.wait_for("/alpha/odom")
    ground.peer.spin_until(lambda: bool(ground.received["/tf_static"]))
    assert {one.header.stamp.nanosec for one in ground.received["/tf_static"][-1].transforms} == {1000}
    for topic, messages in ground.received.items():
        assert all(stamp > 0.0 for message in messages for stamp in stamps_of(message)), topic

    answer = ground.load(SINGLE, seed=42)
    assert answer.success
    assert "bots alpha, seed 42" in answer.message
    assert abs(ground.wait_for("/alpha/odom", 5).pose.pose.position.x) < 0.5
    ground.peer.spin_until(lambda: ground.peer.node.count_publishers("/bravo/odom") == 0)
    ground.peer.spin_until(lambda: not any(frame.startswith("bravo") for frame in ground.frames()))
    assert "alpha/thruster_0" in ground.frames()
