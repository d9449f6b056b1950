"""Snapshots from the newest data, without a graph."""

from dataclasses import replace
from typing import Any

import pytest

from qiki_console.model.diagnostics import DiagnosticsBook
from qiki_console.model.graph_state import LIMITS, GraphState, Sample
from qiki_console.model.snapshot import MISSING, NO_ANSWER, UNKNOWN, Freshness

NODES = {"/qiki/sim": "active", "/alpha/allocator": "active"}


def sample(value: Any, stamp: float, received: float) -> Sample:
    return Sample(received, lambda: (value, stamp))


def full() -> GraphState:
    """A graph of one bot, with all its data at 50 s of simulated and 1000 s of wall time."""
    state = GraphState(begun=999.0, wanted=tuple(NODES), bots=["alpha"], states=dict(NODES))
    state.clock, state.clocks = sample(None, 50.0, 1000.0), ("/qiki/sim",)
    state.published = frozenset(("alpha", name) for name in LIMITS)
    state.diagnosing = frozenset(NODES)
    state.diagnostics.note("qiki/sim: simulation", 0, "running", {"real_time_factor": "0.5"}, 1000.0)
    state.diagnostics.note("alpha/allocator: solver", 0, "fine", {}, 1000.0)
    for name in LIMITS:
        state.samples["alpha", name] = sample(name, 50.0, 1000.0)
    return state


def test_a_graph_with_all_data_is_whole_and_needs_no_more_waiting() -> None:
    state = full()
    assert state.settled(1000.1)
    snapshot = state.snapshot(1000.1)
    assert snapshot.whole
    assert snapshot.bots[0].lacking(snapshot.now) == []
    assert (snapshot.simulator.time, snapshot.simulator.real_time_factor) == (50.0, 0.5)


def test_each_datum_that_is_missing_is_waited_for_and_leaves_it_not_whole() -> None:
    for name in LIMITS:
        state = full()
        del state.samples["alpha", name]
        assert not state.settled(1000.0)
        snapshot = state.snapshot(1000.0)
        assert not snapshot.whole
        assert snapshot.bots[0].lacking(snapshot.now) == [name]
        # Nothing publishes it, in a run that has no such node: a bot of the world without an allocator.
        state.published -= {("alpha", name)}
        assert state.snapshot(1000.0).whole
        # Without a run file nothing says that it should not be there.
        state.wanted = None
        # But a bot needs no docking node.
        assert state.snapshot(1000.0).whole == (name in ("docking", "bridge"))


def test_a_node_of_the_run_that_is_not_there_is_missing_whatever_its_name() -> None:
    state = full()
    state.wanted = (*NODES, "/qiki/eventstore", "/charlie/docking")
    snapshot = state.snapshot(1000.1)
    assert snapshot.missing == ["/charlie/docking", "/qiki/eventstore"]
    assert not snapshot.whole
    assert not state.settled(1000.1)


def test_without_a_run_a_node_is_wanted_once_its_diagnostics_have_come() -> None:
    state = full()
    state.wanted = None
    del state.states["/alpha/allocator"]  # type: ignore[attr-defined]
    assert state.snapshot(1000.1).nodes["/alpha/allocator"].state == UNKNOWN, "it lives, whatever discovery shows"
    later = state.snapshot(1003.0)
    assert later.missing == ["/alpha/allocator"]


def test_a_node_that_another_stopped_is_not_missed_by_the_run() -> None:
    state = full()
    state.diagnostics.note("tool/probe: x", 0, "fine", {}, 1000.0)
    assert "/tool/probe" in state.snapshot(1000.1).nodes
    assert "/tool/probe" not in state.snapshot(1003.0).nodes


def test_diagnostics_that_have_not_come_are_unknown_and_waited_for() -> None:
    state = full()
    state.wanted = (*NODES, "/bravo/allocator")
    state.states = {**NODES, "/bravo/allocator": "active"}
    state.diagnosing |= {"/bravo/allocator"}
    node = state.snapshot(1000.1).nodes["/bravo/allocator"]
    assert (node.state, node.age, node.silent, node.ready) == ("active", None, True, False)
    assert not state.settled(1000.1)
    state.diagnostics.note("bravo/allocator: thrust", 1, "1 thruster not OK", {}, 1000.2)
    assert state.settled(1000.3)
    assert state.snapshot(1000.3).nodes["/bravo/allocator"].problems == ("thrust: 1 thruster not OK",)


def test_a_frozen_node_is_known_after_two_and_a_half_seconds() -> None:
    state = full()
    state.diagnostics.note("qiki/sim: simulation", 0, "running", {}, 1003.0)
    state.states = {**NODES, "/alpha/allocator": NO_ANSWER}
    snapshot = state.snapshot(1003.0)
    assert not snapshot.whole
    assert (snapshot.nodes["/alpha/allocator"].silent, snapshot.nodes["/qiki/sim"].silent) == (True, False)
    assert state.settled(1003.0), "waiting for more would not help"


@pytest.mark.parametrize(("attribute", "shown"), [("frozen", NO_ANSWER), ("gone", MISSING)])
def test_a_node_whose_process_is_stopped_or_gone_is_known_without_discovery(attribute: str, shown: str) -> None:
    state = full()
    state.diagnostics = DiagnosticsBook()
    state.diagnostics.note("qiki/sim: simulation", 0, "running", {}, 1000.4)
    state.diagnosing = frozenset({"/qiki/sim"})
    state.states = {"/qiki/sim": "active"}
    del state.samples["alpha", "allocation"]
    setattr(state, attribute, frozenset({"/alpha/allocator"}))
    assert not state.settled(1000.4), "data of the others may still come"
    assert state.settled(1000.6)
    node = state.snapshot(1000.6).nodes["/alpha/allocator"]
    assert (node.state, node.ready) == (shown, False)
    assert node.problems == (("process: stopped",) if attribute == "frozen" else ())
    state.states = {**NODES, "/bravo/allocator": None}
    state.diagnosing |= {"/bravo/allocator"}
    assert not state.settled(1000.6), "the diagnostics of the others are waited for"


def test_data_that_an_inactive_node_explains_are_not_waited_for() -> None:
    state = full()
    state.states = {**NODES, "/alpha/allocator": "inactive"}
    del state.samples["alpha", "allocation"]
    assert not state.settled(1000.1)
    assert state.settled(1000.6)
    assert not state.snapshot(1000.6).whole


def test_a_service_that_is_not_discovered_yet_is_not_taken_for_a_node_without_lifecycle() -> None:
    state = full()
    state.states = {**NODES, "/alpha/allocator": None}
    assert state.snapshot(1000.1).nodes["/alpha/allocator"].state == UNKNOWN
    assert not state.settled(1000.1)
    state = replace(state, begun=900.0)
    assert state.snapshot(1000.1).nodes["/alpha/allocator"].state is None


def test_two_clocks_are_named_and_leave_it_not_whole() -> None:
    state = full()
    state.clocks = ("/other/sim", "/qiki/sim")
    assert not state.snapshot(1000.1).whole


@pytest.mark.parametrize("state", [GraphState(), GraphState(wanted=("/qiki/sim",))])
def test_a_graph_without_nodes_is_down(state: GraphState) -> None:
    assert state.snapshot(1.0).down
    assert not state.settled(1.0)
    assert [node.state for node in state.snapshot(1.0).nodes.values()] == [MISSING] * len(state.wanted or ())


def test_a_message_without_a_value_is_an_unknown_datum() -> None:
    state = full()
    state.samples["alpha", "hottest"] = sample(None, 50.0, 1000.0)
    assert state.settled(1000.0)
    assert state.snapshot(1000.0).bots[0].hottest is None


def test_data_are_stale_by_their_limit() -> None:
    state = full()
    state.clock = sample(None, 52.0, 1004.0)
    bot = state.snapshot(1004.0).bots[0]
    stale = {name for name in LIMITS if getattr(bot, name).freshness(state.snapshot(1004.0).now) is Freshness.STALE}
    assert stale == {"motion", "power", "hottest", "thrusters", "allocation", "docking"}


def test_a_replaced_sample_is_never_read() -> None:
    def replaced() -> tuple[Any, float]:
        raise AssertionError("read although it was replaced")

    state = full()
    state.samples["alpha", "mass"] = Sample(999.0, replaced)
    state.samples["alpha", "mass"] = sample(240.0, 50.0, 1000.0)
    mass = state.snapshot(1000.0).bots[0].mass
    assert mass is not None
    assert mass.value == 240.0
