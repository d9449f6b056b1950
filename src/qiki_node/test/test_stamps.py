"""Stamps to numbers and back."""

import math
import re

import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.stamps import (
    EARLIEST,
    LATEST,
    SECOND,
    from_nanoseconds,
    from_seconds,
    nanoseconds,
    nearest,
    seconds,
    set_nanoseconds,
)

IN_RANGE = st.integers(EARLIEST, LATEST)


@given(IN_RANGE)
def test_nanoseconds_come_back(value):
    assert nanoseconds(from_nanoseconds(value)) == value


@given(st.floats(0.0, 1e6))
def test_seconds_come_back_to_the_nanosecond(value):
    assert seconds(from_seconds(value)) == pytest.approx(value, abs=0.6e-9)


def test_a_time_before_zero_counts_up_from_a_whole_second():
    assert from_nanoseconds(-1) == Time(sec=-1, nanosec=SECOND - 1)
    assert seconds(Time(sec=-1, nanosec=SECOND // 2)) == -0.5


@given(st.integers(2**31 * SECOND, 2**70))
def test_beyond_what_a_stamp_holds_is_refused_with_the_value(value):
    for beyond in (value, -value - SECOND):
        stamp = Time(sec=5)
        with pytest.raises(ValueError, match=rf"^time: {beyond} ns cannot be a stamp; allowed: -2147483648"):
            set_nanoseconds(stamp, beyond)
        assert stamp == Time(sec=5), "nothing has changed"
    assert nearest(value) == Time(sec=2**31 - 1, nanosec=SECOND - 1)
    assert nearest(-value - SECOND) == Time(sec=-(2**31))


@given(IN_RANGE)
def test_the_nearest_of_what_a_stamp_holds_is_itself(value):
    assert nearest(value) == from_nanoseconds(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2.0**31, -3e9, 1e300])
def test_seconds_beyond_what_a_stamp_holds_are_refused_with_the_value(value):
    with pytest.raises(ValueError, match=rf"^time: {re.escape(repr(value))} s cannot be a stamp; allowed"):
        from_seconds(value)
