"""What is believed of the thrusters when the valves, and not the thrusters, did other than commanded."""

import numpy as np
import pytest
from test_fault_detection import COM, INERTIA, LOSE, MASS, SETTINGS, Flight

from qiki_allocator.health.readings import MotionReading
from qiki_allocator.health.table import Condition
from qiki_allocator.health.watch import FaultWatch
from qiki_allocator.modulation.ledger import Reader, ValveLedger
from qiki_vehicle import MassProperties

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


class Watched:
    """A watch in the place of a flight's detector; `reports(watch, time)` follows each third odometry."""

    def __init__(self, array, reports):
        self.ledger = ValveLedger(len(array))
        self.watch = FaultWatch(array, MassProperties(MASS, INERTIA, COM), SETTINGS, self.ledger)
        self.reports = reports
        self.count = 0

    def observe(self, time, linear, angular, _on):
        found = self.watch.move_seen(MotionReading(time, LEVEL, linear, angular))
        self.count += 1
        if self.count % 3 == 0:
            self.reports(self.watch, time)
        return found or None


def fly_without_thruster_3(array, reports):
    """What is found in 10 s of random pulses of which those of thruster 3 have no effect from 2 s on, by (thrusters,
    condition)."""
    watched = Watched(array, reports)
    flight = Flight(array, 1, watched)
    flight.ledger, flight.log = watched.ledger, Reader(watched.ledger)
    assert list(flight.fly(2.0)) == []
    flight.faults = [(3, LOSE, 0.0)]
    return [(finding.thrusters, finding.condition) for found in flight.fly(8.0) for finding in found]


def counters(short=0.0, late=0, *, until=np.inf):
    """Reports of the valves each 60 ms, from 2 s on with thruster 3 open for less and with so many late edges; none
    any more after `until`."""

    def report(watch, time):
        if time <= until:
            is_wrong = time > 2.0
            watch.compare(time - 0.06, time, np.eye(16)[3] * short * is_wrong, late * round(time / 0.06) * is_wrong)

    return report


@pytest.mark.parametrize("reports", [counters(), lambda *_: None])
def test_a_thruster_without_effect_is_found_dead(array, reports):
    """Also where the valves have no counters."""
    assert fly_without_thruster_3(array, reports) == [((3,), Condition.DEAD)]


@pytest.mark.parametrize(
    "reports", [counters(short=0.01), counters(late=1), counters(until=2.0)], ids=["short", "late", "none come"]
)
def test_a_thruster_whose_valve_did_not_do_as_commanded_is_not_accused(array, reports):
    """The counters come later than the odometry, or not any more."""
    assert fly_without_thruster_3(array, reports) == []


def test_counters_that_are_far_apart_prove_nothing_of_the_pulses_between(array):
    """The sum of what a valve was open is right where a whole command was late, too."""

    def report(watch, time):
        if round(time / 0.06) % 5 == 0:
            watch.compare(time - 0.3, time, np.zeros(16))

    assert fly_without_thruster_3(array, report) == []


def test_odometry_after_a_time_without_counters_is_evidence_again(array):
    def report(watch, time):
        if not 1.5 < time < 4.0:
            watch.compare(time - 0.06, time, np.zeros(16))

    assert fly_without_thruster_3(array, report) == [((3,), Condition.DEAD)]


def test_odometry_of_the_past_is_left_alone(array):
    watch = FaultWatch(array, MassProperties(MASS, INERTIA, COM), SETTINGS, ValveLedger(len(array)))
    for time in (1.0, 1.02, 1.02, 0.5, np.nan):
        assert watch.move_seen(MotionReading(time, LEVEL, np.zeros(3), np.zeros(3))) == []
    watch.compare(1.0, 2.0, np.zeros(len(array)))
    for time in (1.04, 1.02):
        assert watch.move_seen(MotionReading(time, LEVEL, np.zeros(3), np.zeros(3))) == []
