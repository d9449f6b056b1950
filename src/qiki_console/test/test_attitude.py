"""Quaternions."""

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from qiki_console.model.attitude import roll_pitch_yaw, rotate
from qiki_console.model.readings import Quaternion, Vector

ANGLES = st.tuples(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
VECTORS = st.tuples(*[st.floats(-1e3, 1e3)] * 3)


@given(angles=ANGLES, vector=VECTORS)
def test_rotation_agrees_with_scipy(angles: Vector, vector: Vector) -> None:
    rotation = Rotation.from_euler("xyz", angles)
    x, y, z, w = rotation.as_quat().tolist()
    assert rotate((x, y, z, w), vector) == pytest.approx(rotation.apply(vector), abs=1e-9)
    assert roll_pitch_yaw((x, y, z, w)) == pytest.approx(angles, abs=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_straight_up_and_down_have_a_pitch(sign: float) -> None:
    half = np.sqrt(0.5)
    q: Quaternion = (0.0, sign * half * 1.0000000001, 0.0, half)
    assert roll_pitch_yaw(q)[1] == pytest.approx(sign * pi / 2)
