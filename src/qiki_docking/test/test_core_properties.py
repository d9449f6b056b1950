"""Two docking cores whose messages are late, out of order or lost: contacts never close without all checks."""

import random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_core import lying, offering, pair

from qiki_docking import Phase
from qiki_docking.checks import CHECK_NAMES

pytestmark = pytest.mark.requirement("DOCK-17")

BROKEN = {
    "none": id,
    "identity": lambda rig: lying(rig, identity="mallory"),
    "limits": lambda rig: lying(rig, volts_max=20.0),
    "nonce": lambda rig: offering(rig, echo="00"),
    "phase": lambda rig: offering(rig, phase=Phase.ALIGN),
    "profile": lambda rig: offering(rig, profile_allowed=False),
    "clearance": lambda rig: offering(rig, power_cleared=False),
    "umbilical": lambda rig: rig.faults.update({("alpha", "B"): {"umbilical": False}}),
    "isolation": lambda rig: rig.faults.update({("alpha", "B"): {"isolation": 10.0}}),
    "latch": lambda rig: rig.faults.update({("alpha", "B"): {"latch_2": False}}),
    "slip": lambda rig: rig.faults.update({("alpha", "B"): {"slip_1": 0.01}}),
}


@settings(max_examples=20, deadline=None)
@given(
    broken=st.sampled_from(sorted(BROKEN)),
    post=st.tuples(st.floats(0.0, 0.8), st.lists(st.floats(0.0, 3.0), min_size=1, max_size=4), st.integers(0, 999)),
    restarts=st.lists(st.tuples(st.integers(0, 250), st.sampled_from(["alpha", "station"])), max_size=2),
    silences=st.lists(st.tuples(st.integers(0, 250), st.integers(1, 80)), max_size=2),
)
def test_contacts_never_close_without_all_checks(broken, post, restarts, silences):
    loss, delays, seed = post
    rig = pair()
    generator = random.Random(seed)
    rig.delay, rig.loss = lambda: generator.choice(delays), loss
    rig.cores["alpha"].dock("station", "A", "B", now=rig.now)
    BROKEN[broken](rig)
    joint, core, phase = rig.joints[0], rig.cores["alpha"], Phase.FREE
    closed = False
    for count in range(300):
        rig.silent = {"station"} if any(begin <= count < begin + length for begin, length in silences) else set()
        for at, name in restarts:
            if at == count:
                rig.restart(name)
                BROKEN[broken](rig)
        before = joint.main
        rig.step()
        core = rig.cores["alpha"]
        phase = core.phase
        if (joint.main or joint.precharge) and not closed:
            closed = True
            assert core.state.passed == CHECK_NAMES
            assert broken == "none"
            assert joint.latch == 1.0
        closed = joint.main or joint.precharge
        # That of this step, through contacts that were still closed.
        assert not (before and not joint.main and abs(joint.current) > 0.1), "contacts opened under current"
        assert not (joint.main and joint.latch < 1.0), "unlocked with closed contacts"
    event(f"{broken} ends in {phase}")
    # Without any loss and with messages in time it ends bridged.
    if broken == "none" and loss == 0.0 and max(delays) < 0.3 and not restarts and not silences:
        assert phase is Phase.BRIDGE
