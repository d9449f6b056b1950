"""The network of bridges between docked bodies."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from qiki_docking.bridge.island import Island, Limits
from qiki_docking.bridge.values import Body, Edge, Flow, Refusal, Removal, Role, Verdict
from qiki_docking.values import Profile
from qiki_vehicle import Vehicle


class BridgeGraph:
    """Bodies and the bridges between them: closing and opening, flow, loads to be shed.

        graph = BridgeGraph.of(vehicle)
        graph.add(Body("station", Role.SOURCE, volts=28.0, power_max=250.0))
        graph.add(Body("alpha", Role.RELAY, (Load("base", 60.0),)))
        graph.close(Edge("station", "A", "alpha", "B", Profile.FULL, resistance=0.05))
        graph.flow().currents                       # A, by the name of the edge

    Power edges form trees: one that closes a loop of power is refused, and so is one that joins two sources.

    Args:
        limits: of each edge and body.
        depth_max: hops from the source.
    """

    def __init__(self, limits: Limits, depth_max: int) -> None:
        self._limits, self._depth_max = limits, depth_max
        self.bodies: dict[str, Body] = {}
        self.edges: dict[str, Edge] = {}
        """Closed edges, by name."""

    @classmethod
    def of(cls, vehicle: Vehicle) -> "BridgeGraph":
        """With the limits of a vehicle file."""
        return cls(Limits(vehicle.bridge.current_max, vehicle.avionics.voltage_min), vehicle.bridge.depth_max)

    def add(self, body: Body) -> Verdict:
        """Add a body, or replace it with its new role and loads."""
        changed = self._copy()
        changed.bodies[body.name] = body
        return self._adopt(changed, changed._power_fault(body.name))

    def close(self, edge: Edge) -> Verdict:
        """Close an edge, or change the profile of a closed one."""
        for end in (edge.a, edge.b):
            if end not in self.bodies:
                return Verdict(Refusal.UNKNOWN_BODY, f"{end}: no such body")
        taken = {port: other.name for other in self.edges.values() for port in _ends(other)}
        for port in _ends(edge):
            if taken.get(port, edge.name) != edge.name:
                return Verdict(Refusal.PORT_TAKEN, f"{':'.join(port)}: taken by {taken[port]}")
        changed = self._copy()
        changed.edges.pop(edge.name, None)
        if edge.has_power and edge.b in changed.reached(edge.a):
            return Verdict(Refusal.POWER_LOOP, f"{edge.name}: {edge.a} and {edge.b} share an island of power already")
        changed.edges[edge.name] = edge
        return self._adopt(changed, changed._power_fault(edge.a))

    def open(self, name: str) -> Verdict:
        """Take a closed edge out. `removal` plans it so that no current flows."""
        if name not in self.edges:
            return Verdict(Refusal.UNKNOWN_EDGE, f"{name}: no such edge is closed")
        del self.edges[name]
        return Verdict(None, f"{name} is open")

    def flow(self) -> Flow:
        """Flow in all islands, with loads shed until every limit holds."""
        flow = Flow(
            volts=dict.fromkeys(self.bodies, math.nan),
            currents={name: 0.0 for name, edge in self.edges.items() if edge.has_power},
            served={(body.name, load.name): 0.0 for body in self.bodies.values() for load in body.loads},
        )
        shed: tuple[tuple[str, str], ...] = ()
        for source in self.bodies.values():
            if source.role is not Role.SOURCE:
                continue
            island = self._island(source)
            shares, cut, state = island.settle()
            shed += cut
            flow.volts.update({source.name: source.volts, **state.volts})
            flow.depth.update(island.depth)
            for far, edge in island.feeding.items():
                flow.currents[edge.name] = state.currents[far]
                flow.toward[edge.name] = far
            flow.served.update({key: share * island.load(key).watts for key, share in shares.items()})
            flow.supplied[source.name] = state.power
            flow.losses[source.name] = math.fsum(
                edge.resistance * state.currents[far] ** 2 for far, edge in island.feeding.items()
            )
        return replace(flow, shed=shed)

    def removal(self, name: str, standby: tuple[Edge, ...] = ()) -> Removal:
        """Plan to take an edge out: the part behind it is fed by another edge, or shed.

        standby: edges that are docked with their power contacts open and may close, such as one that would have made a
            loop of power.

        Raises:
            KeyError: no such edge is closed.
        """
        if name not in self.edges:
            raise KeyError(f"edge = {name!r}: allowed: {', '.join(self.edges)}")
        edge, before = self.edges[name], self.flow()
        after = self._copy()
        del after.edges[name]
        far = before.toward.get(name)
        shed: tuple[tuple[str, str], ...] = ()
        closes = None
        if far is not None:
            behind = after.reached(far)
            served = [
                (-load.priority, body, load.name)
                for body in behind
                for load in self.bodies[body].loads
                if before.served[body, load.name] > 0.0
            ]
            shed = tuple((body, load) for _, body, load in sorted(served))
            closes = after.feeder(far, standby)
            if closes is not None:
                after.close(closes)
        return Removal(edge, shed, closes, after.flow())

    def feeder(self, body: str, standby: Iterable[Edge]) -> Edge | None:
        """Of the standby edges from the unfed island of `body` to a fed one: that which serves the most loads' power.

        It carries power, and data if it did; None: none may close.
        """
        behind = self.reached(body)
        best: tuple[float, str] | None = None
        chosen = None
        for edge in standby:
            powered = replace(edge, profile=Profile.FULL if edge.has_data else Profile.POWER)
            outside = powered.b if powered.a in behind else powered.a
            trial = self._copy()
            if (powered.a in behind) == (powered.b in behind) or not trial.close(powered).accepted:
                continue
            flow = trial.flow()
            if outside not in flow.depth:
                continue
            rank = (-math.fsum(flow.served.values()), powered.name)
            if best is None or rank < best:
                best, chosen = rank, powered
        return chosen

    def data_tree(self) -> frozenset[str]:
        """Names of the data edges that forward: a spanning tree of each data island, so that loops carry nothing twice.

        Breadth first from the body whose name comes first; the other data edges are blocked.
        """
        forwarding = set()
        seen: set[str] = set()
        for root in sorted(self.bodies):
            if root in seen:
                continue
            seen.add(root)
            queue = deque([root])
            while queue:
                body = queue.popleft()
                for edge in sorted(self._at(body, data=True), key=lambda edge: edge.name):
                    other = edge.other(body)
                    if other not in seen:
                        seen.add(other)
                        forwarding.add(edge.name)
                        queue.append(other)
        return frozenset(forwarding)

    def _copy(self) -> "BridgeGraph":
        copy = BridgeGraph(self._limits, self._depth_max)
        copy.bodies, copy.edges = dict(self.bodies), dict(self.edges)
        return copy

    def _adopt(self, changed: "BridgeGraph", fault: Verdict | None) -> Verdict:
        if fault is not None:
            return fault
        self.bodies, self.edges = changed.bodies, changed.edges
        return Verdict(None, "done")

    def _at(self, body: str, data: bool = False) -> list[Edge]:
        edges = (edge for edge in self.edges.values() if body in (edge.a, edge.b))
        return [edge for edge in edges if (edge.has_data if data else edge.has_power)]

    def reached(self, body: str) -> set[str]:
        """Names of the bodies in the island of power of a body, itself among them."""
        seen, queue = {body}, [body]
        while queue:
            here = queue.pop()
            for edge in self._at(here):
                if edge.other(here) not in seen:
                    seen.add(edge.other(here))
                    queue.append(edge.other(here))
        return seen

    def _power_fault(self, body: str) -> Verdict | None:
        """Rule that the island of a body breaks."""
        island = sorted(self.reached(body))
        sources = [name for name in island if self.bodies[name].role is Role.SOURCE]
        if len(sources) > 1:
            return Verdict(Refusal.SECOND_SOURCE, f"{' and '.join(sources)}: an island has one source")
        for name in island:
            if self.bodies[name].role is Role.SINK and len(self._at(name)) > 1:
                return Verdict(Refusal.NOT_A_RELAY, f"{name}: a sink passes no power on")
        if sources:
            depth = self._island(self.bodies[sources[0]]).depth
            deepest = max(depth, key=lambda name: depth[name])
            if depth[deepest] > self._depth_max:
                return Verdict(
                    Refusal.TOO_DEEP,
                    f"{deepest}: {depth[deepest]} hops from {sources[0]}; allowed: at most {self._depth_max}",
                )
        return None

    def _island(self, source: Body) -> Island:
        feeding: dict[str, Edge] = {}
        queue = deque([source.name])
        while queue:
            body = queue.popleft()
            for edge in self._at(body):
                far = edge.other(body)
                if far != source.name and far not in feeding:
                    feeding[far] = edge
                    queue.append(far)
        return Island(source, (self.bodies[name] for name in feeding), feeding, self._limits)


def _ends(edge: Edge) -> tuple[tuple[str, str], tuple[str, str]]:
    return (edge.a, edge.a_port), (edge.b, edge.b_port)
