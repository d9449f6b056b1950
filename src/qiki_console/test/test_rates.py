"""Statistics of arrivals."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model.rates import RateMeter


def test_one_arrival_has_no_rate() -> None:
    meter = RateMeter(10)
    assert meter.rate is None
    meter.arrive(1.0)
    assert meter.rate is None
    assert meter.total == 1


@given(gaps=st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=60), window=st.integers(1, 40))
def test_the_last_intervals_count(gaps: list[float], window: int) -> None:
    meter, time = RateMeter(window), 0.0
    meter.arrive(time)
    for gap in gaps:
        time += gap
        meter.arrive(time)
    kept = gaps[-window:]
    rate = meter.rate
    assert rate is not None
    assert rate.window == len(kept)
    assert rate.mean_rate == pytest.approx(1.0 / statistics.fmean(kept), rel=1e-6)
    assert rate.shortest == pytest.approx(min(kept), abs=1e-9)
    assert rate.longest == pytest.approx(max(kept), abs=1e-9)
    assert rate.deviation == pytest.approx(statistics.pstdev(kept), abs=1e-8)


def test_the_text_reads_like_that_of_ros2_topic_hz() -> None:
    meter = RateMeter(10)
    for time in (0.0, 0.04, 0.10):
        meter.arrive(time)
    assert str(meter.rate) == "average rate: 20.000\n\tmin: 0.040s max: 0.060s std dev: 0.01000s window: 2"
