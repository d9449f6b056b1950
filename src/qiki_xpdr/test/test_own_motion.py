"""Own motion at the time of a frame."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_vehicle import quaternion
from qiki_xpdr.own_motion import REACH, OwnMotion

pytestmark = pytest.mark.requirement("XPDR-61")
number = st.floats(-10.0, 10.0)
triple = st.tuples(number, number, number)


@given(triple, triple, st.tuples(*[st.floats(-1.0, 1.0)] * 3), st.floats(-REACH, REACH))
def test_steady_motion_is_carried_on(start, velocity, rates, ahead):
    motion = OwnMotion()
    turn = quaternion.from_rotation_vector(start)
    motion.add(100.0, start, turn, velocity, rates)
    own = motion.at(100.0 + 0.999 * ahead)
    moved = np.array(start) + 0.999 * ahead * quaternion.rotate(turn, velocity)
    assert own.position == pytest.approx(moved, abs=1e-6)
    after = quaternion.product(turn, quaternion.from_rotation_vector(0.999 * ahead * np.array(rates)))
    assert own.axes == pytest.approx(quaternion.matrix(after), abs=1e-6)


def test_of_several_samples_the_nearest_counts_and_none_far_away():
    motion = OwnMotion()
    for step in range(100):
        motion.add(10.0 + 0.02 * step, (step, 0.0, 0.0), quaternion.IDENTITY, (0.0,) * 3, (0.0,) * 3)
    assert motion.at(11.209).position[0] == 60.0
    assert motion.at(10.0 + 0.02 * 99 + REACH + 0.01) is None
    assert motion.at(10.0) is None, "forgotten"
    assert motion.at(math.nan) is None
    motion.clear()
    assert motion.at(11.2) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("position", (math.nan, 0.0, 0.0)),
        ("velocity", (0.0, math.inf, 0.0)),
        ("rates", (0.0, 0.0, 1e12)),
        ("orientation", (0.0, 0.0, 0.0, 2.0)),
        ("stamp", 1.0),
    ],
)
def test_samples_that_cannot_be_are_refused_by_name(field, value):
    good = {"stamp": 1.0, "position": (0.0,) * 3, "orientation": quaternion.IDENTITY}
    good |= {"velocity": (0.0,) * 3, "rates": (0.0,) * 3}
    motion = OwnMotion()
    motion.add(**good)
    with pytest.raises(ValueError, match=f"{field}: .*; allowed: "):
        motion.add(**{**good, "stamp": 2.0, field: value})
    assert motion.at(1.0).position.tolist() == [0.0, 0.0, 0.0]
