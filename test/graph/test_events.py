"""The event store in the real graph: what was live can be rebuilt, and no kill -9 loses or doubles an event."""

import json
import os
import random
import signal
from collections import Counter

import pytest
from geometry_msgs.msg import WrenchStamped

from qiki_events.projections import BOT_STATE, ENERGY_LEDGER
from qiki_eventstore import AtTime, RecordedEvent, open_store
from qiki_msgs.msg import Allocation, Energy, ThrusterState
from qiki_msgs.srv import InjectFault, SetAllocatorMode, SetAttitudeMode, SetThrusterHealth
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.testing import Peer

pytestmark = pytest.mark.realtime

MODES = {Allocation.MODE_AUTO: "AUTO", Allocation.MODE_ADAPTIVE: "ADAPTIVE"}
ATTITUDES = {
    SetAttitudeMode.Request.OFF: "OFF",
    SetAttitudeMode.Request.DAMP: "DAMP",
    SetAttitudeMode.Request.HOLD: "HOLD",
}
HEALTH = {
    ThrusterState.HEALTH_OK: "OK",
    ThrusterState.HEALTH_STUCK_CLOSED: "DEAD",
    ThrusterState.HEALTH_STUCK_OPEN: "STUCK_OPEN",
    ThrusterState.HEALTH_WEAK: "WEAK",
}
CAUSES = {
    "simulator.fault_cleared": "simulator.fault_injected",
    "allocator.armed": "allocator.mode_changed",
    "allocator.disarmed": "allocator.mode_changed",
}
MOMENTS = 100


@pytest.fixture
def read(graph):
    """Reads the store's file while its node writes to it."""

    def events(*types: str) -> list[RecordedEvent]:
        with open_store(f"sqlite:///{graph.run_dir}/events/events.db?mode=ro") as store:
            return [event for event in store.read_all() if not types or event.type in types]

    return events


def fault(peer, bot: str, thruster: int, value: float) -> None:
    request = InjectFault.Request(
        bot=bot, kind=InjectFault.Request.KIND_THRUSTER_WEAK, target=str(thruster), value=value
    )
    assert peer.call(InjectFault, "/qiki/sim/inject_fault", request, repeatable=False).success


def values_of(events: list[RecordedEvent]) -> list[float]:
    return [event.data["value"] for event in events]


def nanoseconds(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Flight:
    """A flight of alpha, and what was live during it."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.allocations: list[Allocation] = []
        self.energies: dict[int, Energy] = {}
        node = peer.node
        self._subscriptions = [
            node.create_subscription(Allocation, "/alpha/allocation", self.allocations.append, TELEMETRY),
            node.create_subscription(Energy, "/alpha/energy", self._hear_energy, TELEMETRY),
        ]
        self._publisher = node.create_publisher(WrenchStamped, "/alpha/cmd_wrench", COMMAND)
        peer.spin_until(lambda: bool(self.allocations) and bool(self.energies))

    def _hear_energy(self, message: Energy) -> None:
        self.energies[nanoseconds(message)] = message

    def push(self, seconds: float, force: float) -> None:
        """Command a force along x, N, for some simulated time."""
        begin = nanoseconds(self.allocations[-1])
        while nanoseconds(self.allocations[-1]) < begin + seconds * 1e9:
            command = WrenchStamped()
            command.header.frame_id = "base_link"
            command.wrench.force.x = force
            self._publisher.publish(command)
            self._peer.spin_for(0.1)

    def mode(self, mode: int) -> None:
        self._call(SetAllocatorMode, "set_mode", SetAllocatorMode.Request(mode=mode))

    def attitude(self, mode: int) -> None:
        self._call(SetAttitudeMode, "set_attitude_mode", SetAttitudeMode.Request(mode=mode, current=True))

    def health(self, thruster: int, health: int, level: float = 1.0) -> None:
        request = SetThrusterHealth.Request(thruster=thruster, health=health, level=level)
        self._call(SetThrusterHealth, "set_thruster_health", request)

    def _call(self, kind: type, service: str, request: object) -> None:
        answer = self._peer.call(kind, f"/alpha/allocator/{service}", request)
        assert answer.success, answer.message

    def end(self) -> None:
        for subscription in self._subscriptions:
            self._peer.node.destroy_subscription(subscription)
        self._peer.node.destroy_publisher(self._publisher)


def fly(peer: Peer) -> Flight:
    """Through modes, attitude modes, health and gates."""
    flight = Flight(peer)
    flight.push(2.0, 900.0)
    flight.mode(Allocation.MODE_AUTO)
    flight.push(1.5, -300.0)
    # So weak in truth too: fault detection would find a healthy thruster healthy again.
    fault(peer, "alpha", 3, 0.5)
    flight.health(3, ThrusterState.HEALTH_WEAK, 0.5)
    flight.attitude(SetAttitudeMode.Request.DAMP)
    flight.push(2.0, 200.0)
    flight.mode(Allocation.MODE_ADAPTIVE)
    flight.health(8, ThrusterState.HEALTH_STUCK_CLOSED)
    flight.push(2.0, 1000.0)
    flight.attitude(SetAttitudeMode.Request.HOLD)
    flight.push(2.0, -1000.0)
    clear = InjectFault.Request(bot="alpha", kind=InjectFault.Request.KIND_CLEAR, target="3")
    assert peer.call(InjectFault, "/qiki/sim/inject_fault", clear).success
    flight.health(3, ThrusterState.HEALTH_OK)
    flight.health(8, ThrusterState.HEALTH_OK)
    flight.attitude(SetAttitudeMode.Request.OFF)
    flight.push(1.5, 0.0)
    flight.end()
    return flight


def test_what_follows_from_an_event_carries_its_id(peer, read) -> None:
    before = max(event.position for event in read())

    def events() -> list[RecordedEvent]:
        return [event for event in read() if event.position > before and event.stream.startswith("alpha/")]

    dead = InjectFault.Request(
        bot="alpha", kind=InjectFault.Request.KIND_THRUSTER_STUCK_CLOSED, target="3", duration=0.5
    )
    assert peer.call(InjectFault, "/qiki/sim/inject_fault", dead, repeatable=False).success
    for request in (
        SetAllocatorMode.Request(mode=Allocation.MODE_MANUAL_OVERRIDE, arm=True),
        SetAllocatorMode.Request(mode=Allocation.MODE_ADAPTIVE),
    ):
        assert peer.call(SetAllocatorMode, "/alpha/allocator/set_mode", request).success

    peer.spin_until(lambda: {event.type for event in events()} >= CAUSES.keys())
    found = events()
    types = {str(event.id): event.type for event in found}
    for event in found:
        if event.type in CAUSES:
            assert event.causation is not None, event
            assert types[event.causation] == CAUSES[event.type]
        elif event.type in CAUSES.values():
            assert event.causation is None
    injected, cleared = (
        next(event for event in found if event.type == f"simulator.fault_{what}") for what in ("injected", "cleared")
    )
    assert injected.data["target"] == cleared.data["target"]
    assert injected.position < cleared.position
    assert cleared.causation == str(injected.id)


@pytest.mark.requirement("EVENT-17")
def test_state_at_any_moment_of_a_flight_is_what_was_live(graph, peer) -> None:
    flight = fly(peer)
    allocations, energies = flight.allocations, flight.energies
    last = nanoseconds(allocations[-1])
    flight.mode(Allocation.MODE_AUTO)
    flight.mode(Allocation.MODE_ADAPTIVE)
    random.seed(1)
    compared = Counter()
    with open_store(f"sqlite:///{graph.run_dir}/events/events.db?mode=ro") as store:
        # Streams keep their order: once the events after the flight are there, the store has all of it.
        peer.spin_until(lambda: all(store.read(f"alpha/{node}")[-1].time >= last for node in ("allocator", "sim")))
        # At the very stamp of a change, before and after are both right.
        changes = {event.time for event in store.read("alpha/allocator")}
        live = [message for message in allocations if nanoseconds(message) not in changes]
        for message in random.sample(live, min(MOMENTS, len(live))):
            at = AtTime(nanoseconds(message))
            state = store.reconstruct(BOT_STATE, "alpha/*", at)
            assert state.mode == MODES[message.mode]
            assert state.gate == message.gate
            assert state.attitude_mode == ATTITUDES[message.attitude_mode]
            assert state.modulator == message.modulator
            assert [state.thrusters[i].health for i in range(16)] == [HEALTH[health] for health in message.health]
            ledger = store.reconstruct(ENERGY_LEDGER, "alpha/*", at)
            assert ledger.sampled is not None
            assert 0 <= at.time - ledger.sampled < 10**9
            sample = energies.get(ledger.sampled)
            if sample is not None:
                assert ledger.stored_j == sample.supercap_energy
                assert ledger.counters.energy_j == sample.thrust_energy
                assert ledger.soc == pytest.approx(sample.supercap_soc, rel=1e-6)
                compared["energy"] += 1
            compared.update([state.mode, state.gate, state.attitude_mode, state.thrusters[3].health])
    assert compared["energy"] > MOMENTS // 10, "telemetry may be lost, but not most of it"
    assert {"AUTO", "ADAPTIVE", "OFF", "DAMP", "HOLD", "WEAK"} <= set(compared), compared

    message = next(message for message in live if nanoseconds(message) > last - 4 * 10**9)
    at = f"{message.header.stamp.sec}.{message.header.stamp.nanosec:09d}"
    shown = graph.qiki("state", "alpha", "--at", at, "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["bot"]["gate"] == message.gate


@pytest.mark.requirement("EVENT-15f")
def test_kill_9_of_the_store_loses_and_doubles_nothing(graph, peer, read) -> None:
    injected = []
    for round in range(3):
        old = graph.pid("qiki/eventstore")
        assert old is not None
        for step in range(6):
            if step == 3:
                os.kill(old, signal.SIGKILL)
            value = round_value(round, step)
            fault(peer, "bravo", step, value)
            injected.append(value)
        peer.spin_until(lambda old=old: graph.pid("qiki/eventstore") not in (old, None))
        peer.wait_until_active("/qiki/eventstore")
    wanted = Counter(injected)
    peer.spin_until(lambda: set(wanted) <= set(values_of(read("simulator.fault_injected"))))
    stored = [event for event in read("simulator.fault_injected") if event.data["value"] in wanted]
    assert Counter(values_of(stored)) == wanted
    assert values_of(stored) == injected, "in the order in which they happened"
    ids = [event.id for event in read()]
    assert len(ids) == len(set(ids))

    def deaths() -> int:
        return sum(event.data["name"] == "qiki/eventstore" for event in read("launch.node_died"))

    peer.spin_until(lambda: deaths() >= 3)  # by way of the inbox, into which the store looks now and then
    assert deaths() == 3
    verified = graph.qiki("events", "verify")
    assert verified.returncode == 0, verified.stderr


def round_value(round: int, step: int) -> float:
    """A number of one fault alone, exact in binary."""
    return (1 + 8 * round + step) / 64.0


@pytest.mark.requirement("EVENT-15f")
def test_kill_9_of_an_emitting_node_keeps_what_it_said_last(graph, peer, read) -> None:
    store, simulator = graph.pid("qiki/eventstore"), graph.pid("qiki/sim")
    assert store is not None
    assert simulator is not None
    os.kill(store, signal.SIGSTOP)
    try:
        fault(peer, "alpha", 5, 0.625)
        os.kill(simulator, signal.SIGKILL)
        peer.spin_until(lambda: graph.pid("qiki/sim") not in (simulator, None))
    finally:
        os.kill(store, signal.SIGCONT)
    peer.spin_until(lambda: values_of(read("simulator.fault_injected")).count(0.625) == 1)
    peer.spin_for(2.0)
    assert values_of(read("simulator.fault_injected")).count(0.625) == 1


@pytest.mark.requirement("EVENT-11b")
def test_the_runner_tells_what_it_started(graph, peer, read) -> None:
    nodes = {"qiki/eventstore", "qiki/sim", "alpha/allocator", "bravo/allocator"}
    peer.spin_until(lambda: nodes <= {event.data["name"] for event in read("launch.node_started")})
    assert not list((graph.run_dir / "inbox").glob("*.refused"))
    refused = graph.run_dir / "log" / "qiki.eventstore.log"
    assert "append refused" not in refused.read_text()
