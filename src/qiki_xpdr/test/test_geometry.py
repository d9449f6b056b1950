"""Radar angles and the filter's derivatives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sky import RADAR, seen

from qiki_vehicle import quaternion
from qiki_xpdr.filter import Expected, begin, predict
from qiki_xpdr.geometry import Own, spherical, unit

coordinates = st.floats(-5000.0, 5000.0)
points = st.tuples(coordinates, coordinates, coordinates).filter(lambda p: math.hypot(*p) > 5.0)
speeds = st.tuples(*[st.floats(-20.0, 20.0)] * 3)
turns = st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: sum(x * x for x in q) > 0.01)


def own_of(position, velocity, turn):
    return Own(
        np.array(position),
        np.array(velocity),
        np.array(quaternion.matrix(quaternion.unit("turn", turn / np.linalg.norm(turn)))),
    )


@pytest.mark.requirement("XPDR-20")
def test_bearings_are_clockwise_from_y():
    for vector, bearing, elevation in (
        ((0.0, 2.0, 0.0), 0.0, 0.0),
        ((2.0, 0.0, 0.0), 90.0, 0.0),
        ((0.0, -2.0, 0.0), 180.0, 0.0),
        ((-2.0, 0.0, 0.0), 270.0, 0.0),
        ((0.0, 1.0, 1.0), 0.0, 45.0),
        ((-1e-300, 1.0, 0.0), 0.0, 0.0),
    ):
        found = spherical(np.array([vector]))
        assert math.degrees(found[1][0]) == pytest.approx(bearing)
        assert math.degrees(found[2][0]) == pytest.approx(elevation)
        assert 0.0 <= found[1][0] < 2.0 * math.pi


@pytest.mark.requirement("XPDR-20")
@given(points)
def test_angles_and_back(point):
    distance, bearing, elevation = spherical(np.array([point]))
    assert distance[:, None] * unit(bearing, elevation) == pytest.approx(np.array([point]), abs=1e-6)


@pytest.mark.requirement("XPDR-20")
@given(points, speeds, points, speeds, turns)
def test_the_jacobian_is_the_derivative_of_the_innovation(place, speed, own_place, own_speed, turn):
    own = own_of(own_place, own_speed, turn)
    state = np.array([[*(np.array(own_place) + place), *speed]])
    expected = Expected.of(state, 1e-12 * np.eye(6)[None], own, RADAR)
    for axis in range(6):
        step = 1e-3 * (1.0 if axis > 2 else max(1.0, math.hypot(*place) / 100.0))
        moved = []
        for sign in (1.0, -1.0):
            other = state.copy()
            other[0, axis] += sign * step
            moved.append(expected.innovations(seen(other[:, :3], other[:, 3:], own)[:, :4], own)[0, 0])
        slope = (moved[0] - moved[1]) / (2.0 * step)
        assert slope == pytest.approx(expected.jacobian[0, :, axis], rel=1e-4, abs=1e-6)


@pytest.mark.requirement("XPDR-20")
@given(points, speeds, turns)
def test_a_new_track_has_the_noise_of_its_measurement(place, speed, turn):
    own = own_of((10.0, -20.0, 5.0), speed, turn)
    measured = seen([np.array(place) + own.position], [speed], own)
    states, covariances = begin(measured[:, :4], own, RADAR, 10.0)
    assert states[0, :3] == pytest.approx(np.array(place) + own.position, abs=1e-6)
    assert np.linalg.eigvalsh(covariances[0])[0] > 0.0
    lines = Expected.of(states, covariances, own, RADAR).lines
    assert lines.sight[0] @ covariances[0, :3, :3] @ lines.sight[0] == pytest.approx(
        RADAR.range**2 + RADAR.extent**2 / 3.0
    )
    assert lines.sight[0] @ covariances[0, 3:, 3:] @ lines.sight[0] == pytest.approx(RADAR.radial_velocity**2)


@given(st.floats(0.01, 30.0), st.floats(0.01, 2.0))
def test_prediction_in_two_steps_is_one(seconds, density):
    state, covariance = np.arange(6.0)[None], np.diag([1.0, 2.0, 3.0, 0.1, 0.2, 0.3])[None]
    once = predict(state, covariance, seconds, density)
    half = predict(*predict(state, covariance, seconds / 2.0, density), seconds / 2.0, density)
    assert once[0] == pytest.approx(half[0])
    assert once[1] == pytest.approx(half[1])
