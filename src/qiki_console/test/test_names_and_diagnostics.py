"""Bots by the names of topics; the simulator's values in /diagnostics."""

from qiki_console.model.diagnostics import DiagnosticsBook
from qiki_console.model.names import absolute, bots_of, is_plumbing


def test_bots_are_namespaces_with_thrusters_or_a_wrench() -> None:
    topics = ["/alpha/odom", "/alpha/cmd_wrench", "/bravo/thruster_state", "/station/odom", "/clock", "/a/b/cmd_wrench"]
    assert bots_of(topics) == ["alpha", "bravo"]


def test_plumbing_is_not_taken_for_the_project() -> None:
    assert is_plumbing("/rosout")
    assert is_plumbing("/alpha/allocator/transition_event")
    assert is_plumbing("/alpha/_hidden/x")
    assert not is_plumbing("/alpha/odom")
    assert absolute("alpha/odom") == absolute("/alpha/odom") == "/alpha/odom"


def test_the_simulators_values_are_read_while_they_are_fresh() -> None:
    book = DiagnosticsBook()
    values = {"time": "12.5", "real_time_factor": "0.97", "scenario": "station", "paused": "True"}
    book.note("qiki/sim: simulation", 2, "/clock is published by /player too", values, 100.0)
    found = book.simulator(101.0)
    assert (found.time, found.real_time_factor, found.paused, found.scenario) == (12.5, 0.97, True, "station")
    old = book.simulator(200.0)
    assert (old.time, old.real_time_factor, old.paused) == (None, None, None)


def test_what_cannot_be_read_is_not_known() -> None:
    book = DiagnosticsBook()
    book.note("qiki/sim: simulation", 0, "", {"time": "soon"}, 100.0)
    found = book.simulator(100.0)
    assert (found.time, found.paused, found.real_time_factor) == (None, None, None)


def test_problems_are_the_components_that_are_not_ok() -> None:
    book = DiagnosticsBook()
    book.note("alpha/allocator: lifecycle", 2, "cannot configure: vehicle", {}, 100.0)
    book.note("alpha/allocator: solver", 0, "fine", {}, 100.0)
    assert book.problems("/alpha/allocator") == ("lifecycle: cannot configure: vehicle",)
    assert book.age("/alpha/allocator", 130.0) == 30.0
    assert (book.problems("/qiki/sim"), book.age("/qiki/sim", 101.0)) == ((), None)
    assert book.nodes == {"/alpha/allocator"}
    book.note("alpha/allocator: solver", 0, "fine", {}, 110.0)
    assert book.problems("/alpha/allocator") == (), "not a component of its newest diagnostics"
