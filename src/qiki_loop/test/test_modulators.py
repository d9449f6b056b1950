"""Flights with the other modulators, side by side."""

import math

import pytest
from flying import start, translate

from qiki_allocator.health.table import Condition

pytestmark = pytest.mark.requirement("ALLOC-13")

MODULATORS = {"alpha": "pwpf", "bravo": "bang_bang"}
TILT = {"alpha": 8.0, "bravo": 3.0}
"""deg, of the limit cycle of the attitude, at most: PWPF opens no valve for less than a tenth of its thrust."""


@pytest.fixture
def pilots(scenario):
    return start(scenario, **MODULATORS)


def translate_steadily(pilots, fault=None):
    translate(*pilots, fault=fault)
    for pilot in pilots:
        assert pilot.worst_tilt < TILT[pilot.bot]


def test_a_translation_of_10_metres_with_attitude_held(pilots):
    translate_steadily(pilots)
    for pilot in pilots:
        assert set(pilot.conditions) == {Condition.OK}, "nothing is wrong with any thruster"


@pytest.mark.parametrize(
    ("kind", "thruster", "condition"),
    [("thruster_stuck_closed", 4, Condition.DEAD), ("thruster_stuck_open", 12, Condition.STUCK_OPEN)],
)
def test_a_translation_with_a_fault(pilots, kind, thruster, condition):
    translate_steadily(pilots, fault=(kind, str(thruster)))
    for pilot in pilots:
        assert pilot.conditions[thruster] is condition


def test_a_slew_of_90_degrees_ends_in_a_limit_cycle(pilots):
    for pilot in pilots:
        pilot.hold(0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
        assert pilot.tilt > 80.0
    for pilot in pilots:
        seconds = pilot.wait(lambda pilot=pilot: pilot.tilt < TILT[pilot.bot] and pilot.rate < 2.0)
        assert seconds < 40.0
    loop = pilots[0].loop
    begun, worst = loop.time, dict.fromkeys(MODULATORS, 0.0)
    while loop.time - begun < 20.0:
        loop.step()
        for pilot in pilots:
            worst[pilot.bot] = max(worst[pilot.bot], pilot.tilt)
    for pilot in pilots:
        pilot.figures(limit_cycle_deg=round(worst[pilot.bot], 2))
        pilot.check_limits()
        assert worst[pilot.bot] < TILT[pilot.bot]
