"""A bridge is taken out while another one can feed: it takes over before the contacts open; else loads go off first."""

import math

import pytest
from docked import bot, loop, scenario, until

from qiki_docking import Profile
from qiki_docking.bridge import Role

pytestmark = pytest.mark.requirement("DOCK-14")


def start(tmp_path, bots, joints, station=True, **options):
    path = scenario(tmp_path, [bot(name) for name in bots], station=station, docked=joints)
    return loop(path, options={name: {"role": Role.SOURCE} for name in options["sources"]})


def dock(docking, active, passive, profile=Profile.FULL):
    answer = docking.cores[active].dock(passive, "A", "B", profile, now=docking.now)
    assert answer.accepted, answer
    until(docking, active, "BRIDGE", "UNDOCKING")
    assert docking.cores[active].phase == "BRIDGE", docking.cores[active].state
    docking.loop.run(3.0)


def power(docking, body):
    """W that a body takes from the bridges, in the twin."""
    return docking.loop.world.docking.of(body).power


def least(docking, bodies, until, longest=25.0):
    """Least W that bodies take until something holds."""
    found, end = dict.fromkeys(bodies, math.inf), docking.now + longest
    while not until():
        assert docking.now < end, {
            body: (core.state.step, core.state.reason, docking.outputs[body].bridge.edges)
            for body, core in docking.cores.items()
        }
        docking.loop.run(0.1)
        found = {body: min(found[body], power(docking, body)) for body in bodies}
    return found


def edge(docking, body, partner):
    return next(one for one in docking.outputs[body].bridge.edges if one.partner == partner)


def states(docking, body, count):
    return [one["state"] for one in docking.of(body, "bridge.edge_changed")][-count:]


def broken(docking):
    return [kind for _, kind, _ in docking.loop.world.docking.take_occurrences() if kind == "hot_break"]


OPENED = ["HANDOVER", "POWER_DOWN", "OPENING", "OPEN"]


def test_another_source_takes_over_at_either_end_of_a_chain_and_back(tmp_path):
    joints = [("alpha", "B", "station", "A"), ("charlie", "B", "alpha", "A"), ("delta", "B", "charlie", "A")]
    docking = start(tmp_path, ("alpha", "charlie", "delta"), joints, sources=("delta",))
    dock(docking, "alpha", "station")
    dock(docking, "charlie", "alpha")
    dock(docking, "delta", "charlie", Profile.DATA)
    fed = ("alpha", "charlie")
    before = {body: power(docking, body) for body in fed}
    assert min(before.values()) > 50.0
    assert edge(docking, "charlie", "alpha").current > 1.0
    # The station's bridge becomes one of data: delta feeds charlie, and alpha through it.
    assert docking.cores["alpha"].set_bridge(docking.now, port="B", profile=Profile.DATA).accepted
    kept = least(docking, fed, lambda: states(docking, "alpha", 1) == ["OPEN"])
    assert kept == pytest.approx(before, rel=0.01)
    assert states(docking, "alpha", 4) == OPENED
    docking.loop.run(1.0)
    assert [docking.outputs[body].bridge.source for body in fed] == ["delta", "delta"]
    assert edge(docking, "charlie", "alpha").current < -1.0
    assert docking.cores["delta"].state.order.profile is Profile.FULL
    assert docking.cores["delta"].state.reason.name == "TAKES_OVER"
    # And back, as delta undocks.
    assert docking.cores["delta"].undock(docking.now).accepted
    kept = least(docking, fed, lambda: docking.cores["delta"].state.step == "unlock")
    assert kept == pytest.approx(before, rel=0.01)
    assert states(docking, "delta", 4) == OPENED
    docking.loop.run(1.0)
    assert [docking.outputs[body].bridge.source for body in fed] == ["station", "station"]
    assert not broken(docking)
    assert docking.cores["charlie"].phase == "BRIDGE"


def test_without_another_source_loads_go_off_first_and_the_chain_behind_is_charged_as_one(tmp_path):
    joints = [("alpha", "B", "bravo", "A"), ("charlie", "B", "alpha", "A")]
    docking = start(tmp_path, ("alpha", "bravo", "charlie"), joints, station=False, sources=("bravo",))
    dock(docking, "alpha", "bravo")
    dock(docking, "charlie", "alpha")
    before = {body: power(docking, body) for body in ("alpha", "charlie")}
    assert docking.cores["alpha"].set_bridge(docking.now, port="B", profile=Profile.DATA).accepted
    least(docking, (), lambda: states(docking, "alpha", 1) == ["OPEN"])
    assert states(docking, "alpha", 3) == ["POWER_DOWN", "OPENING", "OPEN"]
    docking.loop.run(5.0)
    assert [docking.outputs[body].command.draw for body in before] == [0.0, 0.0]
    # Low volts without a source are no fault: the bridge behind stays closed, and its capacitors are charged together.
    assert docking.cores["charlie"].phase == "BRIDGE"
    assert docking.loop.world.docking.power.volts_of("charlie") < 0.1
    assert docking.cores["alpha"].set_bridge(docking.now, port="B", profile=Profile.FULL).accepted
    least(docking, (), lambda: states(docking, "alpha", 1) in (["CLOSED"], ["FAULT"]))
    assert states(docking, "alpha", 4) == ["GROUND", "PRECHARGE", "SOFT_START", "CLOSED"]
    docking.loop.run(3.0)
    assert {body: power(docking, body) for body in before} == pytest.approx(before, rel=0.01)
    assert not broken(docking)


def test_a_source_that_fails_is_replaced(tmp_path):
    joints = [("alpha", "B", "bravo", "A"), ("delta", "B", "alpha", "A")]
    docking = start(tmp_path, ("alpha", "bravo", "delta"), joints, station=False, sources=("bravo", "delta"))
    dock(docking, "alpha", "bravo")
    dock(docking, "delta", "alpha", Profile.DATA)
    before = power(docking, "alpha")
    docking.loop.world.inject_fault("bravo", "converter_dead", "dock")
    until(docking, "alpha", "FAULT", longest=5.0)
    docking.loop.run(8.0)
    assert docking.outputs["alpha"].bridge.source == "delta"
    assert power(docking, "alpha") == pytest.approx(before, rel=0.01)
