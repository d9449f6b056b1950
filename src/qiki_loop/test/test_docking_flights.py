"""Docking's pilot in the loop: from afar to a contact inside the box, and safe all the way."""

import math

import numpy as np
import pytest
from approaching import RADIUS, Approach
from docked import bot, loop, scenario

pytestmark = pytest.mark.requirement("DOCK-24")

CASES = {
    "from the 5 m hold point, dead thruster": {"place": (0.3, -0.2, 5.2), "fault": ("thruster_stuck_closed", "13")},
    "partner drifts and turns": {"place": (0.2, 0.3, 5.3), "drifting": (0.012, 0.01, -0.01), "turn": (0.07, 0.0, 0.07)},
    "the other port": {"place": (-0.3, 0.3, 5.6), "own": "A", "turned": (4.0, -3.0, 5.0)},
}
MORE = {
    "from 20 m": {"place": (0.5, -0.5, 20.0)},
    "from 20 m, partner drifts and turns": {"drifting": (0.012, 0.01, -0.01), "turn": (0.07, 0.0, 0.07)},
    "from 60 m": {"place": (3.0, 5.0, 60.0), "turned": (60.0, 30.0, 20.0)},
    "from beside": {"place": (40.0, 5.0, -10.0), "turned": (10.0, 20.0, 90.0)},
    "from behind": {"place": (10.0, 5.0, -60.0), "turned": (60.0, 30.0, 20.0), "own": "A"},
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
def test_the_pilot_docks_gently_and_safely(tmp_path, case):
    # Seed 17 has a pulse across the corridor that turns the drift cone towards the hull by the most.
    check(tmp_path, 17 if case == "the other port" else 1, CASES[case])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", [*CASES, *MORE])
def test_each_kind_of_approach_from_several_seeds(tmp_path, case):
    for seed in range(10, 13 if case in MORE else 18):
        options = dict((CASES | MORE)[case])
        if "fault" in options:
            options["fault"] = ("thruster_stuck_closed", str(seed * 5 % 16))
        check(tmp_path, seed, options)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_from_behind_the_station_the_cameras_find_the_way_around_it_to_the_port_in_front(tmp_path):
    docking = loop(scenario(tmp_path, [bot("alpha", (6.0, 4.0, -40.0))]))
    core, world, nearest = docking.cores["alpha"], docking.loop.world, math.inf
    assert core.dock("station", "A", "B", now=docking.now).accepted

    def captured():
        nonlocal nearest
        place = world.motion("alpha").position - world.motion("station").position
        if place[2] < 6.15 or math.hypot(*place[:2]) > 4.0:
            nearest = min(nearest, float(np.linalg.norm(place)))
        return core.phase in ("HARD_DOCK", "FREE", "FAULT")

    docking.loop.run_until(captured, 900.0)
    assert core.phase == "HARD_DOCK"
    assert nearest > RADIUS + 1.4 + 2.0, "it keeps out of the hull's surroundings"
    for judged in docking.of("alpha", "docking.contact_judged"):
        assert min(judged["margins"].values()) > 0.0, "a contact outside of the box"


def check(folder, seed, options):
    approach = Approach(folder, seed, **options)
    record = approach.fly()
    print(seed, options, record)
    assert record.contact is not None, f"no contact: {record.reasons}"
    assert approach.judged().inside, approach.judged()
    assert record.outside == 0, "the corridor is kept"
    assert record.braking >= 0.0, "it can always stop before the reserve"
    assert record.line > 0.0, "without thrust it misses the hull, in each cycle"
    assert record.passive > 0.0, "so does the drift cone of what navigation knows"
    assert record.at_two <= approach.vehicle.docking.contact_box.closing_max, "slow before braking blows at the partner"
    assert record.nearest > RADIUS + 1.4 + 2.0, "it keeps out of the hull's surroundings"
    assert record.fastest < 0.22
    assert not approach.loop.links["alpha"].refusals
