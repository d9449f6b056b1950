"""The recorder as a real process: what is published is in the file, also after kill -9."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rclpy
from action_msgs.msg import GoalStatusArray
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import WrenchStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from mcap.reader import make_reader
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from qiki_events import REGISTRY
from qiki_eventstore.recording.folder import load, recordings_in
from qiki_eventstore.recording.playback import Recording
from qiki_eventstore.recording.reading import read_samples
from qiki_eventstore.recording.summary import summarise
from qiki_msgs.action import ExecuteThrustProfile
from qiki_node.qos import CLOCK, STATE, TELEMETRY
from qiki_node.spool_record import event_of
from qiki_node.testing import PATIENCE, NodeProcess, Peer, use_private_domain

# The message generators' parser imports modules that Python has deprecated.
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]

use_private_domain()


class Flight:
    """Publishes what is to be recorded, and hears how the recorder is."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.sent = 0
        self.wrench = peer.node.create_publisher(WrenchStamped, "/alpha/wrench", TELEMETRY)
        self.name = peer.node.create_publisher(String, "/alpha/name", STATE)
        self.other = peer.node.create_publisher(String, "/bravo/name", 10)
        self.values: dict[str, str] = {}
        self.message = ""
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", self._take, 10)

    def wait_until_heard(self, *publishers: Any) -> None:
        self.peer.spin_until(lambda: all(one.get_subscription_count() > 0 for one in publishers))

    def publish(self, count: int) -> None:
        """Wrenches whose x is their number, at about 200 Hz."""
        for _ in range(count):
            message = WrenchStamped()
            message.wrench.force.x = float(self.sent)
            self.wrench.publish(message)
            self.sent += 1
            self.peer.spin_for(0.005)

    def _take(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "qiki/recorder: recording":
                self.message = status.message
                self.values = {item.key: item.value for item in status.values}


def start(destination: str, *more: str) -> NodeProcess:
    arguments = ["-r", "__ns:=/qiki", "-p", f"destination:={destination}", "-p", "diagnostics_period:=0.1"]
    arguments += ["-p", "flush_period:=0.1", "-p", "events_enabled:=false"]
    return NodeProcess.of_module("qiki_eventstore.ros.recorder_node", *arguments, *more)


@pytest.mark.requirement("EVENT-12")
def test_records_what_was_published_with_definitions(tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    with Peer() as peer, start(f"mcap:///{path}", "-p", "topics:=['/alpha/*']") as node:
        flight = Flight(peer)
        flight.name.publish(String(data="before it listened"))
        flight.wait_until_heard(flight.wrench, flight.name)
        flight.publish(50)
        flight.other.publish(String(data="nobody asked"))
        peer.spin_until(lambda: int(flight.values.get("stored", 0)) >= 51)
        assert flight.values["dropped"] == "0"
        node.stop()
    with path.open("rb") as file:
        messages = list(make_reader(file, validate_crcs=True).iter_messages())
    wrenches = [
        deserialize_message(message.data, WrenchStamped).wrench.force.x
        for _, channel, message in messages
        if channel.topic == "/alpha/wrench"
    ]
    assert wrenches == sorted(wrenches)
    assert len(wrenches) >= 50
    assert {channel.topic for _, channel, _ in messages} == {"/alpha/wrench", "/alpha/name"}
    latched = [message for _, channel, message in messages if channel.topic == "/alpha/name"]
    assert deserialize_message(latched[0].data, String).data == "before it listened"
    schema = next(schema for schema, channel, _ in messages if channel.topic == "/alpha/wrench")
    assert schema is not None
    assert (schema.name, schema.encoding) == ("geometry_msgs/msg/WrenchStamped", "ros2msg")
    assert b"MSG: geometry_msgs/Vector3" in schema.data


@pytest.mark.requirement("EVENT-11e")
def test_a_recording_begins_with_the_first_clock_and_no_message_has_time_0(tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    with Peer() as peer, start(f"mcap:///{path}", "-p", "topics:=['/alpha/*']", "-p", "use_sim_time:=true") as node:
        flight = Flight(peer)
        clock = peer.node.create_publisher(Clock, "/clock", CLOCK)
        flight.name.publish(String(data="latched before the clock ran"))
        flight.wait_until_heard(clock)
        peer.spin_until(lambda: flight.message != "")
        assert flight.wrench.get_subscription_count() == 0

        def show() -> None:
            clock.publish(Clock(clock=Time(sec=500)))

        peer.spin_until(lambda: show() or flight.wrench.get_subscription_count() > 0)
        flight.publish(5)
        peer.spin_until(lambda: int(flight.values.get("stored", 0)) >= 6)
        node.stop()
    with path.open("rb") as file:
        messages = list(make_reader(file, validate_crcs=True).iter_messages())
    assert {message.log_time for _, _, message in messages} == {500 * 10**9}
    assert {channel.topic for _, channel, _ in messages} == {"/alpha/wrench", "/alpha/name"}


@pytest.mark.requirement("EVENT-12")
def test_kill_9_loses_nothing_that_was_counted_as_stored(tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    with Peer() as peer, start(f"mcap:///{path}", "-p", "topics:=['/alpha/wrench']") as node:
        flight = Flight(peer)
        flight.wait_until_heard(flight.wrench)
        while int(flight.values.get("stored", 0)) < 100:
            flight.publish(20)
        stored = int(flight.values["stored"])
        node.process.send_signal(signal.SIGKILL)
        node.wait()
    summary = summarise(path)
    assert not summary.finished
    assert summary.topics["/alpha/wrench"].count >= stored


def test_each_activation_makes_a_new_recording(tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    events = ("-p", "events_enabled:=true", "-p", f"events_spool:={tmp_path}")
    with Peer() as peer, start(f"mcap:///{root}/", "-p", "topics:=['/alpha/wrench']", *events) as node:
        flight = Flight(peer)
        for _ in range(2):
            flight.wait_until_heard(flight.wrench)
            flight.publish(20)
            reliable = peer.node.create_publisher(WrenchStamped, "/alpha/wrench", 10)
            peer.spin_until(lambda: flight.values.get("mixed_quality_of_service") == "/alpha/wrench")
            peer.spin_until(lambda: int(flight.values.get("stored", 0)) >= 20)
            peer.node.destroy_publisher(reliable)
            transition(peer, Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE)
            flight.values.clear()
            transition(peer, Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
        node.stop()
    recordings = list(recordings_in(root))
    assert len(recordings) == 3
    assert all(one.finished for path in recordings for one in load(path).files)
    assert [load(path).topics["/alpha/wrench"].count >= 20 for path in recordings[:2]] == [True, True]
    for path in recordings[:2]:
        offered = {one.reliability for one in load(path).topics["/alpha/wrench"].profiles}
        assert offered == {"reliable", "best_effort"}, "a publisher that came late"
    emitted = [event_of(line) for line in (tmp_path / "qiki.recorder.jsonl").read_bytes().splitlines()]
    payloads = [
        (one.type, REGISTRY.decode(one.type, 1, one.content_type, one.payload))
        for one in emitted
        if one.type.startswith("recording.")
    ]
    assert [kind for kind, _ in payloads] == ["recording.started", "recording.closed"] * 3
    files = [(path / file.name, file) for path in recordings for file in load(path).files]
    assert [payload["path"] for _, payload in payloads[::2]] == [str(path) for path, _ in files]
    assert [payload for _, payload in payloads[1::2]] == [
        {"path": str(path), "epoch": 0, "messages": file.messages, "start": file.start, "end": file.end}
        for path, file in files
    ]


def test_existing_file_refuses_activation_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    path.write_bytes(b"precious")
    with Peer() as peer, start(f"mcap:///{path}") as node:
        peer.spin_until(lambda: peer.lifecycle_state("/qiki/recorder") == State.PRIMARY_STATE_INACTIVE)
        assert "File exists" in node.stop()
    assert path.read_bytes() == b"precious"


def test_bad_destination_is_named(tmp_path: Path) -> None:
    with Peer() as peer, start("tape:///x") as node:
        peer.spin_until(lambda: peer.lifecycle_state("/qiki/recorder") != State.PRIMARY_STATE_UNKNOWN)
        assert "destination 'tape:///x'" in node.stop()
    assert list(tmp_path.iterdir()) == []


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "flight.mcap"
    with Peer() as peer, start(f"mcap:///{path}", "-p", "topics:=['/bravo/*']") as node:
        flight = Flight(peer)
        flight.wait_until_heard(flight.other)
        texts = [f"number {number}" for number in range(20)]
        for text in texts:
            flight.other.publish(String(data=text))
        peer.spin_until(lambda: int(flight.values.get("stored", 0)) >= 20, PATIENCE)
        node.stop()
    assert [deserialize_message(sample.data, String).data for sample in read_samples(path)] == texts


@pytest.mark.requirement("EVENT-12f")
def test_every_publisher_is_recorded_as_it_offers_whenever_it_comes(tmp_path: Path) -> None:
    hidden = {
        "/late/fly/_action/feedback": ExecuteThrustProfile.Impl.FeedbackMessage,
        "/late/fly/_action/status": GoalStatusArray,
        "/late/set/_service_event": Trigger.Event,
    }
    chosen = ("-p", "topics:=['/late/*']", "-p", "max_file_duration:=1.0")
    with Peer() as peer, start(f"mcap:///{tmp_path}/", *chosen) as node, participant() as other:
        flight = Flight(peer)

        def wait_for_stored(count: int) -> None:
            peer.spin_until(lambda: int(flight.values.get("stored", 0)) >= count)

        reliable = peer.node.create_publisher(String, "/late/topic", 10)
        flight.wait_until_heard(reliable)
        reliable.publish(String(data="alone"))
        wait_for_stored(1)
        weak = peer.node.create_publisher(String, "/late/topic", TELEMETRY)
        latched = peer.node.create_publisher(String, "/late/topic", STATE)
        latched.publish(String(data="latched"))
        publishers = [peer.node.create_publisher(kind, topic, 10) for topic, kind in hidden.items()]
        flight.wait_until_heard(weak, *publishers)
        wait_for_stored(2)
        for number in range(20):
            for name, publisher in (("reliable", reliable), ("weak", weak), ("latched", latched)):
                publisher.publish(String(data=f"{name} {number}"))
            # Equal ones are messages of their own.
            reliable.publish(String(data="same"))
            peer.spin_for(0.01)
        for publisher, kind in zip(publishers, hidden.values(), strict=True):
            publisher.publish(kind())
        other.create_publisher(Bool, "/late/topic", 10)
        peer.spin_until(lambda: flight.message == "not recorded: /late/topic (std_msgs/msg/Bool)")
        wait_for_stored(2 + 80 + len(hidden))
        assert flight.values["mixed_quality_of_service"] == "/late/topic"
        node.stop()
    (path,) = recordings_in(tmp_path)
    recording = Recording.open(path)
    assert len(recording.files) > 1
    texts = Counter(deserialize_message(one.data, String).data for one in recording.read(topics=["/late/topic"]))
    assert texts.pop("same") == 20
    assert set(texts.values()) == {1}
    assert len(texts) == 2 + 60
    assert {name: recording.topics[name].count for name in hidden} == dict.fromkeys(hidden, 1)
    offered = [(one.reliability, one.durability) for one in recording.topics["/late/topic"].profiles]
    assert sorted(offered) == [("best_effort", "volatile"), ("reliable", "transient_local"), ("reliable", "volatile")]
    schemas = {}
    for file, _ in recording.files:
        with file.open("rb") as stream:
            index = make_reader(stream).get_summary()
        assert index is not None
        schemas |= {schema.name: schema.data.decode() for schema in index.schemas.values()}
    assert (
        "MSG: qiki_msgs/action/ExecuteThrustProfile_Feedback\n"
        in schemas["qiki_msgs/action/ExecuteThrustProfile_FeedbackMessage"]
    )
    assert [name for name, text in schemas.items() if not text] == ["std_srvs/srv/Trigger_Event"]


@contextmanager
def participant() -> Iterator[Node]:
    """A node that shares no topic with the others of this process."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("other", context=context)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def transition(peer: Peer, number: int, state: int) -> None:
    request = ChangeState.Request()
    request.transition.id = number
    peer.call(ChangeState, "/qiki/recorder/change_state", request, repeatable=False)
    peer.spin_until(lambda: peer.lifecycle_state("/qiki/recorder") == state)
