"""Room between bodies that move."""

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_sim.clearance import Clearance, Room

BOXES = """
<mujoco><worldbody>
  <body pos="0 0 0"><freejoint/><geom type="box" size="2 0.1 0.1" mass="1"/></body>
  <body pos="0 {apart} 0"><freejoint/><geom type="box" size="2 0.1 0.1" mass="1"/></body>
</worldbody></mujoco>
"""


@given(st.floats(0.0, 5.0), st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(-1.0, 1.0)), max_size=40))
def test_a_path_that_is_free_never_leads_through_another_body(distance, moves):
    computed = []

    def compute():
        computed.append(distance)
        return distance

    room = Room(compute)
    for path, share in moves:
        if room.holds(path):
            distance -= share * path
            assert distance >= 0.0
        else:
            # Room that is used up is computed before it is refused.
            assert computed[-1] == distance <= path


def test_a_room_that_is_forgotten_is_computed_again():
    found = [3.0, 1.0]
    room = Room(lambda: found.pop(0))
    assert room.holds(1.0)
    assert found == [1.0]
    room.forget()
    assert not room.holds(1.5)


@pytest.mark.parametrize(("apart", "expected"), [(0.5, 0.3), (1.0, 0.8), (8.0, 8.0 - 2.0 * np.sqrt(4.02))])
def test_hulls_count_where_the_spheres_about_them_overlap(apart, expected):
    model = mujoco.MjModel.from_xml_string(BOXES.format(apart=apart))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    clearance = Clearance(model, data, (np.array([0]), np.array([1])), np.array([2.0 * np.sqrt(4.02)]))
    places = data.qpos.reshape(2, 7)[:, :3]
    assert clearance.distance(places, np.array([False])) == pytest.approx(expected, abs=2e-3)
    assert clearance.distance(places, np.array([True])) == np.inf
