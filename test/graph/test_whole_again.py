"""Nodes that are killed, frozen or reset in flight: the graph is whole again soon, and no event is lost."""

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterator

import psutil
import pytest
from disturbances import NODES, Flight
from shared_memory import inode_of, mapped, owned

from qiki_msgs.msg import Allocation, ThrusterState
from qiki_msgs.srv import SetAllocatorMode, SetAttitudeMode, SetThrusterHealth
from qiki_node.testing import Peer

pytestmark = pytest.mark.realtime

ROUNDS = 10
SETTLED = 5
"""Rounds after which a process has what it needs: garbage in cycles grows for a while until a collection takes it."""
GROWTH = 3.0
"""MiB by which a process may grow from round `SETTLED` to the last beyond what a plain node grows, which does nothing
but meet each participant and each client that comes and goes."""


@pytest.fixture(scope="module")
def launch_arguments(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """With a recorder."""
    return (f"record:=mcap:///{tmp_path_factory.mktemp('recordings')}/",)


@pytest.fixture
def flight(graph, peer) -> Iterator[Flight]:
    flight = Flight(graph, peer)
    yield flight
    flight.close()


def operate(peer: Peer, mode: int, attitude: int, health: int) -> None:
    """Set the mode, the attitude mode and the health of thruster 3 of alpha, which motion cannot contradict."""
    for kind, service, request in (
        (SetAllocatorMode, "set_mode", SetAllocatorMode.Request(mode=mode)),
        (SetAttitudeMode, "set_attitude_mode", SetAttitudeMode.Request(mode=attitude)),
        (SetThrusterHealth, "set_thruster_health", SetThrusterHealth.Request(thruster=3, health=health, level=0.99)),
    ):
        answer = peer.call(kind, f"/alpha/allocator/{service}", request)
        assert answer.success, answer.message


@pytest.mark.requirement("ALLOC-17", "EVENT-15f")
@pytest.mark.parametrize("name", ["qiki/sim", "alpha/allocator"])
def test_a_killed_node_leaves_a_whole_graph_and_no_shared_memory(graph, peer, flight: Flight, name: str) -> None:
    shared = owned(graph.pid(name))
    assert shared, "Fast DDS is expected to use shared memory"
    operate(peer, Allocation.MODE_AUTO, SetAttitudeMode.Request.HOLD, ThrusterState.HEALTH_WEAK)
    flight.kill(name)
    assert graph.process(name)["restarts"] == 1
    # A simulator that starts again has set the clock back, which ends every attitude mode.
    attitude = SetAttitudeMode.Request.HOLD if name == "alpha/allocator" else SetAttitudeMode.Request.OFF
    peer.spin_until(lambda: flight.allocation("alpha").attitude_mode == attitude)
    assert flight.allocation("alpha").mode == Allocation.MODE_AUTO
    assert flight.allocation("alpha").health[3] == ThrusterState.HEALTH_WEAK
    operate(peer, Allocation.MODE_ADAPTIVE, SetAttitudeMode.Request.OFF, ThrusterState.HEALTH_OK)
    in_use = set().union(*(mapped(process.pid) for process in psutil.process_iter()))
    left = {name for name in shared.keys() - in_use if inode_of(name) == shared[name]}
    assert not left, "shared memory of the dead process is still there"


@pytest.mark.requirement("EVENT-15f")
def test_a_frozen_or_reset_node_leaves_a_whole_graph(flight: Flight) -> None:
    flight.freeze("qiki/eventstore")
    flight.reset("bravo/allocator")
    flight.reset_simulation()
    flight.books.check()
    flight.check_outboxes(since_start=False)


class Memory:
    """Sizes of the graph's processes round by round, in MiB, each time at the same age or all in one life."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._sizes: dict[str, list[float]] = defaultdict(list)

    def note(self) -> None:
        for name, size in self._flight.memory().items():
            self._sizes[name].append(size)

    def check(self) -> None:
        for name, sizes in self._sizes.items():
            print(f"{name}: {' '.join(f'{size:.1f}' for size in sizes)} MiB")
        assert self._sizes.keys() >= set(NODES)
        grown = {name: statistics.median(sizes[-2:]) - sizes[SETTLED - 1] for name, sizes in self._sizes.items()}
        allowed = grown.pop("witness") + GROWTH
        assert {name: by for name, by in grown.items() if by > allowed} == {}, f"allowed: {allowed:.1f} MiB"


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.requirement("EVENT-15f")
def test_ten_rounds_in_which_each_node_is_frozen_and_reset(graph, flight: Flight) -> None:
    memory = Memory(flight)
    for _ in range(ROUNDS):
        for disturb, name in itertools.product((flight.freeze, flight.reset), NODES):
            disturb(name)
        flight.reset_simulation()
        memory.note()
    flight.books.check()
    flight.check_outboxes(since_start=not any(graph.process(name)["restarts"] for name in NODES))
    memory.check()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.requirement("EVENT-15f")
def test_ten_rounds_in_which_each_node_is_killed(graph, flight: Flight) -> None:
    memory = Memory(flight)
    for _ in range(ROUNDS):
        for name in NODES:
            flight.wait_until_steady(name)
            flight.kill(name)
        memory.note()
    flight.books.check()
    flight.check_outboxes(since_start=False)
    memory.check()
    assert graph.qiki("events", "verify").returncode == 0
    assert graph.qiki("status", "--json").returncode == 0
