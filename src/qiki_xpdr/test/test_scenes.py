"""The scenario library of benchmarks/spoofing.py at small size, and scenarios that need keys and modes."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from air import VEHICLE, friend, keys, observer, timed
from test_guard import RULES
from test_watch import FRIEND, Scene

from qiki_xpdr import Allegiance, GuardTable, Mode, Motion, SpoofState, Transponder, Watch

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from spoofing import WITHIN, run
from spoofing_library import ATTACKS, BENIGN

GROSS = {name: scenario for name, scenario in ATTACKS.items() if scenario.gross}
TRIALS, ONSET = 16, 2.0
BODY = (0.0, 300.0, 30.0)


def soon(scenario):
    """The scenario with an early onset."""
    options = scenario.options | ({"onset": ONSET} if "onset" in scenario.options else {})
    return replace(scenario, onset=ONSET, options=options)


@pytest.mark.requirement("XPDR-90")
@pytest.mark.parametrize("name", GROSS)
def test_each_gross_attack_of_the_library_is_a_spoof_within_two_seconds(name):
    scenario = soon(GROSS[name])
    made = run(5, TRIALS, scenario, length=ONSET + scenario.begins + WITHIN + 0.3)
    delay = made.first - made.begins
    assert (delay >= 0.0).all()
    assert np.sort(delay)[-2] <= WITHIN  # one in a hundred may be later


@pytest.mark.requirement("XPDR-91")
@pytest.mark.parametrize("name", BENIGN)
def test_no_benign_scenario_of_the_library_is_a_spoof(name):
    made = run(6, TRIALS, soon(BENIGN[name]), length=6.0)
    assert made.worst.max() < SpoofState.SPOOF
    assert {SpoofState.TRUSTED, SpoofState.UNVERIFIED, SpoofState.SUSPECT} >= set(made.last.tolist())


@pytest.mark.requirement("XPDR-91")
def test_a_mode_that_chatters_is_no_spoof():
    scene, xpdr, states = Scene(11), friend(), set()
    for mode in (Mode.ON, Mode.SILENT, Mode.ON, Mode.OFF) * 2:
        xpdr.set_mode(mode, "operator", "chatter", scene.now)
        scene.run(0.7, [(BODY, (1.0, 0.0, 0.0), xpdr)])
        states |= set(scene.watch.monitor.states.values())
    assert SpoofState.SPOOF not in states
    assert scene.alerts == []


@pytest.mark.requirement("XPDR-90")
@pytest.mark.parametrize("span", [(0.0, 90.0), (200.0, 300.0)])
def test_an_expired_key_and_one_not_valid_yet_fall(span):
    own = timed("old", span)
    scene = Scene(12)
    scene.watch = Watch(VEHICLE, observer(own), GuardTable(RULES))
    bare = keys("old 0")  # signs without a look at its own times
    scene.run(3.5, [(BODY, (1.0, 0.0, 0.0), friend(bare))])
    _, known = scene.at((3.5, 300.0, 30.0))
    assert (known.identity, known.spoof, known.standing.result) == (own.identity, SpoofState.SPOOF, Allegiance.FOE)


@pytest.mark.requirement("XPDR-90")
def test_jam_then_spoof():
    """The friend is jammed; when the air is clear again its id comes from another body, elsewhere."""
    scene, xpdr = Scene(13), friend()
    here, there = (BODY, (1.0, 0.0, 0.0)), ((0.0, -400.0, 20.0), (0.0, 0.0, 0.0))
    scene.run(2.5, [(*here, xpdr), (*there, None)])
    number, known = scene.at((2.5, 300.0, 30.0))
    assert known.spoof is SpoofState.TRUSTED
    scene.run(5.2, [(*here, None), (*there, None)])
    assert scene.watch.monitor.state(number, FRIEND) is SpoofState.UNVERIFIED
    clone = Transponder(VEHICLE.transponder, FRIEND, mode=Mode.ON)

    def elsewhere(receptions):
        """The clone claims the place of the friend."""
        del receptions
        claim = Motion((scene.now - 100.0, 300.0, 30.0), (1.0, 0.0, 0.0))
        return scene.heard(clone.frames(claim, scene.now), there[0])

    scene.run(2.0, [(*here, None), (*there, None)], each=elsewhere)
    _, fallen = scene.at(there[0])
    assert (fallen.identity, fallen.spoof) == (FRIEND, SpoofState.SPOOF)
    assert scene.watch.monitor.state(number, FRIEND) is SpoofState.UNVERIFIED
