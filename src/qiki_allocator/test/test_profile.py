"""Thrust profiles: impulse in closed form, and every way they end."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_allocator.flight.profile import Outcome, ProfileRunner
from qiki_allocator.flight.segments import ProfileConfig, ProfileError, Segment, check_segments
from qiki_vehicle import ConfigurationError

CONFIG = ProfileConfig(max_segments=10, max_duration=600.0, max_gap=0.5)
ROOMY = ProfileConfig(max_segments=10, max_duration=600.0, max_gap=100.0)
FORWARD = np.array([200.0, 0.0, 0.0, 0.0, 0.0, 0.0])
YAW = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 50.0])


def runner(*segments: Segment, config: ProfileConfig = CONFIG) -> ProfileRunner:
    run = ProfileRunner(segments, config)
    run.start(100.0)
    return run


def test_level_wrench_and_progress_along_a_ramped_profile() -> None:
    run = runner(Segment(FORWARD, 0.5, 2.0, 4.0), Segment(YAW, 1.0, 1.0, 6.0), config=ROOMY)
    for elapsed, segment, level, force, torque in (
        (0.0, 0, 0.0, 0.0, 0.0),
        (1.0, 0, 0.25, 50.0, 0.0),
        (2.0, 0, 0.5, 100.0, 0.0),
        (3.9, 0, 0.5, 100.0, 0.0),
        (4.0, 1, 0.5, 100.0, 0.0),
        (4.5, 1, 0.75, 50.0, 25.0),
        (5.0, 1, 1.0, 0.0, 50.0),
        (9.9, 1, 1.0, 0.0, 50.0),
    ):
        step = run.at(100.0 + elapsed)
        assert (step.segment, step.outcome) == (segment, None)
        assert step.level == pytest.approx(level, abs=1e-9)
        assert step.progress == pytest.approx(elapsed / 10.0)
        np.testing.assert_allclose(step.wrench[[0, 5]], [force, torque], atol=1e-9)
    step = run.at(110.0)
    assert (step.segment, step.level, step.progress, step.outcome) == (1, 0.0, 1.0, Outcome.EXECUTED)
    assert not step.wrench.any()


def test_impulse_of_a_ramp_in_closed_form() -> None:
    run = runner(Segment(FORWARD, 0.5, 2.0, 4.0), Segment(FORWARD, 1.0, 1.0, 6.0))
    for elapsed, impulse in ((-1.0, 0.0), (1.0, 25.0), (2.0, 100.0), (4.0, 300.0), (4.5, 362.5), (5.0, 450.0)):
        assert run.impulse(elapsed)[0] == pytest.approx(impulse, abs=1e-9)
    assert run.impulse(10.0)[0] == run.impulse(1e9)[0] == pytest.approx(1450.0)


segments = st.lists(
    st.builds(
        lambda wrench, level, share, duration: Segment(np.array(wrench), level, share * duration, duration),
        st.tuples(*[st.floats(-1e3, 1e3)] * 6),
        st.floats(0.0, 1.0),
        st.floats(0.0, 1.0),
        st.floats(1e-3, 20.0),
    ),
    min_size=1,
    max_size=6,
)


@given(segments, st.lists(st.floats(0.1, 20.0), min_size=1, max_size=20))
def test_windows_of_any_length_command_the_impulse_of_the_profile(parts: list[Segment], windows: list[float]) -> None:
    run, elapsed, given_impulse = runner(*parts, config=ROOMY), 0.0, np.zeros(6)
    for window in windows * math.ceil(run.duration / sum(windows) + 1.0):
        step = run.at(100.0 + elapsed, window)
        given_impulse += step.wrench * window
        elapsed += window
    wrenches = [np.zeros(6), *(p.wrench * p.level for p in parts)]
    expected = sum(
        (a + b) / 2 * p.ramp + b * (p.duration - p.ramp) for a, b, p in zip(wrenches, wrenches[1:], parts, strict=False)
    )
    scale = 1e3 * run.duration
    np.testing.assert_allclose(given_impulse, expected, atol=scale * 1e-9)
    assert run.result().outcome is Outcome.EXECUTED
    np.testing.assert_allclose(run.result().commanded, expected, atol=scale * 1e-9)


@given(segments, st.lists(st.floats(0.0, 10.0), max_size=20))
def test_progress_and_segment_never_go_back(parts: list[Segment], steps: list[float]) -> None:
    run, time = runner(*parts, config=ROOMY), 100.0
    before = run.at(time)
    for step in steps:
        time += step
        now = run.at(time)
        assert (now.progress, now.segment) >= (before.progress, before.segment)
        assert 0.0 <= now.level <= 1.0
        assert now.outcome in (None, Outcome.EXECUTED)
        before = now


def test_cancel_stops_with_the_next_step_and_names_the_place() -> None:
    run = runner(Segment(FORWARD, 1.0, 0.0, 1.0), Segment(YAW, 1.0, 0.0, 1.0), config=ROOMY)
    run.at(101.25)
    run.cancel("operator")
    step = run.at(101.26)
    assert (step.outcome, step.level, step.segment) == (Outcome.CANCELED, 0.0, 1)
    assert not step.wrench.any()
    result = run.result()
    assert (result.reason, result.segment) == ("operator", 1)
    assert result.elapsed == pytest.approx(1.25)
    np.testing.assert_allclose(result.commanded[[0, 5]], [200.0, 12.5])


def test_first_ending_stands() -> None:
    run = runner(Segment(FORWARD, 1.0, 0.0, 1.0))
    run.fail("power: 0 W; allowed: above 0 W")
    run.cancel()
    assert run.at(102.0).outcome is Outcome.FAILED
    assert run.result().reason == "power: 0 W; allowed: above 0 W"


@pytest.mark.parametrize(
    ("times", "outcome", "reason"),
    [
        ((100.4, 100.9), None, ""),
        ((100.4, 100.91), Outcome.TIMEOUT, "no control cycle for 0.510 s; allowed: 0.5 s"),
        ((100.6,), Outcome.TIMEOUT, "no control cycle for 0.600 s; allowed: 0.5 s"),
        ((100.4, 100.3), Outcome.FAILED, "clock: 0.100 s back; allowed: forward only"),
        ((0.0,), Outcome.FAILED, "clock: 100.000 s back; allowed: forward only"),
        ((100.5, 101.0), Outcome.EXECUTED, ""),
    ],
)
def test_cycles_that_do_not_come_and_clocks_that_go_back(
    times: tuple[float, ...], outcome: Outcome | None, reason: str
) -> None:
    run = runner(Segment(FORWARD, 1.0, 0.0, 1.0))
    steps = [run.at(time) for time in times]
    assert steps[-1].outcome is outcome
    assert run.result().reason == reason
    assert steps[-1].wrench.any() == (outcome is None)


def test_books_keep_what_was_delivered_also_after_the_end() -> None:
    run = runner(Segment(FORWARD, 1.0, 0.0, 1.0), config=ROOMY)
    for _ in range(10):
        run.deliver(FORWARD * 0.5, 3000.0, 0.1)
    run.at(101.0)
    run.deliver(FORWARD, 6000.0, 0.1)
    result = run.result()
    assert result.outcome is Outcome.EXECUTED
    np.testing.assert_allclose(result.delivered, FORWARD * 0.6)
    np.testing.assert_allclose(result.commanded, FORWARD)
    assert result.energy == pytest.approx(3600.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"duration": 0.0}, r"segments\[1\]\.duration: 0.0 s; allowed: finite, above 0 s"),
        ({"duration": math.nan}, r"segments\[1\]\.duration: nan s; allowed: finite, above 0 s"),
        ({"duration": 599.1}, r"segments: 600.1 s in all; allowed: at most 600 s"),
        ({"level": 1.1}, r"segments\[1\]\.level: 1.1; allowed: 0 to 1"),
        ({"level": math.nan}, r"segments\[1\]\.level: nan; allowed: 0 to 1"),
        ({"ramp": -0.1}, r"segments\[1\]\.ramp: -0.1 s; allowed: 0 to duration \(1 s\)"),
        ({"ramp": 1.1}, r"segments\[1\]\.ramp: 1.1 s; allowed: 0 to duration \(1 s\)"),
        ({"wrench": np.array([1.0, math.inf, 0, 0, 0, 0])}, r"segments\[1\]\.wrench\.force\.y: inf N; allowed: finite"),
        ({"wrench": np.zeros(3)}, r"segments\[1\]\.wrench: shape \(3,\); allowed: \(6,\)"),
    ],
)
def test_a_segment_that_cannot_be_flown_is_refused_by_field_value_and_range(
    change: dict[str, Any], message: str
) -> None:
    good = Segment(FORWARD, 1.0, 0.0, 1.0)
    bad = Segment(**{"wrench": FORWARD, "level": 1.0, "ramp": 0.0, "duration": 1.0, **change})
    with pytest.raises(ProfileError, match=f"^{message}"):
        check_segments([good, bad], CONFIG)


def test_misuse_is_refused() -> None:
    for count in (0, 11):
        with pytest.raises(ProfileError, match=rf"^segments: {count}; allowed: 1 to 10"):
            ProfileRunner([Segment(FORWARD, 1.0, 0.0, 1.0)] * count, CONFIG)
    run = ProfileRunner([Segment(FORWARD, 1.0, 0.0, 1.0)], CONFIG)
    with pytest.raises(RuntimeError, match="was not started"):
        run.at(0.0)
    with pytest.raises(ValueError, match=r"^time: nan s; allowed: finite"):
        run.start(math.nan)
    run.start(0.0)
    with pytest.raises(RuntimeError, match="started or ended before"):
        run.start(1.0)
    with pytest.raises(ValueError, match=r"^time, window: 0.0 s, -1.0 s; allowed"):
        run.at(0.0, -1.0)
    for arguments, name in (((np.full(6, np.nan), 1.0, 1.0), "wrench"), ((FORWARD, -1.0, 1.0), "power")):
        with pytest.raises(ValueError, match=f"^{name}: .*; allowed: "):
            run.deliver(*arguments)
    with pytest.raises(ConfigurationError, match=r"^max_gap: 0.0 s; allowed: finite, above 0 s"):
        ProfileConfig(max_segments=1, max_duration=1.0, max_gap=0.0)
