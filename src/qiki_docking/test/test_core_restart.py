"""A docking core that is replaced in the middle: it goes on as the sensors show, and power stays as it was."""

import pytest
from rig import Rig
from test_core import CHAIN, bridged, docked, pair

from qiki_docking import Drive, Phase
from qiki_docking.bridge import EdgeState

pytestmark = pytest.mark.requirement("DOCK-8")

STEPS = ("lock", "pull", "electrical", "umbilical", "handshake", "passport", "clearance", "close")


def steps(rig, count):
    for _ in range(count):
        rig.step()
    return rig


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["alpha", "station"])
def test_hard_docking_goes_on(step, name):
    rig = pair()
    assert rig.cores["alpha"].dock("station", "A", "B", now=rig.now).accepted
    rig.run(lambda rig: rig.cores["alpha"].state.step == step)
    rig.step()
    rig.restart(name)
    rig.run(lambda rig: rig.cores["alpha"].phase is not Phase.HARD_DOCK)
    assert rig.cores["alpha"].phase is Phase.BRIDGE, rig.cores["alpha"].state
    assert len({event["docking_id"] for event in rig.of("alpha", "docking.check_passed")}) == 1
    (ended,) = rig.of("alpha", "docking.ended")
    (started,) = rig.of("alpha", "docking.started")
    assert (ended["outcome"], ended["tries"], ended["docking_id"]) == ("EXECUTED", 1, started["docking_id"])
    begun = next(one.time for one in rig.occurrences["alpha"] if one.type == "docking.started")
    assert ended["elapsed"] == pytest.approx(rig.now - begun, abs=0.25), "the time before the restart counts"


@pytest.mark.parametrize("name", ["alpha", "station"])
def test_power_stays_as_it_was(name):
    rig = bridged()
    steps(rig, 20)
    current = rig.joints[0].current
    rig.restart(name)
    for _ in range(30):
        rig.step()
        assert rig.joints[0].main
        assert rig.joints[0].current == pytest.approx(current, rel=1e-6)
    assert rig.cores["alpha"].phase is Phase.BRIDGE
    assert rig.outputs["alpha"].bridge.edges[0].state is EdgeState.CLOSED
    assert rig.outputs["station"].state.offer("A").holder == "alpha"
    assert rig.cores["alpha"].undock(rig.now).accepted
    rig.run(lambda rig: rig.cores["alpha"].state.step == "push_off")


def test_before_the_sensors_confirm_nothing_is_commanded():
    rig = bridged()
    rig.restart("alpha")
    rig.faults["alpha", "B"] = {"contacts_closed": None, "latch_1": None}
    steps(rig, 20)
    assert not rig.outputs["alpha"].state.confirmed
    (command,) = rig.outputs["alpha"].command.ports
    assert (command.capture, command.latch, command.main, command.current_limit, command.data) == (None,) * 5
    assert rig.outputs["alpha"].command.draw is None
    assert rig.cores["alpha"]._own.request.contacts is Drive.KEEP
    rig.run(lambda rig: rig.cores["alpha"].phase is Phase.FAULT)
    assert rig.joints[0].main


@pytest.mark.parametrize("step", ["power_down", "open", "unlock"])
def test_undocking_goes_on(step):
    rig = bridged()
    rig.cores["alpha"].undock(rig.now)
    rig.run(lambda rig: rig.cores["alpha"].state.step == step)
    rig.step()
    rig.restart("alpha")
    rig.run(lambda rig: rig.cores["alpha"].state.step == "push_off")
    assert not rig.joints[0].main


def test_a_free_body_needs_no_confirmation_and_a_chain_survives_its_middle():
    rig = Rig(*CHAIN)
    steps(rig, 8)
    docked(rig, "alpha", "bravo")
    docked(rig, "charlie", "alpha")
    steps(rig, 30)
    before = [joint.current for joint in rig.joints]
    rig.restart("bravo")
    rig.restart("alpha")
    for _ in range(30):
        rig.step()
        assert [joint.current for joint in rig.joints] == pytest.approx(before, rel=1e-6)
    assert rig.outputs["bravo"].state.confirmed
    assert rig.cores["charlie"].undock(rig.now).accepted
    rig.run(lambda rig: rig.cores["charlie"].state.step == "push_off")
    assert rig.joints[0].main
