"""A node's outbox as a real process, against a store that the test plays."""

import json
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock

from qiki_events import PROTOBUF, REGISTRY, PayloadError
from qiki_msgs.srv import AppendEvents
from qiki_node.dead_letters import DeadLetters
from qiki_node.deferred import Reply, create_deferred_service
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters
from qiki_node.qos import CLOCK
from qiki_node.stamps import SECOND, nanoseconds
from qiki_node.testing import NodeProcess, Peer

if TYPE_CHECKING:
    from qiki_msgs.msg import Event

# The store's service is in this process, where warnings are errors. It drops its answer, with a warning, where it has
# not discovered a new emitter 100 ms after the request: a reason to repeat the request, and no fault.
pytestmark = [pytest.mark.realtime, pytest.mark.filterwarnings("ignore:failed to send response:RuntimeWarning")]

EMITTER = [sys.executable, str(Path(__file__).with_name("emitting_node.py"))]
RESPONSE = AppendEvents.Response


class Store:
    """Answers as `behave` says: None loses the answer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.stored: dict[str, Event] = {}
        self.requests: list[AppendEvents.Request] = []
        self.behave: Callable[[AppendEvents.Request], int | None] = lambda _: RESPONSE.OK
        self._service = create_deferred_service(peer.node, AppendEvents, "/qiki/eventstore/append", self._append)

    def close(self) -> None:
        self._peer.node.destroy_service(self._service)

    def _append(self, request: AppendEvents.Request, reply: Reply) -> None:
        self.requests.append(request)
        code = self.behave(request)
        if code in (RESPONSE.OK, None):
            for event in request.events:
                self.stored.setdefault(event.id, event)
        if code is not None:
            positions = list(range(1, 1 + len(request.events))) if code == RESPONSE.OK else []
            reply(RESPONSE(success=code == RESPONSE.OK, code=code, positions=positions, message="test"))

    def counts(self) -> list[int]:
        """Numbers of the ticks in the order in which they were stored first."""
        events = [event for event in self.stored.values() if event.type == "test.ticked"]
        return [json.loads(event.payload.tobytes())["count"] for event in events]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def emitter() -> Iterator[Callable[..., NodeProcess]]:
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(NodeProcess(EMITTER, ["-r", "__ns:=/alpha", *arguments]))


def test_events_reach_the_store_and_the_last_one_too(emitter, peer: Peer) -> None:
    store = Store(peer)
    process = emitter()
    peer.spin_until(lambda: len(store.stored) > 20)
    process.process.send_signal(signal.SIGINT)
    peer.spin_until(lambda: process.process.poll() is not None)
    assert process.wait()[0] == 0
    events = list(store.stored.values())
    assert store.counts() == list(range(len(events) - 1))
    assert (events[-1].type, events[0].source) == ("test.ended", "/alpha/emitter")
    assert {request.stream for request in store.requests} == {"alpha/emitter"}
    first = json.loads(events[0].payload.tobytes())
    assert (first["nan"], first["array"], first["one"]) == (None, [1.0, None], 1)


@pytest.mark.requirement("EVENT-11")
def test_lost_answers_are_asked_for_again_with_the_same_ids(emitter, peer: Peer) -> None:
    store = Store(peer)
    lost = []

    def lose_some(request: AppendEvents.Request) -> int | None:
        ids = tuple(event.id for event in request.events)
        if len(lost) < 3 and ids not in lost:
            lost.append(ids)
            return None
        return RESPONSE.OK

    store.behave = lose_some
    emitter()
    peer.spin_until(lambda: len(lost) == 3 and len(store.stored) > len({i for ids in lost for i in ids}) + 10)
    counts = store.counts()
    assert counts == list(range(len(counts))), "nothing is missing, twice, or in another order"
    asked = [tuple(event.id for event in request.events) for request in store.requests]
    assert all(asked.count(ids) >= 2 for ids in lost)
    different = set(asked)
    assert sum(map(len, different)) == len(set().union(*different)), "a repetition is the same call"


@pytest.mark.requirement("EVENT-11")
def test_a_store_that_says_later_gets_everything_later(emitter, peer: Peer) -> None:
    store = Store(peer)
    store.behave = lambda _: RESPONSE.FULL
    emitter("-p", "most:=200", "-p", "rate:=200.0")
    peer.spin_until(lambda: len(store.requests) >= 2)
    assert not store.stored
    store.behave = lambda _: RESPONSE.OK
    peer.spin_until(lambda: len(store.counts()) == 200)
    assert store.counts() == list(range(200))


def test_an_event_that_cannot_be_stored_is_dropped_alone(emitter, peer: Peer) -> None:
    store = Store(peer)

    def refuse_the_seventh(request: AppendEvents.Request) -> int:
        counts = [json.loads(event.payload.tobytes()).get("count") for event in request.events]
        return RESPONSE.PAYLOAD if 7 in counts else RESPONSE.OK

    store.behave = refuse_the_seventh
    process = emitter("-p", "most:=50", "-p", "rate:=500.0")
    peer.spin_until(lambda: len(store.counts()) == 49)
    assert store.counts() == [n for n in range(50) if n != 7]
    process.process.send_signal(signal.SIGINT)
    peer.spin_until(lambda: process.process.poll() is not None)
    assert "event refused by the store" in process.wait()[2]


@pytest.mark.requirement("EVENT-11")
def test_without_a_store_it_is_bounded_and_only_warns(emitter, peer: Peer) -> None:
    received: list[tuple[int, str, dict[str, str]]] = []

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == "alpha/emitter: events":
                received.append((status.level[0], status.message, {v.key: v.value for v in status.values}))

    peer.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    process = emitter("-p", "rate:=500.0", "-p", "events_capacity:=100", "-p", "delivery:=telemetry")
    peer.spin_until(lambda: bool(received) and received[-1][0] == 1 and int(received[-1][2]["dropped"]) > 100)
    assert "it is not there" in received[-1][1]
    assert received[-1][2]["queued"] == "100"
    store = Store(peer)
    peer.spin_until(lambda: received[-1][0] == 0)
    counts = store.counts()
    assert counts == sorted(counts)
    store.close()
    process.stop()


@pytest.mark.requirement("EVENT-11a")
def test_a_killed_emitter_with_a_spool_sends_what_is_left_at_its_next_start(
    emitter, peer: Peer, tmp_path: Path
) -> None:
    spool = ("-p", f"events_spool:={tmp_path}", "-p", "rate:=500.0")
    store = Store(peer)
    store.behave = lambda _: RESPONSE.UNAVAILABLE
    process = emitter(*spool)
    peer.spin_until(lambda: len(store.requests) > 1)
    process.kill()
    left = (tmp_path / "alpha.emitter.jsonl").read_bytes().count(b"test.ticked")
    assert left > 0
    store.behave = lambda _: RESPONSE.OK
    emitter(*spool, "-p", "most:=0")
    peer.spin_until(lambda: len(store.counts()) == left)
    assert store.counts() == list(range(left))


def test_it_can_be_disabled(emitter, peer: Peer) -> None:
    store = Store(peer)
    process = emitter("-p", "events_enabled:=false")
    peer.wait_until_active("/alpha/emitter")
    peer.spin_for(0.5)
    assert not store.requests
    process.stop()


@pytest.fixture
def node(peer: Peer) -> Iterator[QikiNode[NodeParameters]]:
    node = QikiNode("emitter", NodeParameters, context=peer.context, namespace="/alpha")
    peer.executor.add_node(node)
    yield node
    peer.executor.remove_node(node)
    node.destroy_node()


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({"thruster": 3, "share": 0.5, "helth": "OK"}, ["helth", "'OK'", "health"]),
        ({"thruster": 3, "share": 0.5, "health": "FINE"}, ["health", "'FINE'", "DEAD"]),
        ({"thruster": 3}, ["share", "missing"]),
        ({"thruster": 3, "share": float("nan")}, ["share", "missing"]),
        ({"thruster": np.int32(-1), "share": 0.5}, ["thruster", "-1", "0 to"]),
    ],
)
def test_a_payload_that_does_not_fit_its_type_is_refused_at_the_emitter(
    node: QikiNode[NodeParameters], payload: dict[str, object], named: list[str]
) -> None:
    with pytest.raises(PayloadError) as refused:
        node.events.emit("allocator.thruster_health_changed", payload)
    for text in ["allocator.thruster_health_changed", *named]:
        assert text in str(refused.value)
    assert node.events.values()["queued"] == 0


def test_payloads_of_known_types_go_as_protobuf_and_may_hold_numbers_of_numpy(
    node: QikiNode[NodeParameters], peer: Peer
) -> None:
    store = Store(peer)
    ended = {"profile": "c1", "outcome": "EXECUTED", "reason": "", "segment": np.int64(2), "elapsed": np.float32(0.5)}
    node.events.emit("allocator.profile_ended", {**ended, "impulse": np.arange(6.0), "energy": 5.0})
    node.events.emit("energy.sampled", {"energy_used_j": 1.0, "soc": np.nan})
    peer.spin_until(lambda: len(store.stored) == 2)
    first, second = store.stored.values()
    assert {first.content_type, second.content_type} == {PROTOBUF}
    read = REGISTRY.decode(first.type, 1, first.content_type, first.payload.tobytes())
    assert (read["segment"], read["elapsed"], read["impulse"]) == (2, 0.5, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert REGISTRY.decode(second.type, 1, second.content_type, second.payload.tobytes())["soc"] is None


@pytest.mark.requirement("EVENT-11c")
def test_one_bad_emit_raises_at_its_caller_and_leaves_the_node_and_its_spool_well(peer: Peer, tmp_path: Path) -> None:
    store = Store(peer)
    store.behave = lambda _: RESPONSE.UNAVAILABLE
    arguments = ["--ros-args", "-p", f"events_spool:={tmp_path}"]
    node = QikiNode("poison", NodeParameters, context=peer.context, namespace="/alpha", cli_args=arguments)
    peer.executor.add_node(node)
    bad: list[dict[str, Any]] = [
        {"correlation": uuid.uuid4()},
        {"causation": "\ud800"},
        {"time": time.time()},
        {"time": -5},
        {"time": 2**31 * 10**9},
        {"schema_version": -1},
        {"stream": "bad\nstream"},
        {"delivery": "often"},
    ]
    for arguments_ in bad:
        with pytest.raises(PayloadError, match=f"event 'x.y': {next(iter(arguments_))} "):
            node.events.emit("x.y", {"a": 1}, **arguments_)
    for payload in ([1], {"a": {1}}, {1: 2}, {"a": 2**70}, {"a": "\ud800"}):
        with pytest.raises(PayloadError, match=r"event 'x\.y': payload"):
            node.events.emit("x.y", payload)  # type: ignore[arg-type]
    assert node.events.values()["queued"] == 0
    assert (tmp_path / "alpha.poison.jsonl").read_bytes() == b""
    node.events.emit("x.good", {"after": "all of it"}, time=2**31 * 10**9 - 1)
    peer.spin_until(lambda: bool(store.requests))
    peer.executor.remove_node(node)
    node.close()
    with (tmp_path / "alpha.poison.jsonl").open("a") as spool:
        spool.write('{"id": "left by an earlier version", "correlation": 7}\n')
    store.behave = lambda _: RESPONSE.OK
    again = QikiNode("poison", NodeParameters, context=peer.context, namespace="/alpha", cli_args=arguments)
    peer.executor.add_node(again)
    peer.spin_until(lambda: again.events.values()["acknowledged"] == 1)
    assert [event.type for event in store.stored.values()] == ["x.good"]
    assert again.events.values()["dead_letters"] == 1
    peer.executor.remove_node(again)
    again.close()


@pytest.mark.requirement("EVENT-11d")
def test_what_the_store_refuses_is_a_dead_letter(peer: Peer, tmp_path: Path) -> None:
    store = Store(peer)
    store.behave = lambda request: RESPONSE.PAYLOAD if request.events[0].type == "x.bad" else RESPONSE.OK
    arguments = ["--ros-args", "-p", f"events_spool:={tmp_path}", "-p", "diagnostics_period:=0.1"]
    node = QikiNode("refused", NodeParameters, context=peer.context, namespace="/alpha", cli_args=arguments)
    peer.executor.add_node(node)
    node.events.emit("x.bad", {"a": 1})
    node.events.emit("x.bad", {"a": 2}, delivery="telemetry")
    node.events.emit("x.good", {})
    peer.spin_until(lambda: node.events.values()["dead_letters"] == 2 and node.events.values()["queued"] == 0)
    letters = DeadLetters(tmp_path / "alpha.refused.dead")
    assert [letter.event.payload for letter in letters.letters()] == [b'{"a":1}', b'{"a":2}']
    assert {letter.reason for letter in letters.letters()} == {"test"}
    peer.spin_until(lambda: "2 events that the store refused" in str(node.health().get("events")))
    assert node.registry.get_sample_value("qiki_node_events_dead_letters") == 2.0
    letters.remove([letter.key for letter in letters.letters()])
    peer.spin_until(lambda: node.health()["events"].level == 0)
    peer.executor.remove_node(node)
    node.close()


@pytest.mark.requirement("EVENT-11e")
def test_nothing_is_sent_before_the_clock_runs_and_nothing_has_time_0(peer: Peer, tmp_path: Path) -> None:
    store = Store(peer)
    clock = peer.node.create_publisher(Clock, "/clock", CLOCK)
    arguments = ["--ros-args", "-p", "use_sim_time:=true", "-p", f"events_spool:={tmp_path}"]
    node = QikiNode("early", NodeParameters, context=peer.context, namespace="/alpha", cli_args=arguments)
    peer.executor.add_node(node)
    peer.spin_until(lambda: clock.get_subscription_count() > 0)

    def show(seconds: int) -> None:
        clock.publish(Clock(clock=Time(sec=seconds)))

    node.events.emit("x.first", {})
    node.events.emit("x.second", {}, time=0)
    for _ in range(3):
        show(0)
        peer.spin_for(0.2)
    assert not store.requests, "a clock that shows 0 does not run"
    assert node.events.values()["queued"] == 2
    peer.spin_until(lambda: show(500) or node.clock_runs)
    node.events.emit("x.third", {})
    node.events.emit("x.past", {}, time=3)
    peer.spin_until(lambda: len(store.stored) == 4)
    peer.spin_until(lambda: show(0) or not node.clock_runs)
    for name in ("set_back", "after_reset"):
        node.events.emit(f"x.{name}", {}, time=0 if name == "set_back" else None)
    peer.spin_until(lambda: show(1) or node.clock_runs)
    peer.spin_until(lambda: len(store.stored) == 6)
    found = [(event.type, nanoseconds(event.time)) for event in store.stored.values()]
    assert found == [
        *[(f"x.{name}", 500 * SECOND) for name in ("first", "second", "third")],
        ("x.past", 3),
        ("x.set_back", SECOND),
        ("x.after_reset", SECOND),
    ]
    peer.executor.remove_node(node)
    node.close()


def test_a_payload_that_json_cannot_hold_is_refused(node: QikiNode[NodeParameters]) -> None:
    for type in ("test.ticked", "operator.command_issued"):
        with pytest.raises(PayloadError, match=type):
            node.events.emit(type, {"arguments": {"object": object()}})
