"""Relative navigation: consistent covariance, outliers, delays, dropouts, garbage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plant import VEHICLE
from sighting import OWN, STATION, Scene

from qiki_docking.pilot import Pilot
from qiki_docking.pilot.covariance import correct, predict
from qiki_vehicle import Pose, quaternion
from qiki_vehicle.port_hardware import Sight

pytestmark = pytest.mark.requirement("DOCK-21")

SEEDS = range(10)


def errors(scene):
    """Errors of position, velocity, angle and rate, each (3,), by their standard deviations."""
    fix = scene.pilot._navigator.fix()
    time = fix.own.stamp
    (own, _), (partner, turning) = scene.own(time), scene.partner(time)
    com = own.point(scene.com)
    port = partner.point(STATION.position)
    moving = partner.vector(turning[:3] + np.cross(turning[3:], STATION.position))
    known = fix.deviations
    turned = quaternion.product(fix.partner.orientation, quaternion.conjugate(partner.orientation))
    return [
        (fix.own.com - fix.partner.position - (com - port)) / known.position,
        (fix.own.velocity - fix.partner.velocity - (scene.velocity - moving)) / known.velocity,
        quaternion.rotation_vector(turned) / known.angle,
        (fix.partner.turning - scene.turn) / known.rate,
    ]


def test_the_errors_are_as_large_as_the_filter_takes_them_to_be():
    normalised = []
    for seed in SEEDS:
        scene = Scene(seed, spin=(0.004, -0.006, 0.005)).run(6.0)
        for _ in range(3):
            normalised.append([float(error @ error) for error in errors(scene.run(3.0))])
    squares = np.mean(normalised, axis=0)
    # 30 errors of 3 axes, not all independent: chi squared over its degrees of freedom lies within these bounds. A
    # filter that allows for accelerations which do not happen is more careful than it would need to be.
    assert np.all(squares < 3.0 * 1.45), squares
    assert np.all(squares > 3.0 * 0.10), squares
    assert squares[0] > 3.0 * 0.5


def test_outliers_and_delays_do_no_harm():
    for seed in SEEDS[:4]:
        scene = Scene(seed, outliers=0.02).run(20.0)
        found, true = scene.pilot.motion, scene.truth()
        assert found.range == pytest.approx(true.range, abs=0.04)
        assert found.closing == pytest.approx(true.closing, abs=0.005)
        assert found.lateral_rate == pytest.approx(true.lateral_rate, abs=0.006)
        assert found.tilt == pytest.approx(true.tilt, abs=0.006)
        assert found.tilt_rate == pytest.approx(true.tilt_rate, abs=0.0007)


def test_a_track_that_began_with_an_outlier_begins_again():
    scene = Scene(3)
    scene.run(0.1, looking=False)
    scene.pilot.sight(0.06, scene.sight(0.06, outlier=True))
    scene.run(8.0)
    assert scene.pilot.motion.range == pytest.approx(scene.truth().range, abs=0.05)


def test_a_dropout_is_bridged_and_lowers_the_quality():
    scene = Scene(5, start=(0.1, 0.0, 8.2), velocity=(0.01, -0.01, 0.0)).run(15.0)
    good = scene.pilot.sample(scene.now).quality
    scene.run(3.0, looking=False)
    sample = scene.pilot.sample(scene.now)
    assert sample.values["range"] == pytest.approx(scene.truth().range, abs=0.04)
    assert good > 0.9
    assert VEHICLE.docking.validity.quality_min < sample.quality < good - 0.05
    scene.run(9.0, looking=False)
    assert scene.pilot.sample(scene.now).quality < VEHICLE.docking.validity.quality_min
    scene.run(2.0)
    assert scene.pilot.sample(scene.now).quality > 0.9


def test_there_is_no_sample_without_new_odometry_or_without_a_sight():
    scene = Scene(1).run(1.0, looking=False)
    assert scene.pilot.sample(scene.now) is None
    assert scene.pilot.motion is None
    scene.run(1.0)
    assert scene.pilot.sample(scene.now) is not None
    assert scene.pilot.sample(scene.now) is None
    scene.run(0.1)
    assert scene.pilot.sample(scene.now + VEHICLE.docking.validity.max_age + 0.1) is None


def test_a_clock_that_is_set_back_clears_the_tracks():
    scene = Scene(1).run(5.0)
    pose, twist = scene.own(0.0)
    scene.pilot.odometry(0.5, pose, twist)
    assert scene.pilot.motion is None


WRONG = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("wrong", WRONG)
def test_values_that_are_no_number_are_ignored(wrong):
    scene = Scene(2).run(3.0)
    before = scene.pilot.motion
    pose, twist = scene.own(scene.now)
    scene.pilot.odometry(scene.now + 0.02, Pose(np.array([wrong, 0.0, 0.0]), pose.orientation), twist)
    scene.pilot.odometry(wrong, pose, twist)
    scene.pilot.sight(scene.now, Sight("B", "station", "A", 1.0, np.full(3, wrong), np.array([0.0, 0.0, 0.0, 1.0])))
    scene.pilot.sight(scene.now, Sight("B", "station", "A", wrong, np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])))
    scene.pilot.sight(scene.now, Sight("B", "station", "A", 0.1, np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])))
    assert scene.pilot.motion == before


def test_an_authority_of_the_wrong_size_is_refused():
    pilot = Pilot(VEHICLE, OWN, STATION)
    for wrong in (np.ones(3), np.full(16, math.nan)):
        with pytest.raises(ValueError, match=r"bounds: .*allowed: 16 numbers 0..1"):
            pilot.authority(wrong)


variances = st.floats(1e-8, 1e4)


@given(
    st.tuples(variances, variances, st.floats(-0.99, 0.99)),
    variances,
    st.integers(0, 1),
    st.floats(0.0, 5.0),
    variances,
)
def test_the_covariance_stays_that_of_the_textbook_and_positive(start, noise, measured, step, walk):
    a, c, share = start
    covariance = np.array([[a, share * math.sqrt(a * c)], [share * math.sqrt(a * c), c]])
    moved = predict(covariance, step, walk)
    change = np.array([[1.0, step], [0.0, 1.0]])
    grown = change @ covariance @ change.T + walk * np.array([[step**2 / 3.0, step / 2.0], [step / 2.0, 1.0]])
    assert moved == pytest.approx(grown, rel=1e-9, abs=1e-15)
    left, gains = correct(moved, measured, noise)
    gain = grown[:, measured] / (grown[measured, measured] + noise)
    expected = grown - np.outer(gain, grown[measured])
    scale = float(np.abs(grown).max())
    assert left == pytest.approx(expected, rel=1e-6, abs=1e-9 * scale)
    assert np.array(gains) == pytest.approx(gain, rel=1e-9)
    assert left[0, 0] > 0.0
    assert left[1, 1] > 0.0
    assert left[0, 1] ** 2 <= left[0, 0] * left[1, 1] * (1.0 + 1e-9)


def test_another_port_of_the_partner_serves_as_well():
    scene = Scene(4, delay=0.0)
    far = np.array([0.0, 0.0, -6.15])
    scene.pilot = Pilot(VEHICLE, OWN, STATION, markers={"A": STATION.position, "B": far})
    for _ in range(150):
        scene.run(0.1, looking=False)
        seen = scene.sight(scene.now)
        back = seen.position + quaternion.rotate(seen.orientation, far - STATION.position)
        scene.pilot.sight(scene.now, Sight("A", "station", "B", 0.9, back, seen.orientation))
        scene.pilot.sight(scene.now, Sight("A", "station", "C", 0.9, 2.0 * back, seen.orientation))
    assert scene.pilot.motion.range == pytest.approx(scene.truth().range, abs=0.05)
    assert scene.pilot.motion.lateral_offset == pytest.approx(scene.truth().lateral_offset, abs=0.06)


def test_from_sixty_metres_two_seconds_of_sights_are_enough_to_begin():
    scene = Scene(6, start=(3.0, 2.0, 67.0)).run(2.0)
    assert scene.pilot.sample(scene.now).quality >= VEHICLE.docking.validity.quality_min
