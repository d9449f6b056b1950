"""Prediction of the contact, and the machine's answer to one outside of the box."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plant import VEHICLE, Plant

from qiki_docking import PortMotion, Reason
from qiki_docking.contact import UNITS, ContactBox
from qiki_docking.pilot.navigation import Deviations
from qiki_docking.pilot.prediction import Predictor

pytestmark = pytest.mark.requirement("DOCK-23")

RULES = VEHICLE.docking
STEER = RULES.guidance
NATURAL = VEHICLE.control.attitude.natural_frequency
KNOWN = Deviations(0.003, 0.001, 0.001, 0.0001)
GOOD = PortMotion(0.4, 0.075, 0.01, 0.005, 0.002, 0.0005, -0.001, 0.0002)


@given(st.floats(0.05, 1.0), st.floats(0.03, 0.15), st.floats(0.0, 0.2), st.floats(0.0, 0.05))
def test_contact_is_where_the_law_leads_to(distance, closing, offset, sliding):
    """Against a step by step integration of the law."""
    motion = replace(GOOD, range=distance, closing=closing, lateral_offset=offset, lateral_rate=sliding)
    found = Predictor(RULES, NATURAL).predict(motion, KNOWN)
    step, time, along, speed = 0.002, 0.0, distance, closing
    place, slide = offset, sliding
    while along > 0.0:
        speed += step * (STEER.closing - speed) / STEER.closing_response
        along -= step * speed
        slide += step * (-STEER.gain * place - slide) / STEER.response
        place += step * slide
        time += step
    assert found.time == pytest.approx(time, abs=0.02)
    assert found.motion.closing == pytest.approx(speed, abs=5e-4)
    assert found.motion.lateral_offset == pytest.approx(abs(place), abs=1e-3)
    assert found.motion.lateral_rate == pytest.approx(abs(slide), abs=1e-3)
    assert set(found.margins) == set(found.deviations) == set(UNITS)


@given(st.floats(0.1, 0.5), st.floats(0.05, 0.1), st.tuples(*[st.floats(-0.1, 0.1)] * 2), st.floats(0.0, 0.003))
def test_a_drift_is_a_straight_line_and_a_uniform_turn(distance, closing, line, rate):
    motion = replace(GOOD, range=distance, closing=closing, tilt_rate=rate, roll=-0.02, roll_rate=-rate)
    place, slide = np.array([line[0], 0.0, 0.0]), np.array([0.1 * line[1], 0.01, 0.0])
    found = Predictor(RULES, NATURAL).drift(motion, KNOWN, (place, slide))
    assert found.time == pytest.approx(distance / closing)
    assert found.motion.closing == closing
    assert found.motion.lateral_offset == pytest.approx(float(np.linalg.norm(place + found.time * slide)))
    assert found.motion.lateral_rate == pytest.approx(float(np.linalg.norm(slide)))
    assert found.motion.tilt == pytest.approx(GOOD.tilt + found.time * rate)
    assert abs(found.motion.roll) == pytest.approx(0.02 + found.time * rate)
    margins = ContactBox(RULES.contact_box).judge(found.motion).margins
    assert found.certain == all(margins[name] >= 3.0 * found.deviations[name] for name in UNITS)


@pytest.mark.parametrize("name", UNITS)
def test_a_drift_out_of_the_box_is_not_certain(name):
    predictor = Predictor(RULES, NATURAL)
    assert predictor.drift(GOOD, KNOWN).certain
    for value in (BAD[name], math.nan):
        assert not predictor.drift(replace(GOOD, **{name: value}), KNOWN).certain
    assert not predictor.drift(replace(GOOD, closing=-0.05), KNOWN).certain


@given(st.sampled_from(sorted(UNITS)), st.floats(1.0, 10.0))
def test_a_margin_is_that_of_the_box_less_three_deviations(name, worse):
    known = Deviations(*(worse * value for value in (0.003, 0.001, 0.001, 0.0001)))
    found = Predictor(RULES, NATURAL).predict(GOOD, known)
    margin = ContactBox(RULES.contact_box).judge(found.motion).margins[name]
    assert found.margins[name] == pytest.approx(margin - 3.0 * found.deviations[name])
    assert found.deviations[name] > 0.0


def test_just_before_contact_the_prediction_is_the_measurement():
    motion = replace(GOOD, range=1e-4)
    found = Predictor(RULES, NATURAL).predict(motion, KNOWN)
    for name in UNITS:
        assert getattr(found.motion, name) == pytest.approx(abs(getattr(motion, name)), abs=1e-4)


BAD = {
    "closing": 0.105,
    "lateral_rate": 0.06,
    "tilt_rate": 0.005,
    "roll_rate": 0.005,
    "lateral_offset": 0.15,
    "tilt": 0.12,
    "roll": -0.12,
}


@pytest.mark.parametrize("name", UNITS)
def test_each_quantity_takes_the_prediction_out_of_the_box_and_back_again(name):
    predictor = Predictor(RULES, NATURAL)
    near = replace(GOOD, range=0.05)
    assert predictor.watch(predictor.predict(near, KNOWN))
    assert not predictor.watch(predictor.predict(replace(near, **{name: BAD[name]}), KNOWN))
    assert predictor.watch(predictor.predict(near, KNOWN))


def test_a_prediction_at_the_edge_does_not_flicker():
    predictor = Predictor(RULES, NATURAL)
    near = replace(GOOD, range=0.05)
    low, high = 0.0, 0.2
    for _ in range(40):
        middle = 0.5 * (low + high)
        predictor.reset()
        inside = predictor.watch(predictor.predict(replace(near, lateral_offset=middle), KNOWN))
        low, high = (middle, high) if inside else (low, middle)
    edge = replace(near, lateral_offset=low)
    predictor.reset()
    assert predictor.watch(predictor.predict(edge, KNOWN))
    assert not predictor.watch(predictor.predict(replace(edge, lateral_offset=low + 0.001), KNOWN))
    assert not predictor.watch(predictor.predict(edge, KNOWN))
    assert predictor.watch(predictor.predict(replace(edge, lateral_offset=low - 0.02), KNOWN))


def test_wrong_numbers_are_outside():
    predictor = Predictor(RULES, NATURAL)
    assert not predictor.watch(predictor.predict(replace(GOOD, tilt=math.nan), KNOWN))


@pytest.mark.parametrize(
    ("flag", "reason"),
    [("prediction_inside", Reason.PREDICTION), ("in_corridor", Reason.CORRIDOR), ("clear", Reason.KEEP_OUT)],
)
def test_the_machine_backs_off_after_three_samples_and_says_why(flag, reason):
    plant = Plant(VEHICLE, 1.0).dock()
    plant.run(lambda plant: plant.machine.state.step == "close")
    start = plant.now
    plant.faults[flag] = lambda now: 0.0 if now < start + 1.0 else 1.0
    plant.step()
    plant.step()
    assert plant.machine.phase == "ALIGN"
    plant.run("ABORT", 5.0)
    assert plant.machine.state.cause is reason
    plant.run(lambda plant: plant.machine.state.step == "close", 300.0)


def test_one_bad_sample_does_not_end_a_closing():
    plant = Plant(VEHICLE, 1.0).dock()
    plant.run(lambda plant: plant.machine.state.step == "close")
    rng = np.random.default_rng(1)
    plant.faults["prediction_inside"] = lambda now: float(rng.random() > 0.15 or round(now / 0.2) % 2)
    plant.run("SOFT_DOCK", 60.0)
