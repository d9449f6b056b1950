"""Whole manoeuvres: slews and translations, also with faults and with power falling away."""

import math

import numpy as np
import pytest
from flying import start, translate

from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.table import Condition
from qiki_loop import ClosedLoop

pytestmark = pytest.mark.requirement("ALLOC-13")


@pytest.fixture
def alpha(scenario):
    return start(scenario, alpha="pulse_width")[0]


def test_a_translation_while_the_power_falls_to_hold(scenario_of):
    """Bravo's supercapacitor begins little above T_boost, and the acceleration draws it down."""
    (bravo,) = start(scenario_of(soc_of_bravo=0.62), bravo="pulse_width")
    bravo.largest_force, bravo.cruise = 700.0, 1.2
    translate(bravo)
    assert bravo.gates[0] == "BOOST"
    assert "HOLD" in bravo.gates
    assert bravo.worst_tilt < 5.0


def test_a_translation_of_10_metres_with_attitude_held(alpha):
    translate(alpha)
    assert alpha.worst_tilt < 3.0
    assert set(alpha.conditions) == {Condition.OK}, "nothing is wrong with any thruster"


def test_a_translation_with_a_thruster_that_dies(alpha):
    translate(alpha, fault=("thruster_stuck_closed", "4"))
    assert alpha.conditions[4] is Condition.DEAD
    assert not alpha.allocation.uncontrollable
    assert alpha.worst_tilt < 5.0


def test_a_translation_with_a_thruster_that_sticks_open(alpha):
    """One of cluster D: those of A and B take 35 kW to be made up for, which the bus gives for seconds only."""
    translate(alpha, fault=("thruster_stuck_open", "12"))
    assert alpha.conditions[12] is Condition.STUCK_OPEN
    assert alpha.worst_tilt < 10.0


def slew(pilot):
    """Ninety degrees about z, to one degree."""
    pilot.hold(0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
    assert pilot.tilt > 80.0
    seconds = pilot.wait(lambda: pilot.tilt < 1.0 and pilot.rate < 0.5)
    pilot.figures(seconds=round(seconds, 1))
    pilot.check_limits()
    assert seconds < 40.0


def test_a_slew_of_90_degrees(alpha):
    slew(alpha)


def test_a_translation_in_mode_auto(alpha):
    """By thrust groups only."""
    alpha.set_mode(Mode.AUTO)
    translate(alpha)
    assert alpha.modes == {Mode.AUTO}
    assert alpha.worst_tilt < 3.0


@pytest.mark.parametrize(
    ("kind", "thruster", "condition"),
    [("thruster_stuck_closed", 4, Condition.DEAD), ("thruster_stuck_open", 12, Condition.STUCK_OPEN)],
)
def test_a_translation_in_mode_auto_with_a_fault(alpha, kind, thruster, condition):
    alpha.set_mode(Mode.AUTO)
    translate(alpha, fault=(kind, str(thruster)))
    assert alpha.conditions[thruster] is condition
    assert alpha.worst_tilt < 10.0


def test_a_slew_in_mode_auto(alpha):
    alpha.set_mode(Mode.AUTO)
    slew(alpha)


def test_a_thruster_that_weakens_is_found_by_its_motion(alpha):
    """Its valve and sensor are good: only the motion of the body shows it, against what an operator stated."""

    def state(controller, now):
        controller.set_health(now, 4, Condition.WEAK, 0.8)

    alpha.act(state)
    translate(alpha, fault=("thruster_weak", "4", 0.3))
    assert alpha.conditions[4] is Condition.WEAK
    assert alpha.allocation.levels[4] == pytest.approx(0.3, abs=0.15)
    assert set(np.delete(np.array(alpha.conditions), 4)) == {Condition.OK}


def test_without_fault_detection_the_motion_is_no_evidence(scenario):
    """The hardware's own sensors still are."""
    loop = ClosedLoop.from_file(scenario, fault_detection=False, control_rate=20.0, telemetry_rate=0.0)
    for bot, kind in (("alpha", "thruster_weak"), ("bravo", "thruster_stuck_closed")):
        loop.world.inject_fault(bot, kind, "4", 0.3)
        for _ in range(20):
            loop.command(bot, [400.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            loop.run(0.2)
    health = {bot: link.controller.drive.health[4].condition for bot, link in loop.links.items()}
    assert health == {"alpha": Condition.OK, "bravo": Condition.DEAD}
    assert loop.links["alpha"].telemetry is None


def test_a_refused_order_is_an_occurrence_at_once(scenario):
    loop = ClosedLoop.from_file(scenario)
    with pytest.raises(ValueError, match="allowed: finite"):
        loop.command("alpha", [math.nan, 0.0, 0.0, 0.0, 0.0, 0.0])
    last = loop.links["alpha"].occurrences[-1]
    assert (last.type, last.time) == ("allocator.wrench_refused", loop.time)
