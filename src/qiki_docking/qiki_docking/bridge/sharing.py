"""The network of bridges as one body computes it from the states of all bodies of its assembly."""

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from qiki_docking.bridge.graph import BridgeGraph
from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.bridge.values import Body, Edge, Flow, Load, Outlook, Role, Verdict
from qiki_docking.exchange import BridgeEdgeStatus, BridgeStatus
from qiki_docking.values import Profile
from qiki_vehicle import Vehicle

LIVE = frozenset({EdgeState.SOFT_START, EdgeState.CLOSED})
"""States in which an edge carries power; while it is pre-charged, nothing may draw."""
_CLOSING = frozenset({EdgeState.OPEN, EdgeState.GROUND, EdgeState.PRECHARGE, EdgeState.SOFT_START})
_LEAVING = frozenset({EdgeState.HANDOVER, EdgeState.POWER_DOWN, EdgeState.OPENING, EdgeState.FAULT})


def own_loads(vehicle: Vehicle, *, charge: float = 0.0, off: Iterable[str] = ()) -> tuple[Load, ...]:
    """Loads of a body on the bridge, the most important first: base, loads that are never shed, the others, charging.

    charge: W that the battery takes. off: names of loads that are switched off.
    """
    rules, without = vehicle.avionics, set(off)
    kept = [name for name in rules.loads if name not in rules.shed_order]
    order = ["base", *kept, *reversed(rules.shed_order)]
    watts = {"base": rules.base_power, **rules.loads}
    priority = {name: (0 if name == "base" else 1) for name in ("base", *kept)}
    priority |= {name: 2 + index for index, name in enumerate(reversed(rules.shed_order))}
    loads = [Load(name, 0.0 if name in without else watts[name], priority[name]) for name in order]
    return (*loads, Load("charge", charge, 2 + len(rules.shed_order), divisible=True))


class BridgeNetwork:
    """Bodies and bridges of one's own assembly, from `BridgeStatus` of all, and one's own part in it.

        network = BridgeNetwork(vehicle, "alpha", Role.RELAY)
        network.update(status)                        # of each other body
        network.edges = (edge, ...)                   # own ones
        status = network.status(now)

    Each body computes the same flow. An edge carries power while all ends that report it show it closed; one that is
    being powered down feeds nothing any more, so that loads behind it are shed before it opens. One that hands over
    feeds until the edge that takes over does.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        body: str,
        role: Role,
        *,
        source_power: float | None = None,
        commanders: Sequence[str] = (),
    ) -> None:
        self._vehicle, self._body = vehicle, body
        self._source_power = vehicle.avionics.dock.power_max if source_power is None else source_power
        self._commanders = tuple(commanders)
        self.role = role
        self.loads: tuple[Load, ...] = () if role is Role.SOURCE else own_loads(vehicle)
        self.edges: tuple[BridgeEdgeStatus, ...] = ()
        self._others: dict[str, BridgeStatus] = {}
        self._cleared: dict[str, tuple[object, str]] = {}
        self._known: tuple[object, BridgeGraph, Flow] | None = None
        self._seen: tuple[object, Outlook] | None = None

    def update(self, status: BridgeStatus) -> None:
        """Take another body's state in; one that is older than the last is ignored.

        Raises:
            ValueError: naming a value that no network can be computed from, and the allowed range; the state before
                stays.
        """
        _body(status)
        for edge in status.edges:
            _edge(status.body, edge, edge.profile)
        known = self._others.get(status.body)
        age = self._vehicle.docking.validity.max_age
        if status.body != self._body and not (known and known.stamp - age <= status.stamp <= known.stamp):
            self._others[status.body] = status

    def knows(self, body: str) -> bool:
        """The body's state has been received."""
        return body in self._others

    def edge(self, name: str) -> BridgeEdgeStatus | None:
        """An own edge as its other end reports it; None: it does not."""
        found = (edge for status in self._others.values() for edge in status.edges if edge.name == name)
        return next(found, None)

    def flow(self) -> Flow:
        """Flow of all islands of the assembly."""
        return self._solved()[1]

    def data_peers(self) -> tuple[str, ...]:
        """Bodies that are reached over data bridges, by name."""
        graph = self._solved()[0]
        tree = [graph.edges[name] for name in sorted(graph.data_tree())]
        reached = [self._body]
        for body in reached:
            reached += [
                edge.other(body) for edge in tree if body in (edge.a, edge.b) and edge.other(body) not in reached
            ]
        return tuple(sorted(reached[1:]))

    def clearance(self, edge: Edge) -> str:
        """Text of why the edge may not close; empty: it may. Its power needs a source, and the most important loads."""
        if not edge.has_power:
            return ""
        bodies = self._bodies({edge.a, edge.b})
        key = (tuple(bodies.values()), self._edges(bodies))
        known = self._cleared.get(edge.name)
        if known is None or known[0] != (edge, key):
            known = self._cleared[edge.name] = ((edge, key), self._judge(edge, bodies))
        return known[1]

    def _judge(self, edge: Edge, bodies: dict[str, Body]) -> str:
        graph = BridgeGraph.of(self._vehicle)
        missing = [end for end in (edge.a, edge.b) if end not in bodies]
        if missing:
            return f"{edge.name}: no bridge state of {missing[0]}"
        self._fill(graph, bodies, self._edges(bodies))
        verdict = graph.close(edge)
        return verdict.text if not verdict.accepted else _shortage(graph, edge)

    def set_role(self, role: Role) -> Verdict:
        """Change the own role; a refused one changes nothing."""
        before, self.role = self.role, role
        graph, bodies = BridgeGraph.of(self._vehicle), self._bodies(set())
        verdict = self._fill(graph, bodies, self._edges(bodies))
        if not verdict.accepted:
            self.role = before
        return verdict

    def outlook(self, edge: Edge) -> Outlook:
        """The network around an own edge."""
        bodies = self._bodies({edge.other(self._body)})
        states = tuple(
            (one.name, one.profile, one.state, one.standby, one.fault) for body in bodies for one in self._reports(body)
        )
        key = (edge, tuple(bodies.values()), states)
        if self._seen is None or self._seen[0] != key:
            self._seen = (key, self._look(edge))
        return self._seen[1]

    def _look(self, edge: Edge) -> Outlook:
        graph, flow = self._solved()
        far = edge.other(self._body)
        reports = [one for body in graph.bodies for one in self._reports(body)]
        inward = None
        if edge.name in flow.toward:
            inward = flow.toward[edge.name] == self._body
        elif (far in flow.depth) != (self._body in flow.depth):
            inward = far in flow.depth
        steady, without = self._steady(edge.name, {far})
        unfed = [end for end in (self._body, far) if end not in without.depth]
        fed = flow.depth.keys() >= {self._body, far}
        return Outlook(
            inward=inward,
            turning=any(one.state is EdgeState.HANDOVER for one in reports),
            fed=not self.knows(far) or bool((flow.depth.keys() | without.depth.keys()) & {self._body, far}),
            capacitance=self._capacitance(steady, self._body if inward else far),
            handover=fed and any(steady.feeder(end, self._candidates(edge.name)) is not None for end in unfed),
            taken=not unfed,
        )

    def relieves(self, name: str) -> bool:
        """Own edge `name`, which carries data only, is to take over from one that is being taken out."""
        if not any(edge.name == name and edge.standby for edge in self.edges):
            return False
        bodies = self._bodies(set())
        for body in bodies:
            for edge in self._reports(body):
                if edge.state not in _LEAVING:
                    continue
                steady, flow = self._steady(edge.name, set())
                chosen = (
                    steady.feeder(end, self._candidates(edge.name))
                    for end in (body, edge.partner)
                    if end in steady.bodies and end not in flow.depth
                )
                if any(one is not None and one.name == name for one in chosen):
                    return True
        return False

    def _steady(self, without: str, further: set[str]) -> tuple[BridgeGraph, Flow]:
        """Bodies, those of `further` too, with the edges that are closed and stay so, but for one."""
        bodies = self._bodies(further)
        graph = BridgeGraph.of(self._vehicle)
        self._fill(graph, bodies, [edge for edge in self._edges(bodies, {EdgeState.CLOSED}) if edge.name != without])
        return graph, graph.flow()

    def _candidates(self, without: str) -> list[Edge]:
        """Edges that can take over, as all their ends report: they carry data only, or are being closed."""
        bodies = self._bodies(set())
        ends: dict[str, list[tuple[str, BridgeEdgeStatus]]] = {}
        for body in bodies:
            for edge in self._reports(body):
                if edge.name != without and edge.partner in bodies:
                    ends.setdefault(edge.name, []).append((body, edge))
        return [
            _edge(body, edge, edge.profile)
            for (body, edge), *others in ends.values()
            if others and all(_is_ready(one) for _, one in ((body, edge), *others))
        ]

    def _capacitance(self, graph: BridgeGraph, body: str) -> float:
        """F, of the island of a body."""
        own = self._vehicle.bridge.capacitance
        known = (graph.bodies[name].capacitance for name in graph.reached(body) if name in graph.bodies)
        return math.fsum(own if math.isnan(value) else value for value in known) or own

    def status(self, now: float) -> BridgeStatus:
        """Own part of the network. `now`: s."""
        graph, flow = self._solved()
        own, source = graph.bodies[self._body], self._body
        feeding = {far: name for name, far in flow.toward.items()}
        while source in feeding:
            source = graph.edges[feeding[source]].other(source)
        inward = {name: flow.toward.get(name) == self._body for name in flow.currents}
        expected = {name: amperes if inward[name] else -amperes for name, amperes in flow.currents.items()}
        peers = self.data_peers()
        is_source = own.role is Role.SOURCE
        return BridgeStatus(
            now,
            self._body,
            own.role,
            own.volts if is_source else math.nan,
            own.power_max if is_source else math.nan,
            tuple(load.name for load in own.loads),
            tuple(load.watts for load in own.loads),
            tuple(load.priority for load in own.loads),
            tuple(load.divisible for load in own.loads),
            tuple(flow.served[self._body, load.name] for load in own.loads),
            tuple(replace(edge, expected=expected.get(edge.name, math.nan)) for edge in self.edges),
            "" if source == self._body else source,
            flow.depth.get(self._body, 0),
            tuple(f"{body}/{load}" for body, load in flow.shed),
            peers,
            tuple(body for body in self._commanders if body in peers),
            self._vehicle.bridge.capacitance,
        )

    def _solved(self) -> tuple[BridgeGraph, Flow]:
        bodies = self._bodies(set())
        edges, leaving = self._edges(bodies), self._edges(bodies, LIVE | {EdgeState.HANDOVER})
        key = (tuple(bodies.values()), edges, leaving)
        if self._known is None or self._known[0] != key:
            graph = BridgeGraph.of(self._vehicle)
            self._fill(graph, bodies, edges)
            for edge in leaving:
                # Refused as a loop, or for a second source, as soon as the other edge feeds.
                if edge not in edges:
                    graph.close(edge)
            self._known = (key, graph, graph.flow())
        return self._known[1], self._known[2]

    def _reports(self, body: str) -> tuple[BridgeEdgeStatus, ...]:
        if body == self._body:
            return self.edges
        status = self._others.get(body)
        return () if status is None else status.edges

    def _bodies(self, further: set[str]) -> dict[str, Body]:
        """Bodies that edges reach from the own one and from `further`, as far as they are known; by name."""
        reached = [self._body, *sorted(further - {self._body})]
        for body in reached:
            reached += [edge.partner for edge in self._reports(body) if edge.partner not in reached]
        found = {}
        for name in sorted(reached):
            if name == self._body:
                volts = self._vehicle.avionics.voltage_nominal if self.role is Role.SOURCE else math.nan
                power = self._source_power if self.role is Role.SOURCE else math.inf
                found[name] = Body(name, self.role, self.loads, volts, power)
            elif name in self._others:
                found[name] = _body(self._others[name])
        return found

    def _edges(self, bodies: Iterable[str], live: Set[EdgeState] = LIVE) -> tuple[Edge, ...]:
        """Edges whose reporting ends agree on a service that they carry, by name. live: states that carry power."""
        parts: dict[str, frozenset[str]] = {}
        ends: dict[str, tuple[str, BridgeEdgeStatus]] = {}
        known = set(bodies)
        for body in known:
            for edge in self._reports(body):
                carried = edge.profile.parts if edge.state in live else edge.profile.parts - {"power"}
                parts[edge.name] = parts.get(edge.name, carried) & carried
                ends.setdefault(edge.name, (body, edge))
        found = []
        for name in sorted(parts):
            body, edge = ends[name]
            services = next((profile for profile in Profile if profile.parts == parts[name]), None)
            if services is not None and edge.partner in known:
                found.append(_edge(body, edge, services))
        return tuple(found)

    def _fill(self, graph: BridgeGraph, bodies: dict[str, Body], edges: Iterable[Edge]) -> Verdict:
        """Add bodies and edges; the first refusal among them."""
        verdicts = [graph.add(body) for body in bodies.values()] + [graph.close(edge) for edge in edges]
        return next((verdict for verdict in verdicts if not verdict.accepted), verdicts[0])


def _edge(body: str, edge: BridgeEdgeStatus, services: Profile) -> Edge:
    return Edge(body, edge.port, edge.partner, edge.partner_port, services, edge.resistance)


def _is_ready(edge: BridgeEdgeStatus) -> bool:
    closing = "power" in edge.profile.parts and edge.state in _CLOSING and not edge.fault
    return edge.standby or closing


def _body(status: BridgeStatus) -> Body:
    rows = zip(status.loads, status.wanted, status.priority, status.divisible, strict=True)
    loads = tuple(Load(name, watts, priority, divisible) for name, watts, priority, divisible in rows)
    power = status.source_power if status.role is Role.SOURCE else math.inf
    return Body(status.body, status.role, loads, status.source_volts, power, capacitance=status.capacitance)


def _shortage(graph: BridgeGraph, edge: Edge) -> str:
    flow = graph.flow()
    if not flow.depth.keys() >= {edge.a, edge.b}:
        return f"{edge.name}: neither end is fed, or feeds"
    for body in graph.bodies.values():
        for load in body.loads:
            served = flow.served[body.name, load.name]
            if load.priority == 0 and body.name in flow.depth and served < load.watts:
                return f"{edge.name}: {load.name} of {body.name} would get {served:.4g} W of {load.watts:g} W"
    return ""
