"""Docking cores that are replaced or end while a bot flies: it resumes or aborts safely, and is reported."""

import pytest
from docked import bot, loop, scenario
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qiki_docking import Phase

pytestmark = [pytest.mark.requirement("DOCK-8"), pytest.mark.requirement("DOCK-18")]

ENDS = (Phase.BRIDGE, Phase.FREE, Phase.FAULT)
WAY = ("settle", "close", "damp", "lock")


def safe(docking):
    """No contact outside of the ports' collars, and every port contact within the box."""
    kinds = [kind for _, kind, _ in docking.loop.world.docking.take_occurrences()]
    assert not {"collision", "hot_break", "latch_broken"} & set(kinds), kinds
    for judged in docking.of("alpha", "docking.contact_judged"):
        assert judged["inside"], judged["text"]


def begun(folder):
    docking = loop(scenario(folder, [bot("alpha", (0.02, 0.0, 8.4))]))
    assert docking.cores["alpha"].dock("station", "A", "B", now=docking.now).accepted
    return docking


def step(docking):
    return docking.cores["alpha"].state.step


def ended(docking, longest=900.0):
    docking.loop.run_until(lambda: docking.cores["alpha"].phase in ENDS, longest)
    safe(docking)
    (report,) = docking.of("alpha", "docking.ended")
    started = next(one.time for one in docking.occurrences["alpha"] if one.type == "docking.started")
    assert report["elapsed"] == pytest.approx(docking.now - started, abs=1.0)
    assert report["propellant_kg"] >= 0.0
    return report


def test_a_restart_while_closing_in_backs_off_and_docks_at_the_next_try(tmp_path):
    restarted(tmp_path, "close", 3.0, "alpha")


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=25, deadline=None)
@given(at=st.sampled_from(WAY), after=st.floats(0.0, 4.0), body=st.sampled_from(["alpha", "station"]))
@example(at="damp", after=0.1, body="alpha")
def test_it_resumes_or_aborts_safely_wherever_it_restarts(tmp_path_factory, at, after, body):
    restarted(tmp_path_factory.mktemp("restart"), at, after, body)


def restarted(folder, at, after, body):
    """A docking in which the core of one body restarts `after` s in a step."""
    docking = begun(folder)
    docking.loop.run_until(lambda: step(docking) == at, 120.0)
    docking.loop.run(after)
    phase = docking.cores[body].phase
    docking.restart(body)
    docking.loop.run(1.0)
    resumed = docking.cores["alpha"].phase
    if body == "alpha" and phase is Phase.ALIGN:
        assert resumed in (Phase.ABORT, Phase.SOFT_DOCK), "nothing closes in blindly"
    assert ended(docking)["outcome"] == "EXECUTED"


def test_a_restart_on_the_way_back_goes_on_backing_off(tmp_path):
    docking = begun(tmp_path)
    docking.loop.run_until(lambda: step(docking) == "close", 120.0)
    docking.loop.run(4.0)
    assert docking.cores["alpha"].cancel(docking.now).accepted
    docking.loop.run(0.5)
    docking.restart("alpha")
    docking.loop.run(1.0)
    assert (docking.cores["alpha"].phase, docking.outputs["alpha"].state.confirmed) == (Phase.ABORT, True)
    report = ended(docking)
    assert (report["outcome"], report["phase"]) == ("CANCELED", "FREE")


@pytest.mark.parametrize("at", ["close", pytest.param("damp", marks=pytest.mark.long)])
def test_a_partner_whose_node_dies_is_left(tmp_path, at):
    docking = begun(tmp_path)
    docking.loop.run_until(lambda: step(docking) == at, 120.0)
    docking.silent.add("station")
    report = ended(docking)
    assert (report["outcome"], report["phase"]) == ("FAILED", "FREE")
    assert docking.cores["alpha"].state.reason.name == "PARTNER_SILENT"
