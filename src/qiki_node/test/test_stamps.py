"""Stamps to numbers and back."""

import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.stamps import SECOND, from_nanoseconds, from_seconds, nanoseconds, seconds

IN_RANGE = st.integers(-(2**31) * SECOND, (2**31 - 1) * SECOND)


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
def test_beyond_what_a_stamp_holds_is_the_nearest(value):
    assert from_nanoseconds(value).sec == 2**31 - 1
    assert from_nanoseconds(-value - SECOND).sec == -(2**31)
