"""The contact box and the motion between two ports."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_docking import ContactBox, PortMotion, RelativeMotion
from qiki_docking.contact import UNITS
from qiki_vehicle import Pose, mated, quaternion

pytestmark = pytest.mark.requirement("DOCK-1")

NOMINAL = {
    "range": 0.0, "closing": 0.075, "lateral_offset": 0.0, "lateral_rate": 0.0, "tilt": 0.0, "tilt_rate": 0.0,
    "roll": 0.0, "roll_rate": 0.0,
}  # fmt: skip
LIMITS = {
    "closing": 0.10, "lateral_rate": 0.04, "tilt_rate": math.radians(0.2), "roll_rate": math.radians(0.2),
    "lateral_offset": 0.10, "tilt": math.radians(4.0), "roll": math.radians(4.0),
}  # fmt: skip
small = st.floats(-0.5, 0.5)
vectors = st.tuples(small, small, small)


@pytest.fixture(scope="module")
def box(vehicle):
    return ContactBox(vehicle.docking.contact_box)


def motion(**changes):
    return PortMotion(**{**NOMINAL, **changes})


def test_the_limits_are_those_of_the_vehicle_file(box):
    assert {name: high for name, (_, high) in box.limits.items()} == pytest.approx(LIMITS, rel=1e-6)
    assert box.limits["closing"][0] == 0.05


def test_the_corners_are_inside_and_twice_the_limit_is_not(box):
    for corner in range(2 ** len(UNITS)):
        signs = {name: corner >> i & 1 for i, name in enumerate(UNITS)}
        values = {name: LIMITS[name] * (0.999 if signs[name] else 0.0) for name in UNITS}
        values["closing"] = 0.0999 if signs["closing"] else 0.0501
        assert box.judge(motion(**values)).inside
    for name, limit in LIMITS.items():
        judgement = box.judge(motion(**{name: 2.0 * limit}))
        assert [one.quantity for one in judgement.exceeded] == [name]
        assert judgement.exceeded[0].by == pytest.approx(limit, rel=1e-6)
        assert judgement.margins[name] == pytest.approx(-limit, rel=1e-6)


def test_a_refusal_names_each_limit_and_by_how_much(box):
    text = str(box.judge(motion(closing=0.132, roll_rate=-math.radians(0.3), tilt=math.nan)))
    assert text == (
        "closing 0.132 m/s, 0.032 m/s above the limit of 0.1 m/s; "
        "roll_rate 0.005236 rad/s (0.3 deg/s), 0.001745 rad/s (0.1 deg/s) above the limit of 0.003491 rad/s "
        "(0.2 deg/s); "
        "tilt nan rad (nan deg); allowed: a finite number"
    )
    assert "closing -0.2 m/s, 0.25 m/s below the limit of 0.05 m/s" in str(box.judge(motion(closing=-0.2)))


@given(st.sampled_from(sorted(UNITS)), st.floats(allow_nan=True, allow_infinity=True))
def test_any_value_is_judged_and_inside_means_margins_of_at_least_zero(box, name, value):
    judgement = box.judge(motion(**{name: value}))
    margin = judgement.margins[name]
    assert judgement.inside == (math.isfinite(value) and margin >= 0.0)


@given(st.sampled_from("AB"), st.sampled_from("AB"), st.floats(-math.pi, math.pi))
def test_mated_ports_have_no_offset_tilt_or_roll(vehicle, own, partner, clocking):
    own, partner = vehicle.port(own), vehicle.port(partner)
    relative = RelativeMotion(mated(partner, own, clocking), np.zeros(3), np.zeros(3))
    found = PortMotion.of(relative, own, partner, clocking)
    assert max(map(abs, vars(found).values())) < 1e-9


@given(st.lists(vectors, min_size=6, max_size=6))
def test_the_rates_are_the_change_of_range_offset_and_angles(vehicle, drawn):
    shift, turn, own_v, own_w, their_v, their_w = drawn
    own, partner = vehicle.port("B"), vehicle.port("A")
    station = Pose(np.array([3.0, -2.0, 1.0]), quaternion.from_rotation_vector([0.3, -0.2, 0.5]))
    close = mated(partner, own)
    bot = station.then(
        Pose(
            close.position + np.array([0.0, 0.0, 1.0]) + 0.1 * np.array(shift),
            quaternion.product(quaternion.from_rotation_vector(0.4 * np.array(turn)), close.orientation),
        )
    )

    def after(pose, velocity, rate, seconds):
        turned = quaternion.product(pose.orientation, quaternion.from_rotation_vector(np.array(rate) * seconds))
        return Pose(pose.position + pose.vector(velocity) * seconds, turned)

    def at(seconds):
        relative = RelativeMotion.between(
            after(bot, own_v, own_w, seconds), [*own_v, *own_w],
            after(station, their_v, their_w, seconds), [*their_v, *their_w],
        )  # fmt: skip
        return relative, PortMotion.of(relative, own, partner)

    h = 1e-5
    (before, early), (now, found), (later, late) = at(-h), at(0.0), at(h)
    assert found.closing == pytest.approx(-(late.range - early.range) / (2 * h), abs=1e-6)
    axis = np.array(partner.axis)
    drift = (later.pose.point(own.position) - before.pose.point(own.position)) / (2 * h)
    assert found.lateral_rate == pytest.approx(np.linalg.norm(drift - (drift @ axis) * axis), abs=1e-6)
    assert found.roll_rate == pytest.approx(now.angular_velocity @ axis, abs=1e-9)
    assert found.tilt_rate**2 + found.roll_rate**2 == pytest.approx(now.angular_velocity @ now.angular_velocity)
    change = quaternion.product(later.pose.orientation, quaternion.conjugate(before.pose.orientation))
    assert now.angular_velocity == pytest.approx(quaternion.rotation_vector(change) / (2 * h), abs=1e-5)


def test_tilt_and_roll_are_separate(vehicle):
    own, partner = vehicle.port("B"), vehicle.port("A")
    close = mated(partner, own)
    tilted = quaternion.product(quaternion.from_rotation_vector([0.03, 0.04, 0.0]), close.orientation)
    rolled = quaternion.product(quaternion.from_rotation_vector([0.0, 0.0, -0.06]), close.orientation)
    for orientation, tilt, roll in ((tilted, 0.05, 0.0), (rolled, 0.0, -0.06)):
        found = PortMotion.of(RelativeMotion(Pose(close.position, orientation), np.zeros(3), np.zeros(3)), own, partner)
        assert (found.tilt, found.roll) == pytest.approx((tilt, roll), abs=1e-9)
