"""The store's node as a real process: services, conflicts, kill -9, a full disk, the command line on it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from builtin_interfaces.msg import Time
from click.testing import CliRunner
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.task import Future

from qiki_eventstore import Event as StoredEvent
from qiki_eventstore import open_store
from qiki_eventstore.cli.events import events as events_command
from qiki_eventstore.cli.state import state as state_command
from qiki_eventstore.retention.policy import Hold
from qiki_msgs.msg import Event
from qiki_msgs.srv import (
    AppendEvents,
    EventStoreStatus,
    QueryEvents,
    ReadStream,
    ReconstructState,
    SnapshotState,
    VerifyStore,
)
from qiki_node.deferred import MANY_REQUESTS
from qiki_node.qos import EVENT
from qiki_node.testing import SETTLE, NodeProcess, Peer, use_private_domain

pytestmark = pytest.mark.realtime

use_private_domain()

NODE = "/qiki/eventstore"
ANY = AppendEvents.Request.ANY
OPEN = {"start": -(2**63), "end": 2**63 - 1, "recorded_start": -(2**63), "recorded_end": 2**63 - 1}


def start(folder: Path, *arguments: str) -> NodeProcess:
    url = f"url:=sqlite:///{folder}/events.db"
    command = [sys.executable, "-m", "qiki_eventstore.node"]
    return NodeProcess(command, ["-r", "__ns:=/qiki", "-p", url, "-p", "reserve:=1", *arguments])


def event(number: int, type: str = "test.happened", payload: dict | None = None) -> Event:
    message = Event(id=str(uuid4()), type=type, source="/peer", time=Time(sec=number), schema_version=1)
    message.content_type = "application/json"
    message.payload.frombytes(json.dumps({"n": number} if payload is None else payload).encode())
    return message


def append(peer: Peer, stream: str, *events: Event, expected: int = ANY) -> AppendEvents.Response:
    request = AppendEvents.Request(stream=stream, events=list(events), expected_version=expected)
    return peer.call(AppendEvents, f"{NODE}/append", request)


@pytest.fixture(autouse=True)
def only_udp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are killed leave shared memory behind, which may make those that come after them deaf."""
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")


@pytest.fixture
def peer(only_udp: None) -> Iterator[Peer]:  # noqa: ARG001
    with Peer() as peer:
        yield peer


@pytest.fixture
def node(tmp_path: Path, peer: Peer) -> Iterator[NodeProcess]:
    with start(tmp_path) as process:
        peer.wait_until_active(NODE)
        yield process


@pytest.mark.requirement("EVENT-10")
def test_append_read_and_query(node, peer: Peer) -> None:
    first = [event(n) for n in range(5)]
    answer = append(peer, "alpha/test", *first, expected=AppendEvents.Request.NO_STREAM)
    assert (answer.success, list(answer.positions)) == (True, [1, 2, 3, 4, 5])
    assert list(append(peer, "alpha/test", *first).positions) == [1, 2, 3, 4, 5], "a repetition is stored once"
    append(peer, "bravo/test", event(9))
    page = peer.call(ReadStream, f"{NODE}/read_stream", ReadStream.Request(stream="alpha/test", start=1, end=3))
    assert ([e.id for e in page.events], page.version) == ([e.id for e in first[1:3]], 4)
    seen, request = [], QueryEvents.Request(streams=["alpha/*"], limit=2, **OPEN)
    while True:
        page = peer.call(QueryEvents, f"{NODE}/query", request)
        assert page.success, page.message
        seen += [e.position for e in page.events]
        if not page.cursor:
            break
        request.cursor = page.cursor
    assert seen == [1, 2, 3, 4, 5]
    backwards = QueryEvents.Request(limit=2, backwards=True, **{**OPEN, "end": 4 * 10**9})
    assert [e.position for e in peer.call(QueryEvents, f"{NODE}/query", backwards).events] == [4, 3]
    status = peer.call(EventStoreStatus, f"{NODE}/status", EventStoreStatus.Request(pattern="*"))
    assert (status.events, status.duplicates, status.names) == (6, 5, ["alpha/test", "bravo/test"])
    verified = peer.call(VerifyStore, f"{NODE}/verify", VerifyStore.Request())
    assert (verified.ok, verified.checked) == (True, 6)
    node.stop()


@pytest.mark.requirement("EVENT-10")
@pytest.mark.usefixtures("node")
def test_state_is_rebuilt_at_a_moment(peer: Peer) -> None:
    for second, mode in enumerate(("AUTO", "ADAPTIVE", "AUTO"), 1):
        changed = event(second, "allocator.mode_changed", {"mode": mode, "before": "UNKNOWN"})
        assert append(peer, "alpha/allocator", changed).success
    request = ReconstructState.Request(projection="bot", stream="alpha/*", moment=ReconstructState.Request.AT_TIME)
    request.at = 2_500_000_000
    answer = peer.call(ReconstructState, f"{NODE}/reconstruct", request)
    assert answer.success, answer.message
    assert json.loads(answer.state)["mode"] == "ADAPTIVE"
    kept = peer.call(SnapshotState, f"{NODE}/snapshot", SnapshotState.Request(projection="bot", stream="alpha/*"))
    assert (kept.success, kept.position) == (True, 3)
    everything = peer.call(ReconstructState, f"{NODE}/reconstruct", ReconstructState.Request(stream="alpha/*"))
    assert json.loads(everything.state)["bot"]["mode"] == "AUTO"


@pytest.mark.requirement("EVENT-10")
@pytest.mark.usefixtures("node")
def test_committed_events_are_published_once_and_in_order(peer: Peer) -> None:
    heard: list[Event] = []
    peer.node.create_subscription(Event, "/qiki/event", heard.append, EVENT)
    number = 0
    while not heard:
        append(peer, "alpha/test", event(number := number + 1))
        peer.spin_for(0.05)
    for _ in range(20):
        append(peer, "alpha/test", event(number := number + 1), event(number := number + 1))
    peer.spin_until(lambda: heard[-1].position == number)
    positions = [message.position for message in heard]
    assert positions == list(range(positions[0], number + 1))


@pytest.mark.requirement("EVENT-15f")
def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path, peer: Peer) -> None:
    acknowledged: list[str] = []
    client = peer.node.create_client(AppendEvents, f"{NODE}/append", qos_profile=MANY_REQUESTS)

    def send(stream: str) -> None:
        one = event(1)

        def answered(future: Future) -> None:
            if future.result().success:
                acknowledged.append(one.id)
            send(stream)

        request = AppendEvents.Request(stream=stream, events=[one], expected_version=ANY)
        client.call_async(request).add_done_callback(answered)

    for _ in range(3):
        with start(tmp_path) as process:
            peer.wait_until_active(NODE)
            peer.spin_for(SETTLE)
            wanted = len(acknowledged) + 200
            for number in range(8):
                send(f"test/{number}")
            peer.spin_until(lambda wanted=wanted: len(acknowledged) > wanted)
            process.kill()
    with open_store(f"sqlite:///{tmp_path}/events.db", reserve_bytes=0) as store:
        stored = [str(e.id) for e in store.read_all()]
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        assert store.verify().ok


def test_a_store_that_cannot_be_opened_refuses_the_configuration(tmp_path: Path, peer: Peer) -> None:
    (tmp_path / "events.db").write_bytes(b"no database " * 1000)
    messages: list[str] = []
    peer.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda m: messages.extend(s.message for s in m.status), 10
    )
    with start(tmp_path) as process:
        peer.spin_until(lambda: any("cannot configure" in text and "events.db" in text for text in messages))
        process.stop()


@pytest.mark.requirement("EVENT-11b")
def test_files_in_the_inbox_are_stored_and_removed(tmp_path: Path, peer: Peer) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    record = {"stream": "qiki/launch", "source": "/qiki/launch", "time": 5, "type": "launch.stopped"}
    for number, payload in enumerate(({"reason": "a"}, {"reason": "b"}, {"raison": "c"})):
        text = json.dumps({**record, "id": str(uuid4()), "payload": payload})
        (inbox / f"{number}.json").write_text(text)
    (inbox / "3.json").write_text("{")
    (inbox / "4.new").write_text("{")
    with start(tmp_path, "-p", f"inbox:={inbox}") as process:
        peer.spin_until(lambda: not list(inbox.glob("*.json")))
        assert "raison" in process.stop()
    assert sorted(path.name for path in inbox.iterdir()) == ["2.refused", "3.refused", "4.new"]
    with open_store(f"sqlite:///{tmp_path}/events.db?mode=ro") as store:
        assert [e.type for e in store.read("qiki/launch")] == ["launch.stopped"] * 2


@pytest.mark.requirement("EVENT-13")
@pytest.mark.usefixtures("node")
def test_the_command_line_works_on_the_running_node(peer: Peer, tmp_path: Path) -> None:
    for second in range(1, 4):
        data = {"mode": "AUTO" if second == 2 else "ADAPTIVE", "before": "UNKNOWN"}
        append(peer, "alpha/allocator", event(second, "allocator.mode_changed", data))

    def run(command, *arguments: object):
        return CliRunner(capture="fd").invoke(
            command, [str(argument) for argument in arguments], catch_exceptions=False
        )

    tail = run(events_command, "tail", "-n", 2, "--json")
    assert tail.exit_code == 0, tail.stderr
    assert [json.loads(line)["position"] for line in tail.stdout.splitlines()] == [2, 3]
    assert "ok: 3 events" in run(events_command, "verify").stdout
    assert json.loads(run(events_command, "stats", "--json").stdout)["events"] == 3
    found = run(state_command, "alpha", "--at", "2.5", "--json")
    assert json.loads(found.stdout)["bot"]["mode"] == "AUTO"
    backup = run(events_command, "backup", tmp_path / "backup.db")
    assert (backup.exit_code, (tmp_path / "backup.db").exists()) == (0, True), backup.stderr
    exported = run(events_command, "export", tmp_path / "all.jsonl")
    assert exported.stdout.startswith("3 events"), exported.stderr
    copy = f"sqlite:///{tmp_path}/copy.db"
    assert "verbatim" in run(events_command, "import", tmp_path / "all.jsonl", "--store", copy).stdout
    again = run(events_command, "import", tmp_path / "all.jsonl")
    assert again.stdout.startswith("0 events stored, 3 known"), again.stderr


@pytest.mark.requirement("EVENT-13")
@pytest.mark.usefixtures("node")
def test_tail_follows(peer: Peer) -> None:
    append(peer, "alpha/test", event(1))
    command = [sys.executable, "-c", "from qiki_eventstore.cli.events import events; events()", "tail", "-f", "-n", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline().split()[0] == "1"
        append(peer, "alpha/test", event(2))
        append(peer, "alpha/test", event(3))
        assert [tail.stdout.readline().split()[0] for _ in range(2)] == ["2", "3"]
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10.0) == 0


class Ear:
    """Hears the last status of a component of the store's node."""

    def __init__(self, peer: Peer, component: str) -> None:
        self.level, self.message, self.values = -1, "", {}
        self._name = f"qiki/eventstore: {component}"
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._name:
                self.level, self.message = status.level[0], status.message
                self.values = {value.key: value.value for value in status.values}


RETENTION = ("retention_max_events:=5", "retention_segment_events:=5", "retention_period:=1.0")


def test_the_node_lets_old_events_go_up_to_a_hold(tmp_path: Path, peer: Peer) -> None:
    with open_store(f"sqlite:///{tmp_path}/events.db", reserve_bytes=0) as store:
        store.append("alpha/test", [StoredEvent("test.happened", {"n": n}) for n in range(10)])
        store.append("bravo/test", [StoredEvent("test.happened", {"n": n}) for n in range(10)])
        store.catalogue.place(Hold("inquiry", "why", streams=("bravo/*",)))  # type: ignore[attr-defined]
    ear = Ear(peer, "retention")
    arguments = [part for text in RETENTION for part in ("-p", text)]
    with start(tmp_path, *arguments, "-p", "diagnostics_period:=0.2") as process:
        peer.spin_until(lambda: ear.values.get("hold") == "inquiry")
        assert (ear.level, ear.values["segments"]) == (0, "2")
        assert int(ear.values["due"]) >= 16
        assert "'inquiry'" in ear.message
        assert append(peer, "alpha/test", event(1)).success, "appends go on"
        held = CliRunner(capture="fd").invoke(events_command, ["holds", "--json"])
        assert json.loads(held.stdout)["name"] == "inquiry", held.stderr
        second = ["hold", "second", "--reason", "a rule", "--stream", "charlie/*", "--from", "5"]
        assert CliRunner(capture="fd").invoke(events_command, second).exit_code == 0
        again = CliRunner(capture="fd").invoke(events_command, second)
        assert (again.exit_code, "'second': a hold of that name" in again.stderr) == (1, True)
        retain = ["retain", "--max-events", "5", "--segment-events", "5"]
        assert "stopped at hold 'inquiry'" in CliRunner(capture="fd").invoke(events_command, retain).stdout
        assert CliRunner(capture="fd").invoke(events_command, ["release", "second"]).exit_code == 0
        unknown = CliRunner(capture="fd").invoke(events_command, ["release", "second"])
        assert (unknown.exit_code, "no hold of that name" in unknown.stderr) == (1, True)
        listed = CliRunner(capture="fd").invoke(events_command, ["segments", "--json"])
        assert [json.loads(line)["last"] for line in listed.stdout.splitlines()] == [5, 10]
        assert "retention applied" in process.stop()
    with open_store(f"sqlite:///{tmp_path}/events.db?mode=ro") as store:
        # 21 of others, and the record of three changes of holds and two drops.
        assert (store.stats().events, len(list(store.read_all())), store.verify().ok) == (16, 26, True)


@pytest.mark.requirement("EVENT-7c")
def test_retention_that_fails_is_told_and_tried_again(tmp_path: Path, peer: Peer) -> None:
    folder = tmp_path / "events.db.segments"
    folder.write_text("a file where the folder should be")
    ear = Ear(peer, "retention")
    arguments = [part for text in RETENTION for part in ("-p", text)]
    with start(tmp_path, *arguments, "-p", "diagnostics_period:=0.2") as process:
        peer.wait_until_active(NODE)
        append(peer, "alpha/test", *[event(n) for n in range(20)])
        peer.spin_until(lambda: ear.level == 2)
        assert "events.db.segments" in ear.message
        assert append(peer, "alpha/test", event(1)).success, "the node goes on"
        folder.unlink()
        peer.spin_until(lambda: ear.level == 0 and ear.values["segments"] == "3")
        process.stop()


def test_retention_is_off_by_default(node, peer: Peer) -> None:
    ear = Ear(peer, "retention")
    peer.spin_until(lambda: ear.message == "retention is off")
    node.stop()


@pytest.mark.parametrize("name", ["retention_max_age_days", "retention_max_events", "retention_max_gib"])
def test_retention_is_refused_where_it_does_not_exist(tmp_path: Path, peer: Peer, name: str) -> None:
    ear = Ear(peer, "lifecycle")
    value = "7" if name == "retention_max_events" else "7.0"
    with start(tmp_path, "-p", "url:=postgresql://nowhere/x", "-p", f"{name}:={value}") as process:
        peer.spin_until(lambda: ear.level == 2)
        assert f"parameter {name}: {value} is not allowed" in ear.message
        assert "segments names no folder" in ear.message
        process.stop()


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(65536))


@pytest.mark.requirement("EVENT-10a")
def test_a_full_disk_makes_it_read_only_until_there_is_room_again(tmp_path: Path, peer: Peer) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk needs a small tmpfs: run the tests as root, who may mount one")
    levels: list[tuple[int, str]] = []

    def hear(message: DiagnosticArray) -> None:
        levels.extend((s.level[0], s.message) for s in message.status if s.name.endswith("eventstore: store"))

    peer.node.create_subscription(DiagnosticArray, "/diagnostics", hear, 10)
    try:
        with start(tmp_path) as process:
            peer.wait_until_active(NODE)
            assert append(peer, "alpha/test", event(0)).success
            ballast = tmp_path / "ballast"
            with pytest.raises(OSError, match="No space"):
                fill(ballast)
            kept = event(1)
            full = append(peer, "alpha/test", kept)
            assert (full.success, full.code) == (False, AppendEvents.Response.FULL), full.message
            levels.clear()
            peer.spin_until(lambda: bool(levels) and levels[-1][0] == 2 and "read-only" in levels[-1][1])
            page = peer.call(ReadStream, f"{NODE}/read_stream", ReadStream.Request(stream="alpha/test"))
            assert len(page.events) == 1, "reading goes on"
            ballast.unlink()
            peer.spin_until(lambda: append(peer, "alpha/test", kept).success)
            peer.spin_until(lambda: levels[-1][0] != 2)
            err = process.stop()
            assert "the store is read-only" in err
            assert "takes events again" in err
        with open_store(f"sqlite:///{tmp_path}/events.db", reserve_bytes=0) as store:
            assert store.version("alpha/test") == 1
            assert store.verify().ok
        with pytest.raises(OSError, match="No space"):
            fill(ballast)
        levels.clear()
        with start(tmp_path) as process:  # opened on a full disk
            peer.spin_until(lambda: bool(levels) and levels[-1][0] == 2 and "not open yet" in levels[-1][1])
            peer.wait_until_active(NODE)
            ballast.unlink()
            peer.spin_until(lambda: append(peer, "alpha/test", event(2)).success)
            process.stop()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=False)


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node for the tests that follow, which are the last: two would have one name."""
    with start(tmp_path_factory.mktemp("shared")) as process:
        yield process
        process.stop()


@pytest.fixture
def refusing(shared_node: NodeProcess, peer: Peer) -> NodeProcess:
    peer.wait_until_active(NODE)
    return shared_node


@pytest.mark.parametrize(
    ("type", "payload", "parts"),
    [
        ("simulator.paused", {"time_s": "late"}, ("simulator.paused", "time_s", "late")),
        ("simulator.paused", {"tyme_s": 1.0}, ("simulator.paused", "tyme_s")),
        ("", {}, ("type",)),
    ],
)
@pytest.mark.usefixtures("refusing")
def test_what_cannot_be_stored_is_refused_by_name(peer: Peer, type, payload, parts) -> None:
    good = event(1)
    answer = append(peer, "alpha/test", good, event(2, type, payload))
    assert (answer.success, answer.code) == (False, AppendEvents.Response.PAYLOAD)
    assert all(part in answer.message for part in parts), answer.message
    assert append(peer, "alpha/test", good).success, "nothing of the refused call was stored"


@pytest.mark.requirement("EVENT-10")
@pytest.mark.usefixtures("refusing")
def test_other_refusals(peer: Peer) -> None:
    assert "events: 0" in append(peer, "alpha/refusals").message
    wrong = event(1)
    wrong.id = "seven"
    assert "'seven'" in append(peer, "alpha/refusals", wrong).message
    broken = event(1)
    broken.payload.frombytes(b"}")
    assert append(peer, "alpha/refusals", broken).code == AppendEvents.Response.PAYLOAD
    append(peer, "alpha/refusals", event(1))
    conflict = append(peer, "alpha/refusals", event(2), expected=4)
    assert (conflict.code, conflict.actual_version) == (AppendEvents.Response.CONFLICT, 0)
    plain = peer.call(QueryEvents, f"{NODE}/query", QueryEvents.Request(limit=5000))
    assert plain.events, "no bound is meant where none is given"
    assert AppendEvents.Request().expected_version == ANY
    unknown = ReconstructState.Request(projection="soul", stream="alpha/*")
    assert "'soul'" in peer.call(ReconstructState, f"{NODE}/reconstruct", unknown).message
    moment = ReconstructState.Request(projection="bot", stream="alpha/*", moment=9)
    assert "moment: 9" in peer.call(ReconstructState, f"{NODE}/reconstruct", moment).message
