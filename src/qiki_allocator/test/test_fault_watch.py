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
    """A watch in the place of a flight's detector; `heard(watch, time)` comes with each third odometry, after it."""

    def __init__(self, array, heard):
        self.ledger = ValveLedger(len(array))
        self.watch = FaultWatch(array, MassProperties(MASS, INERTIA, COM), SETTINGS, self.ledger)
        self.heard = heard
        self.count = 0

    def observe(self, time, linear, angular, _on):
        found = self.watch.move_seen(MotionReading(time, LEVEL, linear, angular))
        self.count += 1
        if self.count % 3 == 0:
            self.heard(self.watch, time)
        return found or None


def fly_without_thruster_3(array, heard):
    """What is found in 10 s of random pulses of which those of thruster 3 have no effect from 2 s on, by (thrusters,
    condition)."""
    watched = Watched(array, heard)
    flight = Flight(array, 1, watched)
    flight.ledger, flight.log = watched.ledger, Reader(watched.ledger)
    assert list(flight.fly(2.0)) == []
    flight.faults = [(3, LOSE, 0.0)]
    return [(finding.thrusters, finding.condition) for found in flight.fly(8.0) for finding in found]


@pytest.mark.parametrize("heard", [lambda watch, time: watch.confirm(time), lambda *_: None])
def test_a_thruster_without_effect_is_found_dead(array, heard):
    """Also where the valves tell nothing of what they did."""
    assert fly_without_thruster_3(array, heard) == [((3,), Condition.DEAD)]


def test_a_thruster_whose_valve_did_other_than_told_is_not_accused(array):
    """The counters tell of it later than the odometry."""

    def tell(watch, time):
        if time > 2.0:
            watch.distrust(time)
        watch.confirm(time)

    assert fly_without_thruster_3(array, tell) == []


def test_odometry_of_the_past_is_left_alone(array):
    watch = FaultWatch(array, MassProperties(MASS, INERTIA, COM), SETTINGS, ValveLedger(len(array)))
    for time in (1.0, 1.02, 1.02, 0.5, np.nan):
        assert watch.move_seen(MotionReading(time, LEVEL, np.zeros(3), np.zeros(3))) == []
    watch.confirm(2.0)
    for time in (1.04, 1.02):
        assert watch.move_seen(MotionReading(time, LEVEL, np.zeros(3), np.zeros(3))) == []
