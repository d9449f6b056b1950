"""Pacing of simulated time by wall time (SIM-N1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_sim.pacer import LARGEST_LAG, Pacer


def test_follows_wall_time():
    pacer = Pacer(0.01, 1.0, 100.0)
    assert pacer.due(100.0) == 0
    assert pacer.due(100.01) == 1
    assert pacer.due(100.035) == 2
    assert pacer.due(100.04) == 1


def test_follows_at_another_speed():
    pacer = Pacer(0.01, 0.1, 0.0)
    assert [pacer.due(0.05 * count) for count in range(1, 5)] == [0, 1, 0, 1]
    pacer.set_speed(2.0, 0.2)
    assert pacer.due(0.21) == 2


@pytest.mark.parametrize("speed", [0.0, -1.0, 0.009, 101.0, float("nan")])
def test_impossible_speed_is_refused(speed):
    pacer = Pacer(0.01, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"factor = .*: allowed: 0.01 to 100"):
        pacer.set_speed(speed, 0.0)
    assert pacer.speed == 1.0


def test_slow_machine_slows_time_down_instead_of_catching_up():
    pacer = Pacer(0.01, 1.0, 0.0)
    total = sum(pacer.due(wall * 1.0) for wall in range(1, 11))
    assert total <= 10 * pacer.most_ticks
    assert sum(pacer.due(10.0) for _ in range(100)) <= LARGEST_LAG / 0.01 + 1
    assert pacer.real_time_factor(10.0) < 0.2


@given(st.lists(st.floats(0.0, 0.2), max_size=60), st.sampled_from([0.1, 1.0, 10.0, 100.0]))
def test_never_ahead_of_wall_time(waits, speed):
    pacer, wall, ticks = Pacer(0.01, speed, 0.0), 0.0, 0
    for wait in waits:
        wall += wait
        now = pacer.due(wall)
        assert 0 <= now <= pacer.most_ticks
        ticks += now
        assert ticks * 0.01 <= wall * speed + 1e-6 * (len(waits) + 1)


@given(st.lists(st.tuples(st.floats(0.0, 0.2), st.integers(1, 5)), max_size=60), st.sampled_from([1.0, 10.0, 100.0]))
def test_ticks_that_a_slow_machine_postpones_are_not_counted_and_due_still(looks, speed):
    pacer, wall, ticks = Pacer(0.01, speed, 0.0), 0.0, 0
    for wait, most in looks:
        wall += wait
        due = pacer.due(wall)
        rest = max(due - most, 0)
        pacer.postpone(rest)
        ticks += due - rest
        again = pacer.due(wall)
        assert rest <= again <= pacer.most_ticks
        pacer.postpone(again)
        assert ticks * 0.01 <= wall * speed + 1e-6 * (len(looks) + 1)


def test_a_look_ends_after_a_few_ms_or_two_periods():
    assert [Pacer(0.01, speed, 0.0).longest_look for speed in (0.1, 1.0, 100.0)] == pytest.approx([0.2, 0.02, 0.005])


@pytest.mark.parametrize("speed", [0.01, 0.03, 1.0, 7.0, 100.0])
def test_the_reached_speed_is_right_at_every_speed(speed):
    """SIM-N1: measured each second, with few ticks in it or many, also after a change of speed and a pause."""
    pacer, wall = Pacer(0.01, 5.0, 0.0), 0.0

    def run(seconds):
        nonlocal wall
        for _ in range(round(seconds / 0.001)):
            wall += 0.001
            pacer.due(wall)
        return pacer.real_time_factor(wall)

    run(0.7)
    pacer.set_speed(speed, wall)
    assert pacer.real_time_factor(wall + 0.01) is None
    for _ in range(4):
        assert run(1.0) == pytest.approx(speed, rel=0.01)
    wall += 20.0  # paused
    pacer.restart(wall)
    assert run(1.0) == pytest.approx(speed, rel=0.01)
