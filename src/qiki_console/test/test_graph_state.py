"""Snapshots from the newest data, without a graph."""

from typing import Any

from qiki_console.model.graph_state import LIMITS, NO_ANSWER, GraphState, Sample
from qiki_console.model.snapshot import Freshness


def sample(value: Any, stamp: float, received: float) -> Sample:
    return Sample(received, lambda: (value, stamp))


def full() -> GraphState:
    """A graph of one bot, with all its data at 50 s of simulated and 1000 s of wall time."""
    state = GraphState(bots=["alpha"], states={"/qiki/sim": "active", "/alpha/allocator": "active"})
    state.clock = sample(None, 50.0, 1000.0)
    state.diagnostics.note("qiki/sim: simulation", 0, "running", {"real_time_factor": "0.5"}, 1000.0)
    for name in LIMITS:
        state.samples["alpha", name] = sample(name, 50.0, 1000.0)
    return state


def test_a_graph_with_all_data_is_complete() -> None:
    state = full()
    assert state.reported
    assert state.complete(1000.1)
    snapshot = state.snapshot(1000.1)
    assert snapshot.whole
    assert snapshot.bots[0].complete
    assert (snapshot.simulator.time, snapshot.simulator.real_time_factor) == (50.0, 0.5)


def test_each_part_that_is_missing_leaves_it_incomplete() -> None:
    for name in LIMITS:
        state = full()
        del state.samples["alpha", name]
        assert not state.complete(1000.0)
        assert getattr(state.snapshot(1000.0).bots[0], name) is None
    for states in ({}, {"/qiki/sim": "active"}, {"/qiki/sim": NO_ANSWER, "/alpha/allocator": "active"}):
        state = full()
        state.states = states
        assert not state.complete(1000.0)
    assert not GraphState().complete(1000.0)


def test_a_message_without_a_value_is_an_unknown_datum() -> None:
    state = full()
    state.samples["alpha", "hottest"] = sample(None, 50.0, 1000.0)
    assert state.complete(1000.0)
    assert state.snapshot(1000.0).bots[0].hottest is None


def test_data_are_stale_by_their_limit() -> None:
    state = full()
    state.clock = sample(None, 52.0, 1004.0)
    bot = state.snapshot(1004.0).bots[0]
    stale = {name for name in LIMITS if getattr(bot, name).freshness(state.snapshot(1004.0).now) is Freshness.STALE}
    assert stale == {"motion", "power", "hottest", "thrusters", "allocation"}


def test_a_replaced_sample_is_never_read() -> None:
    def replaced() -> tuple[Any, float]:
        raise AssertionError("read although it was replaced")

    state = full()
    state.samples["alpha", "mass"] = Sample(999.0, replaced)
    assert state.reported
    state.samples["alpha", "mass"] = sample(240.0, 50.0, 1000.0)
    mass = state.snapshot(1000.0).bots[0].mass
    assert mass is not None
    assert mass.value == 240.0
