"""Quaternions against scipy."""

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from qiki_vehicle import quaternion
from qiki_vehicle.quaternion import roll_pitch_yaw, rotate
from qiki_vehicle.vectors import cross, skew

ANGLES = st.tuples(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
VECTORS = st.tuples(*[st.floats(-1e3, 1e3)] * 3)
TURNS = st.tuples(*[st.floats(-1.8, 1.8)] * 3)  # rotation vectors, shorter than pi


@given(angles=ANGLES, vector=VECTORS)
def test_rotation_agrees_with_scipy(angles, vector):
    rotation = Rotation.from_euler("xyz", angles)
    x, y, z, w = rotation.as_quat().tolist()
    assert rotate((x, y, z, w), vector) == pytest.approx(rotation.apply(vector), abs=1e-9)
    assert quaternion.matrix((x, y, z, w)) == pytest.approx(rotation.as_matrix())
    assert roll_pitch_yaw((x, y, z, w)) == pytest.approx(angles, abs=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_straight_up_and_down_have_a_pitch(sign):
    half = np.sqrt(0.5)
    q = (0.0, sign * half * 1.0000000001, 0.0, half)
    assert roll_pitch_yaw(q)[1] == pytest.approx(sign * pi / 2)


@given(first=TURNS, second=TURNS, vector=VECTORS)
def test_a_product_turns_by_the_second_then_by_the_first(first, second, vector):
    a, b = quaternion.from_rotation_vector(first), quaternion.from_rotation_vector(second)
    both = quaternion.product(a, b)
    assert np.linalg.norm(both) == pytest.approx(1.0)
    assert rotate(both, vector) == pytest.approx(rotate(a, rotate(b, vector)), abs=1e-9)
    assert rotate(quaternion.conjugate(a), rotate(a, vector)) == pytest.approx(np.array(vector), abs=1e-9)


@given(turn=TURNS, sign=st.sampled_from([1.0, -1.0]))
def test_rotation_vectors_there_and_back(turn, sign):
    q = sign * quaternion.from_rotation_vector(turn)
    back = quaternion.rotation_vector(q)
    assert np.linalg.norm(back) <= pi + 1e-12
    assert back == pytest.approx(Rotation.from_quat(q).as_rotvec(), abs=1e-9)


@given(turn=st.tuples(*[st.floats(-1e-9, 1e-9)] * 3))
def test_the_smallest_turns_keep_their_direction(turn):
    assert quaternion.rotation_vector(quaternion.from_rotation_vector(turn)) == pytest.approx(np.array(turn), rel=1e-9)


DIRECTIONS = TURNS.map(lambda turn: rotate(quaternion.from_rotation_vector(turn), (0.0, 0.0, 1.0)))


@given(one=DIRECTIONS, another=DIRECTIONS, opposite=st.booleans())
def test_the_shortest_turn_between_two_directions(one, another, opposite):
    other = -one if opposite else another
    q = quaternion.between(one, other)
    assert np.linalg.norm(q) == pytest.approx(1.0)
    assert rotate(q, one) == pytest.approx(other, abs=1e-9)
    angle = float(np.linalg.norm(quaternion.rotation_vector(q)))
    assert np.cos(angle) == pytest.approx(one @ other, abs=1e-9)


@pytest.mark.parametrize("values", [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.02), (0.0, 0.0, 1.0), (np.nan,) * 4])
def test_what_is_not_of_unit_length_is_refused(values):
    with pytest.raises(ValueError, match=r"target: .*allowed: x, y, z, w of length 0.99 to 1.01"):
        quaternion.unit("target", values)
    assert quaternion.unit("target", (0.0, 0.0, 0.0, 1.005)) == pytest.approx([0.0, 0.0, 0.0, 1.0])


@given(a=VECTORS, b=VECTORS)
def test_cross_products(a, b):
    a, b = np.array(a), np.array(b)
    assert cross(a, b) == pytest.approx(np.cross(a, b), abs=1e-6)
    assert skew(a) @ b == pytest.approx(np.cross(a, b), abs=1e-6)
