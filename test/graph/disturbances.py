"""Disturbances of a graph in flight, and independent books of what must survive them."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from qiki_eventstore import Query, RecordedEvent, open_store
from qiki_msgs.msg import Allocation, BridgeState, DockingState, Energy, Thermal, ThrusterState
from qiki_msgs.srv import InjectFault, SetThrusterHealth
from qiki_node.qos import COMMAND, TELEMETRY
from qiki_node.testing import PATIENCE, Peer

BOTS = ("alpha", "bravo")
OF_BOTS = ("allocator", "docking", "xpdr")
EMITTING = ("qiki/recorder", "qiki/sim", *(f"{bot}/{node}" for bot in BOTS for node in OF_BOTS))
NODES = ("qiki/eventstore", *EMITTING)
TELEMETRIES = {
    "odom": Odometry,
    "thruster_state": ThrusterState,
    "energy": Energy,
    "thermal": Thermal,
    "allocation": Allocation,
    "docking": DockingState,
    "bridge": BridgeState,
}
FORCE = 200.0  # N
FROZEN = 3.0  # s
STEADY = 10.5  # s
WHOLE_WITHIN = 5.0  # s, where a plain node starts within PLAIN_START
PLAIN_START = 0.6  # s from the start of a process to the first message of a plain node
PLAIN = """
import rclpy
from std_msgs.msg import Empty
rclpy.init()
publisher = rclpy.create_node("plain").create_publisher(Empty, "/plain", 10)
while rclpy.ok():
    publisher.publish(Empty())
    __import__("time").sleep(0.02)
"""
WITNESS = "import rclpy; rclpy.init(); rclpy.spin(rclpy.create_node('witness'))"
# The way of a reset by the lifecycle.
LIFE = (
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
)


ALL = Query()


class Books:
    """Events that a node has acknowledged to this process to have emitted, each with a number of its own.

    A fault of bravo is one of the simulator, the health of a thruster of alpha one of the allocator.
    """

    def __init__(self, peer: Peer, folder: Any) -> None:
        self._peer, self._url = peer, f"sqlite:///{folder}/events/events.db?mode=ro"
        self.faults: list[float] = []
        self.shares: list[float] = []

    def fault(self) -> None:
        value = _share()
        kind = InjectFault.Request.KIND_THRUSTER_WEAK
        request = InjectFault.Request(bot="bravo", kind=kind, target="5", value=value, duration=0.1)
        self._call(InjectFault, "/qiki/sim/inject_fault", request)
        self.faults.append(value)

    def health(self) -> None:
        share = _share()
        request = SetThrusterHealth.Request(thruster=5, health=ThrusterState.HEALTH_WEAK, level=share)
        self._call(SetThrusterHealth, "/alpha/allocator/set_thruster_health", request)
        self.shares.append(share)

    def _call(self, kind: type, service: str, request: object) -> None:
        answer = self._peer.call(kind, service, request, repeatable=False)
        assert answer.success, answer.message

    def stored(self, query: Query = ALL) -> list[RecordedEvent]:
        with open_store(self._url) as store:
            return list(store.read_all(query))

    def found(self) -> tuple[Counter[float], Counter[float]]:
        """Number of times that each value of `faults` and of `shares` is stored."""
        events = self.stored(Query(types=("simulator.fault_injected", "allocator.thruster_health_changed")))
        values = [(event.type.partition(".")[0], event.data) for event in events]
        faults = Counter(data["value"] for node, data in values if node == "simulator")
        shares = Counter(data["share"] for node, data in values if node == "allocator" and data["health"] == "WEAK")
        return faults, shares

    def are_stored(self) -> bool:
        faults, shares = self.found()
        return set(self.faults) <= set(faults) and set(self.shares) <= set(shares)

    def check(self) -> None:
        """All of it is stored once, and of every event that the store holds none is missing, double or of time 0."""
        faults, shares = self.found()
        assert {value: faults[value] for value in self.faults} == dict.fromkeys(self.faults, 1)
        # An allocator that comes back states the health of its thrusters, which an operator had set, again.
        assert set(self.shares) <= set(shares)
        events = self.stored()
        assert [event.position for event in events] == list(range(1, len(events) + 1))
        assert len({event.id for event in events}) == len(events)
        versions: Counter[str] = Counter()
        for event in events:
            assert event.version == versions[event.stream], event
            versions[event.stream] += 1
            assert event.time > 0, event
        by_id = {str(event.id) for event in events}
        assert [event for event in events if event.causation is not None and event.causation not in by_id] == []


_numbers = itertools.count(1)


def _share() -> float:
    """A number of one event alone, exact in binary; near 1, so that the flight goes on as before."""
    return 1.0 - next(_numbers) / 16384.0


def _own_memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(kib) / 1024.0


class Flight:
    """Both bots fly to and fro, while what the graph publishes is watched."""

    def __init__(self, graph: Any, peer: Peer) -> None:
        self._graph, self._peer = graph, peer
        self.books = Books(peer, graph.run_dir)
        self._fresh: set[str] = set()
        self._last: dict[str, Any] = {}
        self._valves: dict[str, float] = {}
        self._plain = 0.0
        self.outboxes: dict[str, dict[str, int]] = {}
        node = peer.node
        self._subscriptions = [
            node.create_subscription(kind, f"/{bot}/{topic}", partial(self._take, f"{bot}/{topic}"), TELEMETRY)
            for bot in BOTS
            for topic, kind in TELEMETRIES.items()
        ]
        self._subscriptions += [
            node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, 100),
            node.create_subscription(Empty, "/plain", self._hear_plain, 10),
        ]
        self._commands = [node.create_publisher(WrenchStamped, f"/{bot}/cmd_wrench", COMMAND) for bot in BOTS]
        self._timer = node.create_timer(0.05, self._fly)
        peer.spin_until(self._whole)
        self._witness = subprocess.Popen(
            [sys.executable, "-c", WITNESS], env=graph.environment, stderr=subprocess.DEVNULL
        )

    def close(self) -> None:
        self._witness.terminate()
        try:
            self._witness.wait(5.0)
        except subprocess.TimeoutExpired:  # a plain rclpy process may wait for ever in its shutdown
            self._witness.kill()
            self._witness.wait(PATIENCE)
        self._peer.node.destroy_timer(self._timer)
        for publisher in self._commands:
            self._peer.node.destroy_publisher(publisher)
        for subscription in self._subscriptions:
            self._peer.node.destroy_subscription(subscription)

    def allocation(self, bot: str) -> Allocation:
        """The newest of a bot."""
        newest: Allocation = self._last[f"{bot}/allocation"]
        return newest

    def _fly(self) -> None:
        command = WrenchStamped()
        command.header.frame_id = "base_link"
        command.wrench.force.x = FORCE if time.monotonic() % 4.0 < 2.0 else -FORCE
        for publisher in self._commands:
            publisher.publish(command)

    def _take(self, name: str, message: Any) -> None:
        self._last[name] = message
        self._fresh.add(name)

    def _hear_plain(self, _: Empty) -> None:
        self._plain = self._plain or time.monotonic()

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            node, _, component = status.name.partition(": ")
            values = {value.key: value.value for value in status.values}
            if component == "lifecycle" and status.level == DiagnosticStatus.OK and values.get("clock") == "runs":
                self._fresh.add(node)
            elif component == "events":
                self.outboxes[node] = {name: int(value) for name, value in values.items()}

    def _whole(self) -> bool:
        """Every node has reported to be active on a running clock since `_fresh` was cleared; all telemetry has come;
        both bots are flown and their valves open."""
        wanted = {*NODES, *(f"{bot}/{topic}" for bot in BOTS for topic in TELEMETRIES)}
        return wanted <= self._fresh and all(self._flies(bot) for bot in BOTS)

    def _flies(self, bot: str) -> bool:
        on_time = float(sum(self._last[f"{bot}/thruster_state"].on_time))
        before = self._valves.setdefault(bot, on_time)
        if on_time < before:  # valves of another simulation
            self._valves[bot] = on_time
        return self._last[f"{bot}/allocation"].state == Allocation.STATE_ACTIVE and on_time > before

    # Disturbances ----------------------------------------------------------------------------------------------------

    def disturb(self, name: str, disturb: Callable[[], None], come_back: Callable[[], None] = lambda: None) -> float:
        """Let `disturb` happen between acknowledged events; s until the graph is whole again after `come_back` began,
        per what a plain node takes to start in the same time, where that is more than on an idle machine."""
        self.books.fault()
        self.books.health()
        disturb()
        begun = time.monotonic()
        come_back()
        self._fresh.clear()
        self._valves.clear()
        self._plain = 0.0
        whole, plainly = self._wait_beside_plain_nodes(begun)
        self.books.fault()
        self.books.health()
        stored = self._wait(begun, self.books.are_stored)
        allowed = WHOLE_WITHIN * max(1.0, plainly / PLAIN_START)
        figures = f"whole after {whole:.1f} s, stored after {stored:.1f} s, allowed {allowed:.1f} s"
        print(f"{name}: {figures}, a plain node started in {plainly:.1f} s", flush=True)
        assert whole <= allowed, f"{name}: {figures}"
        return whole

    def _wait_beside_plain_nodes(self, begun: float) -> tuple[float, float]:
        """s until the graph is whole, and the longest that one of the plain nodes, which start one after the other
        meanwhile, has taken."""
        longest, whole = 0.0, 0.0
        while not whole:
            self._plain, started = 0.0, time.monotonic()
            with subprocess.Popen(
                [sys.executable, "-c", PLAIN], env=self._graph.environment, stderr=subprocess.DEVNULL
            ) as plain:
                try:
                    self._peer.spin_until(lambda: self._whole() or self._plain > 0.0, 2.0 * PATIENCE)
                    whole = time.monotonic() - begun if self._whole() else 0.0
                    self._peer.spin_until(lambda: self._plain > 0.0, 2.0 * PATIENCE)
                finally:
                    plain.terminate()  # SIGKILL would leave its shared memory behind
            longest = max(longest, self._plain - started)
        return whole, longest

    def _wait(self, begun: float, condition: Callable[[], bool]) -> float:
        self._peer.spin_until(condition, 2.0 * PATIENCE)
        return time.monotonic() - begun

    def kill(self, name: str) -> float:
        old = self._graph.pid(name)

        def kill() -> None:
            os.kill(old, signal.SIGKILL)
            with suppress(psutil.NoSuchProcess):
                psutil.Process(old).wait(PATIENCE)

        took = self.disturb(f"kill {name}", kill)
        assert self._graph.pid(name) not in (old, None)
        return took

    def wait_until_steady(self, name: str) -> None:
        """Until a node is so old that its death is no failed start, after which the runner waits longer each time."""
        begun = psutil.Process(self._graph.pid(name)).create_time()
        self._peer.spin_until(lambda: time.time() - begun > STEADY)

    def freeze(self, name: str) -> float:
        pid = self._graph.pid(name)

        def freeze() -> None:
            os.kill(pid, signal.SIGSTOP)
            try:
                self._peer.spin_for(FROZEN)
            finally:
                os.kill(pid, signal.SIGCONT)

        took = self.disturb(f"freeze {name}", freeze)
        assert self._graph.pid(name) == pid
        return took

    def reset(self, name: str) -> float:
        """Bring a node down to unconfigured and up again by its lifecycle."""

        def reset() -> None:
            for transition in LIFE:
                request = ChangeState.Request(transition=Transition(id=transition))
                assert self._peer.call(ChangeState, f"/{name}/change_state", request, repeatable=False).success

        return self.disturb(f"reset {name}", lambda: None, reset)

    def reset_simulation(self) -> float:
        return self.disturb("reset of the simulation", lambda: None, lambda: self._simulation("reset"))

    def _simulation(self, verb: str) -> None:
        assert self._peer.call(Trigger, f"/qiki/sim/{verb}", Trigger.Request(), repeatable=False).success

    # Books -----------------------------------------------------------------------------------------------------------

    def memory(self) -> dict[str, float]:
        """MiB of its own that a process holds, by name: without libraries and the middleware's shared memory, of which
        a process touches more as time passes, up to their size. `witness`: a plain node that does nothing."""
        pids = {name: self._graph.pid(name) for name in NODES}
        pids |= {"runner": self._graph.launch.pid, "witness": self._witness.pid}
        return {name: _own_memory(pid) for name, pid in pids.items() if pid}

    def check_outboxes(self, *, since_start: bool) -> None:
        """Nothing of any node waits, had no room or was refused; with `since_start`, for nodes that have not ended yet,
        the store has as many events of each as it has counted.

        Time stands still meanwhile: the simulator emits a sample of each bot once per second, as often as it publishes
        its diagnostics, which may find a sample on its way each time.
        """

        def counted() -> dict[str, dict[str, int]]:
            self.outboxes.clear()
            self._peer.spin_until(lambda: self.outboxes.keys() >= set(EMITTING))
            return dict(self.outboxes)

        def settled() -> bool:
            return not any(outbox["queued"] for outbox in counted().values())

        self._simulation("pause")
        try:
            self._peer.spin_until(settled)
        except AssertionError as error:
            raise AssertionError(f"events wait: {self.outboxes}") from error
        before = counted()
        stored = Counter(event.source.lstrip("/") for event in self.books.stored())
        after = counted()
        for name, outbox in after.items():
            assert (outbox["overflowed"], outbox["refused"], outbox["dead_letters"]) == (0, 0, 0), (name, outbox)
            if since_start:
                kept = before[name]["emitted"] - before[name]["dropped"] - before[name]["queued"]
                assert kept <= stored[name] <= outbox["emitted"], name
        self._simulation("resume")
