"""Flow, budget and changes of the network of bridges."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from plant import VEHICLE

from qiki_docking import Profile
from qiki_docking.bridge import Body, BridgeGraph, Edge, Load, Refusal, Role, chain_volts, most_power
from qiki_docking.bridge.network import solve

OHM = VEHICLE.bridge.resistance
watts = st.floats(0.0, 120.0)


def source(name="station", **limits):
    return Body(name, Role.SOURCE, volts=28.0, **limits)


def relay(name, *loads):
    return Body(name, Role.RELAY, tuple(loads))


def edge(a, b, profile=Profile.FULL, ports=("A", "B")):
    return Edge(a, ports[0], b, ports[1], profile, OHM)


def chain(*bodies):
    graph = BridgeGraph.of(VEHICLE)
    for body in bodies:
        assert graph.add(body).accepted
    for above, below in pairwise(bodies):
        assert graph.close(edge(above.name, below.name)).accepted
    return graph


@pytest.mark.requirement("DOCK-11")
@given(st.floats(1.0, 60.0), st.floats(0.01, 5.0), st.floats(0.0, 1.5))
def test_one_load_behind_a_line_is_the_closed_form_up_to_its_bound(volts, resistance, share):
    power = share * most_power(volts, resistance)
    found = solve(volts, [-1], [resistance], [power])
    if share > 1.0 + 1e-9:
        assert found is None
        assert math.isnan(chain_volts(volts, resistance, power))
    elif share < 1.0 - 1e-9:
        assert found[0] == pytest.approx(chain_volts(volts, resistance, power), rel=1e-9)
        assert found[0] >= 0.5 * volts * (1.0 - 1e-9)


@pytest.mark.requirement("DOCK-11")
@given(st.lists(st.tuples(st.floats(0.01, 0.5), watts), min_size=1, max_size=6), st.floats(22.0, 28.0))
def test_a_chain_of_loads_is_the_closed_form(hops, last):
    # From the volts at the far end the currents and volts up to the source follow without solving anything.
    volts, current, expected = last, 0.0, []
    volts_slope, current_slope = 1.0, 0.0  # by the volts at the far end
    for resistance, power in reversed(hops):
        expected.append(volts)
        current += power / volts
        current_slope -= power / volts**2 * volts_slope
        volts += resistance * current
        volts_slope += resistance * current_slope
    # Where the source's volts fall as those at the far end rise, the same source holds a second state with more volts,
    # which is the stable one. Near that bound the state is too ill-conditioned for nine digits, or called none.
    assume(volts_slope > 0.1)
    found = solve(volts, range(-1, len(hops) - 1), [r for r, _ in hops], [p for _, p in hops])
    assert found is not None
    assert list(found[::-1]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.requirement("DOCK-12")
def test_a_bot_feeds_another_through_a_third():
    graph = chain(source("bravo"), relay("alpha", Load("base", 60.0)), relay("charlie", Load("base", 40.0)))
    flow = graph.flow()
    assert flow.depth == {"bravo": 0, "alpha": 1, "charlie": 2}
    assert flow.shed == ()
    beyond = 40.0 / flow.volts["charlie"]
    assert flow.currents["alpha:A-charlie:B"] == pytest.approx(beyond, rel=1e-9)
    assert flow.currents["alpha:B-bravo:A"] == pytest.approx(beyond + 60.0 / flow.volts["alpha"], rel=1e-9)
    assert flow.volts["charlie"] == pytest.approx(flow.volts["alpha"] - OHM * beyond, rel=1e-9)
    assert flow.supplied["bravo"] == pytest.approx(100.0 + flow.losses["bravo"], rel=1e-9)


@pytest.mark.requirement("DOCK-12")
def test_what_is_refused():
    graph = chain(source(), relay("alpha"), relay("bravo"))
    assert graph.close(edge("station", "delta")).refusal is Refusal.UNKNOWN_BODY
    assert graph.close(edge("station", "bravo", ports=("A", "C"))).refusal is Refusal.PORT_TAKEN
    loop = graph.close(edge("station", "bravo", ports=("B", "A")))
    assert (loop.refusal, loop.text) == (
        Refusal.POWER_LOOP,
        "bravo:A-station:B: station and bravo share an island of power already",
    )
    assert graph.close(edge("station", "bravo", Profile.DATA, ("B", "A"))).accepted  # data may loop
    assert graph.data_tree() == {"alpha:A-bravo:B", "alpha:B-station:A"}
    assert graph.add(source("alpha")).refusal is Refusal.SECOND_SOURCE
    assert graph.add(Body("alpha", Role.SINK)).refusal is Refusal.NOT_A_RELAY
    assert graph.bodies["alpha"].role is Role.RELAY
    assert graph.open("nothing").refusal is Refusal.UNKNOWN_EDGE
    deep = chain(source(), *(relay(f"bot_{i}") for i in range(4)))
    deep.add(relay("fifth"))
    answer = deep.close(edge("bot_3", "fifth"))
    assert (answer.refusal, answer.text) == (Refusal.TOO_DEEP, "fifth: 5 hops from station; allowed: at most 4")
    assert deep.close(edge("bot_3", "fifth", Profile.DATA)).accepted
    for wrong in (lambda: edge("alpha", "alpha"), lambda: Load("x", -1.0), lambda: Body("s", Role.SOURCE)):
        with pytest.raises(ValueError, match="allowed"):
            wrong()


@pytest.mark.requirement("DOCK-13")
def test_the_least_important_is_shed_first_and_only_where_it_helps():
    near = relay("near", Load("radar", 18.0, priority=5))
    far = relay("far", Load("heater", 150.0, 3), Load("computer", 150.0, 0))
    graph = chain(source(power_max=5000.0), relay("middle"), far)
    graph.add(near)
    graph.close(edge("station", "near", ports=("C", "B")))
    flow = graph.flow()
    # 300 W are above 10 A of the far line; the radar is less important, but on a line of its own.
    assert flow.shed == (("far", "heater"),)
    assert flow.served["near", "radar"] == 18.0
    assert flow.served["far", "computer"] == 150.0
    graph.add(source(power_max=100.0))
    assert graph.flow().shed == (("near", "radar"), ("far", "heater"), ("far", "computer"))[1:]
    assert graph.flow().served["near", "radar"] == 18.0  # fits beside nothing more important that would


@pytest.mark.requirement("DOCK-13")
def test_divisible_loads_of_one_priority_get_equal_shares():
    charge = (Load("base", 40.0), Load("charge", 200.0, 4, divisible=True))
    graph = chain(source(power_max=200.0), relay("alpha", *charge), relay("bravo", *charge))
    flow = graph.flow()
    assert flow.served["alpha", "base"] == flow.served["bravo", "base"] == 40.0
    assert flow.served["alpha", "charge"] == pytest.approx(flow.served["bravo", "charge"], rel=1e-9)
    assert flow.supplied["station"] == pytest.approx(200.0, rel=1e-6)


@pytest.mark.requirement("DOCK-14")
def test_taking_an_edge_out_feeds_again_or_sheds_before_it_opens():
    graph = chain(
        source(), relay("alpha", Load("base", 50.0)), relay("bravo", Load("base", 60.0), Load("nbl", 20.0, 2))
    )
    spare = edge("station", "bravo", Profile.DATA, ("B", "A"))
    assert graph.close(spare).accepted
    plan = graph.removal("alpha:A-bravo:B")
    assert (plan.shed, plan.closes) == ((("bravo", "nbl"), ("bravo", "base")), None)
    assert math.isnan(plan.after.volts["bravo"])
    plan = graph.removal("alpha:A-bravo:B", standby=(spare,))
    assert plan.closes == edge("station", "bravo", Profile.FULL, ("B", "A"))
    assert plan.after.served["bravo", "base"] == 60.0
    assert plan.after.depth["bravo"] == 1
    # With the loads of the plan off, the edge carries nothing.
    graph.add(relay("bravo"))
    assert graph.flow().currents["alpha:A-bravo:B"] == pytest.approx(0.0, abs=1e-9)
    assert graph.open("alpha:A-bravo:B").accepted
    assert graph.close(plan.closes).accepted
    assert graph.removal(spare.name).edge.name == spare.name
    with pytest.raises(KeyError, match="allowed"):
        graph.removal("alpha:A-bravo:B")


class Network(RuleBasedStateMachine):
    """Bodies and edges come and go in any order."""

    names = st.sampled_from(["a", "b", "c", "d", "e", "f"])
    ports = st.sampled_from("ABC")

    def __init__(self):
        super().__init__()
        self.graph = BridgeGraph.of(VEHICLE)

    @initialize(powers=st.lists(st.floats(0.0, 200.0), min_size=8, max_size=8), limit=st.sampled_from([250.0, 2000.0]))
    def start(self, powers, limit):
        """A chain of four."""
        self.graph.add(source("a", power_max=limit))
        for i, name in enumerate("bcd"):
            loads = (Load("load_0", powers[2 * i], i), Load("load_1", powers[2 * i + 1], 2, divisible=i == 1))
            self.graph.add(relay(name, *loads))
            assert self.graph.close(edge("abc"[i], name)).accepted

    @rule(
        name=names,
        role=st.sampled_from(Role),
        loads=st.lists(st.tuples(watts, st.integers(0, 3), st.booleans()), max_size=2),
        power=st.sampled_from([80.0, 250.0, math.inf]),
    )
    def add(self, name, role, loads, power):
        made = tuple(Load(f"load_{i}", *load) for i, load in enumerate(loads))
        self.graph.add(Body(name, role, made, volts=28.0, power_max=power))

    @rule(a=names, b=names, ports=st.tuples(ports, ports), profile=st.sampled_from(Profile))
    def close(self, a, b, ports, profile):
        if a != b:
            self.graph.close(edge(a, b, profile, ports))

    @rule(a=names, b=names)
    def close_over_free_ports(self, a, b):
        taken = {end for one in self.graph.edges.values() for end in ((one.a, one.a_port), (one.b, one.b_port))}
        free = [[port for port in "ABC" if (name, port) not in taken] for name in (a, b)]
        if a != b and all(free):
            self.graph.close(edge(a, b, ports=(free[0][0], free[1][0])))

    @rule(a=names, profile=st.sampled_from(Profile))
    def cascade(self, a, profile):
        fed = [name for name in sorted(self.graph.bodies) if name != a]
        for name in fed:
            for ports in (("A", "B"), ("B", "A"), ("C", "C")):
                if self.graph.close(edge(name, a, profile, ports)).accepted:
                    return

    @rule(data=st.data())
    def open(self, data):
        if self.graph.edges:
            self.graph.open(data.draw(st.sampled_from(sorted(self.graph.edges))))

    @invariant()
    def power_has_no_loop_and_one_source_in_an_island(self):
        roots = {name: name for name in self.graph.bodies}

        def root(name):
            return name if roots[name] == name else root(roots[name])

        for one in self.graph.edges.values():
            if one.has_power:
                assert root(one.a) != root(one.b)
                roots[root(one.a)] = root(one.b)
        sources = [root(name) for name, body in self.graph.bodies.items() if body.role is Role.SOURCE]
        assert len(set(sources)) == len(sources)

    @invariant()
    def data_is_forwarded_along_a_tree_that_reaches_everyone(self):
        groups = {name: {name} for name in self.graph.bodies}
        tree = self.graph.data_tree()
        for one in self.graph.edges.values():
            if one.name in tree:
                assert groups[one.a] is not groups[one.b]
                joined = groups[one.a] | groups[one.b]
                groups.update(dict.fromkeys(joined, joined))
        for one in self.graph.edges.values():
            assert not one.has_data or groups[one.a] is groups[one.b]

    @invariant()
    def power_balances_within_every_limit(self):
        graph, flow = self.graph, self.graph.flow()
        for name, current in flow.currents.items():
            assert current + 1e-9 >= 0.0
            assert current <= 10.0 * (1.0 + 1e-6)
            if name in flow.toward:
                far = flow.toward[name]
                drop = flow.volts[graph.edges[name].other(far)] - flow.volts[far]
                assert drop == pytest.approx(OHM * current, abs=1e-9)
        for name, volts in flow.volts.items():
            assert math.isnan(volts) == (name not in flow.depth)
            assert math.isnan(volts) or volts >= 22.0 * (1.0 - 1e-6)
        for (name, load), power in flow.served.items():
            wanted = next(one.watts for one in graph.bodies[name].loads if one.name == load)
            assert -1e-12 <= power <= wanted
            assert power == wanted or (name, load) in flow.shed or name not in flow.depth
        assert max(flow.depth.values(), default=0) <= 4
        assert sum(flow.supplied.values()) == pytest.approx(
            sum(flow.served.values()) + sum(flow.losses.values()), abs=1e-6
        )
        for cut in flow.shed:
            self.fits_nowhere(flow, cut)
        for name, power in flow.supplied.items():
            assert power <= graph.bodies[name].power_max * (1.0 + 1e-6)

    def fits_nowhere(self, flow, cut):
        """The load that was cut does not fit beside the loads that are served."""
        loads = {load.name: load for load in self.graph.bodies[cut[0]].loads}
        if loads[cut[1]].divisible:
            return
        trial = BridgeGraph.of(VEHICLE)
        for body in self.graph.bodies.values():
            served = [(load, (body.name, load.name)) for load in body.loads]
            fixed = (Load(load.name, load.watts if key == cut else flow.served[key]) for load, key in served)
            trial.add(Body(body.name, body.role, tuple(fixed), body.volts, body.power_max))
        for one in self.graph.edges.values():
            trial.close(one)
        assert trial.flow().shed


Network.TestCase.settings = settings(stateful_step_count=20)
TestNetwork = pytest.mark.requirement("DOCK-12")(Network.TestCase)
