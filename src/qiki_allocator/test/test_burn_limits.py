"""Longest burn and cooldown of each valve."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_allocator.limits.burn_limits import BurnConfig, BurnGuard
from qiki_vehicle import ConfigurationError

CONFIG = BurnConfig(max_burn=3.0, cooldown=1.0, min_on=0.03)
NONE = math.nan


def remaining(guard: BurnGuard, time: float) -> float:
    return float(guard.limits(time, 0.1).remaining[0])


def test_burn_uses_up_and_pause_restores() -> None:
    guard = BurnGuard(1, CONFIG)
    assert remaining(guard, 0.0) == 3.0
    guard.command(10.0, [0.0], [NONE])
    assert remaining(guard, 10.0) == 3.0
    assert remaining(guard, 12.0) == pytest.approx(1.0)
    guard.command(12.0, [NONE], [0.0])
    assert remaining(guard, 12.2) == pytest.approx(1.6)
    assert remaining(guard, 12.7) == 3.0


def test_a_full_burn_needs_the_whole_cooldown() -> None:
    guard = BurnGuard(1, CONFIG)
    guard.command(0.0, [0.0], [3.0])
    seen = {t: remaining(guard, t) for t in (2.99, 3.0, 3.5, 3.999, 4.0)}
    assert seen == {2.99: pytest.approx(0.01), 3.0: 0.0, 3.5: 0.0, 3.999: 0.0, 4.0: 3.0}


def test_a_burn_that_leaves_less_than_a_pulse_was_a_full_one() -> None:
    for length, after in ((2.969, 0.031 + 0.3), (2.971, 0.0)):
        guard = BurnGuard(1, CONFIG)
        guard.command(0.0, [0.0], [length])
        assert remaining(guard, length + 0.1) == pytest.approx(after)


def test_a_valve_held_open_past_its_time_stays_bound_and_cools_after_it_closes() -> None:
    guard = BurnGuard(1, CONFIG)
    guard.command(0.0, [0.0], [NONE])
    assert remaining(guard, 50.0) == 0.0
    guard.command(50.0, [NONE], [0.0])
    assert remaining(guard, 50.999) == 0.0
    assert remaining(guard, 51.0) == 3.0


def test_opening_during_the_cooldown_starts_it_anew() -> None:
    guard = BurnGuard(1, CONFIG)
    guard.command(0.0, [0.0], [3.0])
    guard.command(3.5, [0.0], [0.1])
    assert remaining(guard, 4.5) == 0.0
    assert remaining(guard, 4.6) == 3.0


def test_factor_and_names_are_for_the_window() -> None:
    guard = BurnGuard(2, CONFIG)
    guard.command(0.0, [NONE, 0.0], [NONE, NONE])
    for time, window, factor in ((2.0, 0.25, 1.0), (2.9, 0.25, 0.4), (3.0, 0.25, 0.0), (2.9, 0.01, 1.0)):
        limits = guard.limits(time, window)
        np.testing.assert_allclose(limits.factor, [1.0, factor], atol=1e-9)
        assert limits.names == (("", "burn time:1") if factor < 1.0 else ("", ""))


def test_a_new_command_replaces_the_edges_from_its_stamp_on() -> None:
    guard = BurnGuard(2, CONFIG)
    guard.command(0.0, [0.0, 0.5], [0.5, 1.0])
    guard.command(0.5, [NONE, NONE], [NONE, NONE])
    # The first stays open, for its closing was replaced; the second never opened.
    np.testing.assert_allclose(guard.limits(1.5, 0.1).remaining, [1.5, 3.0])


def test_pause_inside_a_window_and_pulse_of_no_length() -> None:
    guard = BurnGuard(3, CONFIG)
    guard.command(0.0, [0.0, 0.6, 1.0], [NONE, NONE, NONE])
    guard.command(1.0, [0.5, 0.2, NONE], [0.4, 0.2, NONE])
    # Open 1.4, paused 0.1, open 0.5; open 0.4, then closed by the edges at the same time; opened by nothing.
    np.testing.assert_allclose(guard.limits(2.0, 0.1).remaining, [3.0 - 1.4 + 0.3 - 0.5, 3.0, 3.0])
    assert guard.limits(1.2, 0.1).remaining[1] == pytest.approx(2.4)


def test_without_cooldown_every_pause_restores_all() -> None:
    guard = BurnGuard(1, replace(CONFIG, cooldown=0.0))
    guard.command(0.0, [0.0], [3.0])
    assert remaining(guard, 3.0) == 0.0
    assert remaining(guard, 3.001) == 3.0


def test_clock_set_back_freezes_no_thruster() -> None:
    guard = BurnGuard(2, CONFIG)
    guard.command(100.0, [0.0, 0.0], [3.0, 0.5])
    np.testing.assert_allclose(guard.limits(0.0, 0.1).remaining, [0.0, 2.5], atol=1e-5)
    np.testing.assert_allclose(guard.limits(0.999, 0.1).remaining, [0.0, 3.0], atol=1e-5)
    np.testing.assert_allclose(guard.limits(1.001, 0.1).remaining, [3.0, 3.0], atol=1e-5)
    # A command just before the last stamp, as a stop is, takes the place of all that was to come.
    guard.command(5.0, [0.0, 0.0], [NONE, NONE])
    guard.command(4.99, [NONE, NONE], [0.0, 0.0])
    np.testing.assert_allclose(guard.limits(8.0, 0.1).remaining, [3.0, 3.0])


class Valve:
    """What hardware makes of one valve's commands: burns from when to when, in whole microseconds."""

    def __init__(self) -> None:
        self.burns: list[list[int]] = []
        self.open = False
        self._edges: list[tuple[int, bool]] = []

    def command(self, stamp: int, opening: float, closing: float) -> None:
        self.run(stamp)
        edges = [(opening, True), (closing, False)]
        due = [(stamp + round(at * 1e6), opens) for at, opens in edges if not math.isnan(at)]
        self._edges = sorted(due, key=lambda edge: edge[0])

    def run(self, until: int) -> None:
        """Apply the edges before `until` and drop the rest."""
        for time, opens in self._edges:
            if time < until:
                if opens and not self.open:
                    self.burns.append([time, time])
                if self.open and not opens:
                    self.burns[-1][1] = time
                self.open = opens
        self._edges = []


@dataclass(frozen=True)
class Window:
    length: int
    """us"""
    share: float
    """On-time as share of what is allowed."""
    place: float
    """0 to 1, where in the window the pulse or the pause sits."""
    split: bool
    """A valve open at the start pauses and opens again; a closed one opens late and stays open."""
    cut: float
    """Share of the window after which the next command comes."""
    silence: int
    """us without a command after the window, if it ends with the valve closed."""


def edges_of(window: Window, is_open: bool, on: float) -> tuple[float, float]:
    """Opening and closing, s after the start, that keep the valve open for `on` s of the window."""
    off = window.length / 1e6 - on
    if off <= 0.0:
        return (NONE, NONE) if is_open else (0.0, NONE)
    if is_open:
        before = on * window.place
        reopens = window.split and on - before >= CONFIG.min_on
        return (before + off, before) if reopens else (NONE, on)
    return (off, NONE) if window.split else (off * window.place, off * window.place + on)


windows = st.builds(
    Window,
    length=st.integers(2, 400).map(lambda ms: ms * 1000),
    share=st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
    place=st.floats(0.0, 1.0),
    split=st.booleans(),
    cut=st.one_of(st.just(1.0), st.floats(0.1, 1.0)),
    silence=st.sampled_from([0, 0, 0, 10_000, 700_000]),
)


@given(st.lists(windows, min_size=1, max_size=20), st.integers(1, 8))
def test_commands_within_the_bounds_keep_every_rule(script: list[Window], repeats: int) -> None:
    guard, valve, time = BurnGuard(1, CONFIG), Valve(), 0
    for window in script * repeats:
        valve.run(time)
        length = window.length / 1e6
        on = length * float(guard.limits(time / 1e6, length).factor[0]) * window.share
        opening, closing = edges_of(window, valve.open, on)
        guard.command(time / 1e6, [opening], [closing])
        valve.command(time, opening, closing)
        stays_open = math.isnan(closing) or opening > closing
        time += (
            window.length + window.silence
            if window.cut == 1.0 and not stays_open
            else round(window.length * window.cut)
        )
    valve.run(time)
    valve.command(time, NONE, 0.0)
    valve.run(time + 1)
    burns: list[list[int]] = []
    for start, end in valve.burns:
        if burns and burns[-1][1] == start:
            burns[-1][1] = end
        elif end > start:
            burns.append([start, end])
    for burn, after in itertools.pairwise(burns):
        if burn[1] - burn[0] > 2_970_000:
            assert after[0] - burn[1] >= 1_000_000
    assert all(burn[1] - burn[0] <= 3_000_000 for burn in burns)
    _assert_sustained_duty(burns)


def _assert_sustained_duty(burns: list[list[int]]) -> None:
    """Any stretch holds at most one burn's worth more than three quarters of itself."""
    for i, first in enumerate(burns):
        used = 0
        for burn in burns[i:]:
            used += burn[1] - burn[0]
            pauses = burn[1] - first[0] - used
            assert used <= 3_000_000 + 3 * pauses + 2 * len(burns)


def test_bad_input_is_refused_by_name_and_changes_nothing() -> None:
    guard = BurnGuard(2, CONFIG)
    guard.command(0.0, [0.0, NONE], [NONE, NONE])
    with pytest.raises(ValueError, match=r"^open_time: .*allowed: 2 of at least 0, or NaN"):
        guard.command(1.0, [0.0], [NONE, NONE])
    with pytest.raises(ValueError, match=r"^close_time: .*allowed: 2 of at least 0, or NaN"):
        guard.command(1.0, [0.0, 0.0], [NONE, -0.1])
    with pytest.raises(ValueError, match=r"^stamp: nan s; allowed: finite"):
        guard.command(math.nan, [0.0, 0.0], [NONE, NONE])
    with pytest.raises(ValueError, match=r"^start, window: 0.0 s, 0.0 s; allowed: finite, window above 0"):
        guard.limits(0.0, 0.0)
    np.testing.assert_allclose(guard.limits(2.0, 0.1).remaining, [1.0, 3.0])
    with pytest.raises(ConfigurationError, match=r"^min_on: 4.0 s; allowed: 0 to 3 s"):
        replace(CONFIG, min_on=4.0)
