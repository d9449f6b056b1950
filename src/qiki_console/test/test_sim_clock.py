"""Simulated time between ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model.sim_clock import SimClock


def ticked(rate: float, count: int, period: float = 0.01) -> SimClock:
    clock = SimClock()
    for index in range(count):
        clock.tick(5.0 + index * period, 100.0 + index * period / rate)
    return clock


def test_nothing_is_known_before_the_first_tick() -> None:
    clock = SimClock()
    assert clock.now(3.0) is None
    assert clock.latest is None
    assert clock.rate is None
    assert clock.silence(3.0) == float("inf")


@given(rate=st.floats(0.01, 100.0), count=st.integers(2, 200), share=st.floats(0.0, 1.0))
def test_time_between_ticks_is_interpolated(rate: float, count: int, share: float) -> None:
    clock = ticked(rate, count)
    last_wall = 100.0 + (count - 1) * 0.01 / rate
    assert clock.rate == pytest.approx(rate, rel=1e-4)
    assert clock.now(last_wall + share * 0.01 / rate) == pytest.approx(5.0 + (count - 1 + share) * 0.01, abs=1e-6)


@given(silence=st.floats(0.0, 1e6))
def test_time_never_runs_more_than_one_period_ahead(silence: float) -> None:
    clock = ticked(1.0, 10)
    now = clock.now(100.09 + silence)
    assert now is not None
    assert clock.latest is not None
    assert clock.latest <= now <= clock.latest + 0.01 + 1e-9


def test_a_reset_begins_anew() -> None:
    clock = ticked(1.0, 10)
    clock.tick(0.01, 101.0)
    assert clock.restarts == 1
    assert clock.now(102.0) == 0.01
    assert clock.rate is None


def test_time_that_stands_still_has_no_period() -> None:
    clock = SimClock()
    for wall in (1.0, 1.1, 1.2):
        clock.tick(7.0, wall)
    assert clock.period is None
    assert clock.now(5.0) == 7.0
