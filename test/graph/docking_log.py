"""Records of dockings of several bodies, from their topics, and the events of each docking."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from qiki_eventstore import Query, open_store
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState, Energy, ThrusterState
from qiki_msgs.srv import SetSpeed
from qiki_node.qos import STATE, TELEMETRY
from qiki_node.stamps import seconds
from qiki_node.testing import Peer

PHASES = (
    "FREE", "APPROACH", "ALIGN", "SOFT_DOCK", "HARD_DOCK", "BRIDGE", "UNDOCKING", "ABORT", "FAULT", "EMERGENCY_RELEASE"
)  # fmt: skip
"""By their numbers in DockingState."""
VOLTS = 28.0  # V, of a source
EVERY = 5.0  # s of wall time between two changes of the pace


class Valves(NamedTuple):
    """Open time of all valves so far, at a time; s. `late`: edges that came after their time so far."""

    stamp: float
    on_time: float
    late: int


class DockingLog:
    """All states, bridges, powers and valve times of bodies since it began; newest last.

    Args:
        peer: to subscribe with.
        bodies: names.
        flying: those of them that have thrusters.
    """

    def __init__(self, peer: Peer, bodies: Iterable[str], flying: Iterable[str]) -> None:
        self._peer = peer
        self.states: dict[str, list[DockingState]] = {body: [] for body in bodies}
        self.bridges: dict[str, list[BridgeState]] = {body: [] for body in bodies}
        self.powers: dict[str, float] = {}
        self.valves: dict[str, list[Valves]] = {body: [] for body in flying}
        subscribe = peer.node.create_subscription
        for body in self.states:
            subscribe(DockingState, f"/{body}/docking", self.states[body].append, STATE)
            subscribe(BridgeState, f"/{body}/bridge", self.bridges[body].append, STATE)
        for body in self.valves:
            subscribe(Energy, f"/{body}/energy", partial(self._take_energy, body), TELEMETRY)
            subscribe(ThrusterState, f"/{body}/thruster_state", partial(self._take_valves, body), TELEMETRY)

    def _take_energy(self, body: str, message: Energy) -> None:
        self.powers[body] = message.dock_power

    def _take_valves(self, body: str, message: ThrusterState) -> None:
        newest = Valves(seconds(message.header.stamp), float(sum(message.on_time)), message.late_edges)
        self.valves[body].append(newest)

    def newest(self, body: str) -> DockingState:
        """State of a body; it is waited for until there is one."""
        return self.states[body][-1]

    def now(self) -> float:
        """s of simulated time, of the newest message."""
        return max((valves[-1].stamp for valves in self.valves.values() if valves), default=0.0)

    def late_edges(self) -> int:
        return sum(valves[-1].late for valves in self.valves.values() if valves)

    def edge(self, body: str, partner: str) -> BridgeEdge:
        """Bridge of a body to a partner in its newest message.

        Raises:
            StopIteration: there is none.
        """
        return next(edge for edge in self.bridges[body][-1].edges if edge.partner == partner)

    def phases(self, body: str, docking_id: str) -> list[str]:
        """Phases of a docking in their order, as the topic had them."""
        seen = (state.phase for state in self.states[body] if state.docking_id == docking_id)
        return [PHASES[phase] for phase, _ in groupby(seen)]

    def thrust(self, body: str, begin: float, end: float) -> float:
        """s of open valves between two times."""
        times = [one.on_time for one in self.valves[body] if begin <= one.stamp <= end]
        return times[-1] - times[0] if times else 0.0


class Happening(NamedTuple):
    """An event: type, time (s of simulated time) and payload."""

    type: str
    time: float
    data: Mapping[str, Any]


def dockings(url: str, body: str) -> Iterator[tuple[str, list[Happening]]]:
    """Each docking of a body with its events, in their order, from the store's file."""
    found = _stored(url, "docking.*", f"{body}/docking")
    for started in (one for one in found if one.type == "docking.started"):
        docking_id = str(started.data["docking_id"])
        yield docking_id, [one for one in found if one.data.get("docking_id") == docking_id]


def changes_of_lead(url: str, body: str) -> list[Happening]:
    """Beginnings and ends of assemblies that a body belonged to, from the store's file."""
    return _stored(url, "allocator.assembly_changed", f"{body}/allocator")


def _stored(url: str, kind: str, stream: str) -> list[Happening]:
    with open_store(url) as store:
        return [
            Happening(event.type, event.time * 1e-9, event.data)
            for event in store.read_all(Query(types=(kind,), streams=(stream,)))
        ]


def chain_currents(resistance: float, powers: Sequence[float]) -> list[float]:
    """A in each bridge of a chain, from its source on; bodies draw constant powers, W; resistances, ohm, are equal.

    By substitution from the last body on: with the volts v of the bodies, the current of a bridge is the sum of p / v
    behind it, and each v is what the bridges before leave of the source's. It contracts where the source can feed all.
    """
    volts = [VOLTS] * len(powers)
    for _ in range(100):
        drawn = [power / volt for power, volt in zip(powers, volts, strict=True)]
        currents = [sum(drawn[index:]) for index in range(len(drawn))]
        volts = [VOLTS - resistance * sum(currents[: index + 1]) for index in range(len(drawn))]
    return currents


class Pace:
    """Simulated time as fast as the machine brings commands to the valves in time, up to `most`; `look` adapts it."""

    def __init__(self, peer: Peer, log: DockingLog, most: float) -> None:
        self._peer, self._log, self.most = peer, log, most
        self.factor = 0.0
        self._set(min(1.0, most))

    def _set(self, factor: float) -> None:
        if factor != self.factor:
            assert self._peer.call(SetSpeed, "/qiki/sim/set_speed", SetSpeed.Request(factor=factor)).success
            self.factor = factor
        self._begun = time.monotonic(), self._log.now(), self._log.late_edges()

    def until(self, condition: Callable[[], bool], timeout: float) -> None:
        """Run callbacks until the condition holds, and adapt the pace meanwhile.

        Raises:
            AssertionError: it did not hold within the timeout, s of wall time.
        """
        end = time.monotonic() + timeout
        while not condition():
            self.look()
            assert time.monotonic() < end, "condition did not come true in time"
            with suppress(AssertionError):
                self._peer.spin_until(condition, 1.0)

    def look(self) -> None:
        """To be called often: every few seconds the speed is set by what was reached, and by edges that were late."""
        wall, simulated, late = self._begun
        passed = time.monotonic() - wall
        if passed < EVERY:
            return
        reached = (self._log.now() - simulated) / passed
        edges = self._log.late_edges() - late
        print(
            f"{self._log.now():.0f} s: factor {self.factor:.2f}, reached {reached:.2f}, {edges} late edges", flush=True
        )
        if edges > 0 or reached < 0.85 * self.factor:
            self._set(max(0.9 * min(self.factor, reached), 0.2))
        else:
            self._set(min(1.25 * self.factor, self.most))

    def limit(self, most: float) -> None:
        """Set the largest factor, from now on."""
        self.most = most
        self._set(min(self.factor, most))


def store_of(run_dir: Path) -> str:
    """URL of a graph's event store, to read while its node writes."""
    return f"sqlite:///{run_dir}/events/events.db?mode=ro"
