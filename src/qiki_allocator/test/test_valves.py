"""The commanded valves' books against an independent reading of the same commands."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from valve_hardware import Hardware

from qiki_allocator import ConfigurationError, ValveCommand, ValveTiming
from qiki_allocator.modulation.valves import ValveBank

edge = st.one_of(st.none(), st.integers(0, 250_000))


@given(
    commands=st.lists(
        st.tuples(st.integers(1_000, 300_000), st.lists(st.tuples(edge, edge), min_size=3, max_size=3)), max_size=6
    ),
    looks=st.lists(st.integers(0, 500_000), max_size=4),
)
def test_books_agree_with_the_edges(commands, looks):
    bank, hardware = ValveBank(3, ValveTiming()), Hardware(3)
    now = 0
    for step, edges in commands:
        for look in sorted(looks):
            if look < step:
                bank.advance((now + look) * 1e-6)
        now += step
        times = np.array([[math.nan if item is None else item * 1e-6 for item in pair] for pair in edges])
        # An open and a close at one instant have no order.
        times[times[:, 0] == times[:, 1], 1] = math.nan
        start = bank.clear_of_edges(now * 1e-6)
        assert now * 1e-6 - 1e-4 < start <= now * 1e-6 + 1e-9
        bank.advance(start)
        # One pulse or one pause per window: what would open a valve that is open, or close a closed one, is left out.
        times[bank.is_open & (times[:, 0] <= np.nan_to_num(times[:, 1], nan=9.0)), 0] = math.nan
        times[~bank.is_open & (times[:, 1] <= np.nan_to_num(times[:, 0], nan=9.0)), 1] = math.nan
        command = ValveCommand(start, 0.25, times[:, 0], times[:, 1])
        bank.take(command)
        hardware.take(command, start)
    end = (now + 600_000) * 1e-6
    bank.advance(end)
    pulses = hardware.pulses()
    on = [sum((end if close is None else close) - opened for opened, close in own) for own in pulses]
    np.testing.assert_allclose(bank.on_time, on, atol=1e-9)
    np.testing.assert_array_equal(bank.firings, [len(own) for own in pulses])
    np.testing.assert_array_equal(bank.is_open, [bool(own) and own[-1][1] is None for own in pulses])


def test_the_past_stays():
    bank = ValveBank(1, ValveTiming())
    bank.advance(1.0)
    bank.take(ValveCommand(1.0, 0.25, np.array([0.0]), np.array([0.1])))
    bank.advance(2.0)
    bank.advance(1.5)
    assert bank.time == 2.0
    assert bank.on_time[0] == pytest.approx(0.1)


def test_cooldown_follows_a_full_burn_only():
    bank = ValveBank(2, ValveTiming())
    bank.advance(0.0)
    bank.take(ValveCommand(0.0, 4.0, np.zeros(2), np.array([3.0, 2.9])))
    bank.advance(1.0)
    np.testing.assert_allclose(bank.burn_left(), 2.0)
    bank.advance(3.0)
    np.testing.assert_allclose(bank.rest(), [1.0, 0.0], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"min_on": 0.0}, "min_on: 0.0 s; allowed"), ({"max_burn": 0.1}, "max_burn: 0.1 s; allowed: at least 0.12")],
)
def test_impossible_timing_is_refused(arguments, text):
    with pytest.raises(ConfigurationError, match=text):
        ValveTiming(**arguments)


def test_an_opening_to_come_is_taken_back_where_no_valve_is_open():
    bank = ValveBank(2, ValveTiming())
    bank.advance(1.0)
    bank.take(ValveCommand(1.0, 0.25, np.array([0.1, math.nan]), np.array([0.2, math.nan])))
    command = bank.shut(np.array([True, True]))
    assert command is not None
    assert command.window == ValveTiming().min_on
    bank.take(command)
    bank.advance(2.0)
    assert not bank.firings.any()
