"""`qiki replay FILE.mcap` as a real process: what the recorder heard is heard again, byte for byte."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import WrenchStamped
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from qiki_eventstore.recording.folder_sink import FolderSink
from qiki_eventstore.recording.offers import Offer, QosProfile
from qiki_eventstore.recording.reading import read_samples
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.writing import McapWriter
from qiki_node.qos import COMMAND, STATE, TELEMETRY
from qiki_node.testing import PATIENCE, NodeProcess, Peer, use_private_domain

# The message generators' parser imports modules that Python has deprecated.
pytestmark = [
    pytest.mark.requirement("EVENT-12a"),
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]

use_private_domain()

REPLAY = [sys.executable, "-c", "from qiki_eventstore.cli.replay import replay; replay()"]
TOPICS = {"/alpha/wrench": (WrenchStamped, COMMAND), "/alpha/name": (String, STATE)}


def record(path: Path) -> None:
    """Fly for half a second with the recorder as a process beside."""
    stored = 0

    def hear(message: DiagnosticArray) -> None:
        nonlocal stored
        for status in message.status:
            if status.name == "qiki/recorder: recording":
                stored = int({item.key: item.value for item in status.values}.get("stored", 0))

    arguments = ["-r", "__ns:=/qiki", "-p", f"destination:=mcap:///{path}", "-p", "topics:=['/alpha/*']"]
    arguments += ["-p", "diagnostics_period:=0.1", "-p", "flush_period:=0.1", "-p", "events_enabled:=false"]
    with Peer() as peer, NodeProcess.of_module("qiki_eventstore.ros.recorder_node", *arguments) as node:
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", hear, 10)
        publishers = {topic: peer.node.create_publisher(kind, topic, qos) for topic, (kind, qos) in TOPICS.items()}
        publishers["/alpha/name"].publish(String(data="alpha"))
        peer.spin_until(lambda: all(one.get_subscription_count() > 0 for one in publishers.values()))
        for number in range(50):
            message = WrenchStamped()
            message.header.frame_id = f"frame {number}"
            message.wrench.force.x = float(number)
            publishers["/alpha/wrench"].publish(message)
            peer.spin_for(0.01)
        # The first may come before the discovery is complete.
        peer.spin_until(lambda: stored >= 40)
        node.stop()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "flight.mcap"
    record(path)
    return path


@pytest.fixture
def heard() -> Iterator[tuple[Peer, dict[str, list[bytes]]]]:
    with Peer() as peer:
        got: dict[str, list[bytes]] = {topic: [] for topic in TOPICS}
        # Reliable and deep, so that whatever is published is heard.
        for topic, (kind, _) in TOPICS.items():
            peer.node.create_subscription(kind, topic, got[topic].append, 1000, raw=True)
        yield peer, got


def run(peer: Peer, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command while the peer listens."""
    command = [*REPLAY, *(str(argument) for argument in arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            peer.spin_until(lambda: process.poll() is not None)
        finally:
            process.kill()
        out, err = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_a_recording_is_published_byte_for_byte(recording: Path, heard) -> None:
    peer, got = heard
    recorded = {topic: [one.data for one in read_samples(recording, topics=[topic])] for topic in TOPICS}
    assert all(recorded.values())
    begin = time.monotonic()
    done = run(peer, recording, "--speed", 0.5, "--listeners", 1)
    assert done.returncode == 0, done.stderr
    times = [sample.time for sample in read_samples(recording)]
    assert time.monotonic() - begin >= (times[-1] - times[0]) * 1e-9 / 0.5, "at its pace"
    peer.spin_until(lambda: len(got["/alpha/wrench"]) == len(recorded["/alpha/wrench"]))
    assert got == recorded
    assert f"{sum(map(len, recorded.values()))} messages on 2 topics" in done.stdout


def test_one_topic_and_a_range_of_time(recording: Path, heard) -> None:
    peer, got = heard
    wanted = list(read_samples(recording, topics=["/alpha/wrench"]))[10:20]
    bounds = [f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}" for nanoseconds in (wanted[0].time, wanted[-1].time)]
    chosen = ("--topic", "/alpha/wrench", "--from", bounds[0], "--to", bounds[1])
    done = run(peer, recording, "--speed", 0, "--listeners", 1, *chosen)
    assert done.returncode == 0, done.stderr
    peer.spin_until(lambda: len(got["/alpha/wrench"]) == 9)
    assert got == {"/alpha/wrench": [sample.data for sample in wanted[:-1]], "/alpha/name": []}
    other = run(peer, recording, "--topic", "/bravo/odom")
    assert (other.returncode, "/alpha/name, /alpha/wrench" in other.stderr) == (2, True)


def test_a_burst_is_heard_completely_also_by_who_asks_for_what_was_said_before(tmp_path: Path, heard) -> None:
    peer, got = heard
    late: list[bytes] = []
    path = tmp_path / "burst.mcap"
    # Of one length, a multiple of 4 bytes: the middleware pads what it carries.
    texts = [serialize_message(String(data=f"{number:03d}")) for number in range(900)]
    with path.open("wb") as file:
        writer = McapWriter(file, lambda _: None)
        for number, text in enumerate(texts):
            writer.write(Sample("/alpha/name", "std_msgs/msg/String", text, number))
        writer.finish()
    peer.node.create_subscription(String, "/alpha/name", late.append, STATE, raw=True)
    done = run(peer, path, "--speed", 0, "--listeners", 2)
    assert done.returncode == 0, done.stderr
    peer.spin_until(lambda: len(got["/alpha/name"]) == len(texts) and late[-1:] == texts[-1:])
    assert got["/alpha/name"] == texts


def test_a_folder_is_played_in_order_and_by_epoch(tmp_path: Path, heard) -> None:
    peer, got = heard
    offer = Offer((QosProfile(durability="transient_local"),))
    sink = FolderSink(tmp_path / "r", lambda _: None, lambda _: offer)
    texts = [serialize_message(String(data=text)) for text in ("one", "two", "six")]
    for time_ns, text in zip((100, 200, 50), texts, strict=True):
        sink.write([Sample("/alpha/name", "std_msgs/msg/String", text, time_ns)])
    sink.close()
    done = run(peer, tmp_path / "r", "--speed", 0, "--listeners", 1)
    assert "3 messages of epochs 0, 1 on 1 topics" in done.stdout, done.stderr
    peer.spin_until(lambda: len(got["/alpha/name"]) == 3)
    assert got["/alpha/name"] == texts
    done = run(peer, tmp_path / "r", "--speed", 0, "--listeners", 1, "--epoch", 1)
    assert "1 messages of epoch 1 on 1 topics" in done.stdout, done.stderr
    peer.spin_until(lambda: len(got["/alpha/name"]) == 4)
    assert got["/alpha/name"][3:] == texts[2:]
    other = run(peer, tmp_path / "r", "--epoch", 5)
    assert (other.returncode, "allowed: 0, 1" in other.stderr) == (2, True)


def test_a_topic_of_a_running_graph_is_left_alone(recording: Path, heard) -> None:
    peer, got = heard
    peer.node.create_publisher(WrenchStamped, "/alpha/wrench", TELEMETRY)
    done = run(peer, recording, "--speed", 0)
    assert done.returncode == 2
    assert "/alpha/wrench: somebody publishes there already" in done.stderr
    assert not any(got.values())


@pytest.mark.parametrize("type_name", ["nobody_msgs/msg/Thing", "std_msgs/msg/Thing", "allocator.mode_changed"])
def test_a_type_that_is_not_installed_is_named(tmp_path: Path, heard, type_name: str) -> None:
    path = tmp_path / "other.mcap"
    with path.open("wb") as file:
        writer = McapWriter(file, lambda _: None)
        writer.write(Sample("/thing", type_name, serialize_message(String(data="x")), 1))
        writer.finish()
    done = run(heard[0], path)
    assert done.returncode == 1
    assert "/thing" in done.stderr
    assert type_name in done.stderr
