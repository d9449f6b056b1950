"""Jumps of claims against the claims before: found without a radar, silent for all that bodies fly."""

import math

import numpy as np
import pytest
from claims import RADAR, SPOOFING, truthful
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from qiki_xpdr.change import Offset, threshold
from qiki_xpdr.course import Course

H = threshold(SPOOFING.arl / SPOOFING.offsets.jump.share, 3, SPOOFING.jump_windows)
seeds = st.integers(0, 2**32 - 1)


def fly(rng, rows, times, acceleration, *, bias=0.0, jump=0.0, at=math.inf):
    """Largest statistic of each row, its first alarm by number of claims, and the last faults."""
    course, test, everyone = (
        Course(SPOOFING),
        Offset(3, SPOOFING.jump_windows, SPOOFING.clip * H, rows),
        np.arange(rows),
    )
    course.add(rows)
    place, velocity, before = rng.uniform(200.0, 900.0, (rows, 3)), rng.normal(0.0, 3.0, (rows, 3)), 0.0
    highest, first, faults = np.zeros(rows), np.full(rows, -1), np.zeros(rows)
    for number, now in enumerate(times):
        push, seconds = acceleration(number), now - before
        place, velocity = place + seconds * velocity + 0.5 * seconds**2 * push, velocity + seconds * push
        looks = truthful(rng, place + (jump if number >= at else 0.0), velocity + bias, now)
        shift, excuse, faults = course.look(everyone, looks)
        test.look(everyone, shift, excuse=excuse, once=True)
        highest, before = np.maximum(highest, test.statistic), now
        first = np.where((first < 0) & (test.statistic > H), number, first)
    return highest, first, faults


@pytest.mark.requirement("XPDR-39")
@given(seeds, st.floats(-1.0, 1.0), st.lists(st.floats(0.02, 3.0), min_size=5, max_size=40))
def test_manoeuvres_wrong_velocities_and_gaps_are_no_jump(seed, share, gaps):
    rng = np.random.default_rng(seed)
    bias = share * 2.0 * SPOOFING.claim_velocity * np.array((0.6, 0.0, -0.8))

    def push(number):
        return SPOOFING.acceleration * np.sign(np.sin(0.7 * number)) * np.array((0.0, 0.6, 0.8))

    highest, _, faults = fly(rng, 20, np.cumsum(gaps), push, bias=bias)
    assert highest.max() < H
    assert not faults.any()


@pytest.mark.requirement("XPDR-39")
@given(seeds, st.sampled_from([1.5, 2.0, 5.0]))
def test_a_step_along_the_line_of_sight_is_found_in_five_claims(seed, sigmas):
    rng = np.random.default_rng(seed)
    highest, first, _ = fly(
        rng, 30, 0.1 * np.arange(1, 46), lambda _: 0.0, jump=sigmas * RADAR.range * np.array((0.6, 0.8, 0.0)), at=40
    )
    assert first.min() >= 40
    assert first.mean() < 41.0
    assert highest.max() <= SPOOFING.clip * H * SPOOFING.jump_windows[-1]


@pytest.mark.requirement("XPDR-39")
def test_jumps_of_an_honest_course_are_at_most_standard_normal():
    rng, course, found = np.random.default_rng(3), Course(SPOOFING), []
    course.add(400)
    place, velocity = rng.uniform(200.0, 900.0, (400, 3)), rng.normal(0.0, 3.0, (400, 3))
    for number in range(30):
        looks = truthful(rng, place + 0.1 * number * velocity, velocity, 0.1 * number)
        found.append(course.look(np.arange(400), looks)[0])
    assert np.isnan(found[0]).all()
    assert 0.8 < found[-1].std() < 1.0
    # The second claim is expected at the first one: the difference of two.
    assert kstest(found[1].ravel(), "norm").pvalue > 0.001


@pytest.mark.requirement("XPDR-39")
def test_a_course_begins_again_and_claims_that_are_missing_leave_it():
    rng, course, row = np.random.default_rng(4), Course(SPOOFING), np.array([0])
    course.add(1)
    here = (300.0, 200.0, 50.0)
    course.look(row, truthful(rng, here, (0.0, 0.0, 0.0), 0.0))
    nothing = truthful(rng, here, (0.0, 0.0, 0.0), 0.1, time=np.full(1, math.nan), position=np.full((1, 3), math.nan))
    assert np.isnan(course.look(row, nothing)[0]).all()
    far = np.array(here) + 5.0
    assert np.abs(course.look(row, truthful(rng, far, (0.0, 0.0, 0.0), 0.2))[0]).min() > 10.0
    course.restart(row)
    assert np.isnan(course.look(row, truthful(rng, here, (0.0, 0.0, 0.0), 0.3))[0]).all()
