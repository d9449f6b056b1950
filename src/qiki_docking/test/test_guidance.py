"""Corridor, speed limits, braking, passive drift."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_docking.guidance import braking_speed, drift, in_corridor, speed_limit

pytestmark = pytest.mark.requirement("DOCK-16")

vectors = st.tuples(*(st.floats(-30.0, 30.0) for _ in range(3)))


@pytest.fixture(scope="module")
def rules(vehicle):
    return vehicle.docking


def test_the_corridor_is_a_cone_of_ten_degrees_as_wide_as_the_box_at_the_face(rules):
    assert in_corridor(0.0, 0.10, rules)
    assert not in_corridor(0.0, 0.11, rules)
    assert in_corridor(20.0, 20.0 * math.tan(math.radians(10.0)) + 0.09, rules)
    assert not in_corridor(20.0, 20.0 * math.tan(math.radians(10.0)) + 0.11, rules)
    for wrong in (math.nan, math.inf):
        assert not in_corridor(wrong, 0.0, rules)
        assert not in_corridor(1.0, wrong, rules)


@given(st.floats(-5.0, 200.0), st.floats(0.0, 2.0))
def test_at_the_braking_speed_the_bot_stops_before_the_reserve(rules, distance, deceleration):
    speed = braking_speed(distance, deceleration, rules)
    assert speed >= 0.0
    if speed > 0.0:
        stopped = speed**2 / (2.0 * deceleration) + speed * rules.approach.latency
        assert stopped == pytest.approx(distance - 0.5, rel=1e-9)


def test_the_speed_limit_of_each_zone(rules):
    assert speed_limit(60.0, 0.3, rules) == 0.5
    assert speed_limit(20.0, 0.3, rules) == 0.20
    assert speed_limit(1.0, 0.3, rules) == 0.10
    assert 0.0 < speed_limit(1.01, 0.01, rules) < 0.1
    assert speed_limit(60.0, 0.0, rules) == speed_limit(60.0, math.nan, rules) == 0.0


@given(vectors, vectors, st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.05)), st.floats(0.1, 10.0))
def test_the_drift_cone_is_exact(rules, position, velocity, sigmas, radius):
    velocity, (sigma_p, sigma_v) = 0.02 * np.array(velocity), sigmas
    found = drift(position, velocity, sigmas, radius, rules)
    times = np.linspace(0.0, 120.0, 4001)
    path = np.linalg.norm(np.array(position)[:, None] + velocity[:, None] * times, axis=0)
    brute = path - radius - 3.0 * (sigma_p + sigma_v * times)
    step = 0.03 * (np.linalg.norm(velocity) + 3.0 * sigma_v)
    assert brute.min() - step - 1e-9 <= found.clearance <= brute.min() + 1e-9
    assert 0.0 <= found.time <= 120.0
    assert found.misses == (found.clearance > 0.0)


def test_a_drift_at_the_partner_hits_and_one_past_it_misses(rules):
    assert not drift([10.0, 0.0, 0.0], [-0.1, 0.0, 0.0], (0.01, 0.001), 5.0, rules).misses
    away = drift([10.0, 0.0, 0.0], [0.1, 0.0, 0.0], (0.01, 0.001), 5.0, rules)
    assert away.misses
    assert (away.clearance, away.time) == (pytest.approx(10.0 - 5.0 - 0.03), 0.0)
