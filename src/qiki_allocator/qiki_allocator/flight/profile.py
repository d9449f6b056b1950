"""Thrust profiles: segments of thrust flown one after the other, by the clock.

Over its ramp a segment goes in a straight line from the wrench at the end of the segment before (zero before the first)
to its own wrench W = level * full wrench, and stays there. With ramp r its impulse up to t after its start is:

    J(t) = P t + (W - P) t^2 / (2 r)                      for t <= r
    J(t) = (P + W) r / 2 + W (t - r)                      beyond
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from qiki_allocator.flight.segments import ProfileConfig, Segment, check_segments

Floats = npt.NDArray[np.float64]

CLOCK_RESOLUTION = 1e-9  # s, of a ROS time


class Outcome(StrEnum):
    """Outcome of a profile."""

    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, eq=False)
class ProfileStep:
    """Command of a profile at a moment.

    Attributes:
        wrench: (6,) N, N m, mean over the window; zero once the profile has ended.
        level: 0 to 1, at the start of the window.
        progress: 0 to 1 of the duration.
        segment: index of the running segment, or of the one it ended in.
        outcome: None while it runs.
    """

    wrench: Floats
    level: float
    progress: float
    segment: int
    outcome: Outcome | None


@dataclass(frozen=True, eq=False)
class ProfileResult:
    """Account of a profile, up to now or to its end.

    Attributes:
        outcome: None while it runs.
        reason: why it ended, empty if EXECUTED or still running.
        segment: index of the running segment, or of the one it ended in.
        elapsed: s, from its start to its end or to the newest step.
        commanded: (6,) N s, N m s, impulse of the profile over `elapsed`.
        delivered: (6,) N s, N m s, impulse booked by `deliver` and `correct`.
        energy: J, booked by the same.
    """

    outcome: Outcome | None
    reason: str
    segment: int
    elapsed: float
    commanded: Floats
    delivered: Floats
    energy: float


class ProfileRunner:
    """One run of a profile.

    Raises:
        ProfileError: naming field, value and allowed range of what is wrong with the segments.
    """

    def __init__(self, segments: Sequence[Segment], config: ProfileConfig) -> None:
        check_segments(segments, config)
        self._config = config
        self._segments = tuple(segments)
        wrenches = [np.asarray(s.wrench, dtype=float) * s.level for s in segments]
        self._wrenches = [np.zeros(6), *wrenches]
        self._levels = [0.0, *(s.level for s in segments)]
        self._starts = [0.0, *itertools.accumulate(s.duration for s in segments)]
        impulses = [self._within_segment(i, s.duration) for i, s in enumerate(segments)]
        self._impulses = list(itertools.accumulate(impulses, initial=np.zeros(6)))
        self._start: float | None = None
        self._elapsed = 0.0
        self._outcome: Outcome | None = None
        self._reason = ""
        self._delivered = np.zeros(6)
        self._energy = 0.0

    @property
    def duration(self) -> float:
        """s, of the whole profile."""
        return self._starts[-1]

    def start(self, time: float) -> None:
        """Start at `time` s.

        Raises:
            RuntimeError: it was started, or ended, before.
            ValueError: time is not finite.
        """
        if self._start is not None or self._outcome is not None:
            raise RuntimeError("the profile was started or ended before")
        if not math.isfinite(time):
            raise ValueError(f"time: {time} s; allowed: finite")
        self._start = time

    def at(self, time: float, window: float = 0.0) -> ProfileStep:
        """Command for the `window` s from `time` s on; 0: at that instant.

        The wrench is the mean over the window, zero beyond the end: windows that follow each other without a gap
        command the impulse of the profile exactly. The profile ends EXECUTED once its duration is over, TIMEOUT when no
        cycle came for longer than `max_gap`, FAILED when the clock went back.

        Raises:
            RuntimeError: it was not started.
            ValueError: time or window is not finite, or window negative.
        """
        if self._start is None:
            raise RuntimeError("the profile was not started")
        if not (math.isfinite(time) and math.isfinite(window) and window >= 0.0):
            raise ValueError(f"time, window: {time} s, {window} s; allowed: finite, window at least 0")
        if self._outcome is None:
            self._advance(time - self._start)
        if self._outcome is not None:
            return ProfileStep(np.zeros(6), 0.0, self._elapsed / self.duration, self._segment(), self._outcome)
        now = self._elapsed
        index = self._segment()
        wrench = (self.impulse(now + window) - self.impulse(now)) / window if window > 0.0 else self._wrench(index, now)
        before, after = self._levels[index : index + 2]
        level = before + (after - before) * self._ramped(index, now)
        return ProfileStep(wrench, level, now / self.duration, index, None)

    def deliver(self, wrench: npt.ArrayLike, power: float, seconds: float) -> None:
        """Book what the thrusters gave: mean wrench (6,) N, N m and electrical power W over `seconds`.

        May be called after the end, for pulses that were on their way.

        Raises:
            ValueError: a value is not finite, or power or seconds negative.
        """
        given = np.asarray(wrench, dtype=float)
        if given.shape != (6,) or not np.isfinite(given).all():
            raise ValueError(f"wrench: {given.tolist()}; allowed: six finite numbers, N and N m")
        for name, value, unit in (("power", power, "W"), ("seconds", seconds, "s")):
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name}: {value} {unit}; allowed: finite, at least 0 {unit}")
        self._delivered += given * seconds
        self._energy += power * seconds

    def correct(self, impulse: npt.ArrayLike, energy: float) -> None:
        """Book what was given more, or less, than was delivered so far: (6,) N s, N m s and J.

        Raises:
            ValueError: a value is not finite.
        """
        more = np.asarray(impulse, dtype=float)
        if more.shape != (6,) or not np.isfinite(more).all():
            raise ValueError(f"impulse: {more.tolist()}; allowed: six finite numbers, N s and N m s")
        if not math.isfinite(energy):
            raise ValueError(f"energy: {energy} J; allowed: finite")
        self._delivered += more
        self._energy += energy

    def cancel(self, reason: str = "canceled") -> None:
        """End it CANCELED, from the next step on with a zero wrench; nothing happens if it has ended otherwise than
        EXECUTED: of a profile that is executed, the last pulses are cut off."""
        if self._outcome is Outcome.EXECUTED:
            self._outcome = None
        self._end(Outcome.CANCELED, reason)

    def fail(self, reason: str) -> None:
        """End it FAILED, from the next step on with a zero wrench; nothing happens if it has ended."""
        self._end(Outcome.FAILED, reason)

    def result(self) -> ProfileResult:
        """Account until now."""
        return ProfileResult(
            outcome=self._outcome,
            reason=self._reason,
            segment=self._segment(),
            elapsed=self._elapsed,
            commanded=self.impulse(self._elapsed),
            delivered=self._delivered.copy(),
            energy=self._energy,
        )

    def impulse(self, elapsed: float) -> Floats:
        """Impulse (6,) N s, N m s of the profile over its first `elapsed` s, in closed form."""
        index = self._index(elapsed)
        within = min(max(elapsed, 0.0) - self._starts[index], self._segments[index].duration)
        total: Floats = self._impulses[index] + self._within_segment(index, within)
        return total

    def _advance(self, elapsed: float) -> None:
        if elapsed < self._elapsed:
            self._end(Outcome.FAILED, f"clock: {self._elapsed - elapsed:.3f} s back; allowed: forward only")
        elif elapsed - self._elapsed > self._config.max_gap:
            gap = elapsed - self._elapsed
            self._end(Outcome.TIMEOUT, f"no control cycle for {gap:.3f} s; allowed: {self._config.max_gap:g} s")
        elif elapsed >= self.duration - CLOCK_RESOLUTION:
            self._elapsed = self.duration
            self._end(Outcome.EXECUTED, "")
        else:
            self._elapsed = elapsed

    def _end(self, outcome: Outcome, reason: str) -> None:
        if self._outcome is None:
            self._outcome, self._reason = outcome, reason

    def _segment(self) -> int:
        return self._index(self._elapsed)

    def _index(self, elapsed: float) -> int:
        started = int(np.searchsorted(self._starts, elapsed, side="right")) - 1
        return min(max(started, 0), len(self._segments) - 1)

    def _ramped(self, index: int, elapsed: float) -> float:
        """0 to 1, how much of the segment's ramp is done."""
        ramp = self._segments[index].ramp
        return 1.0 if ramp == 0.0 else min((elapsed - self._starts[index]) / ramp, 1.0)

    def _wrench(self, index: int, elapsed: float) -> Floats:
        before, after = self._wrenches[index : index + 2]
        wrench: Floats = before + (after - before) * self._ramped(index, elapsed)
        return wrench

    def _within_segment(self, index: int, seconds: float) -> Floats:
        """Impulse (6,) of the first `seconds` of a segment."""
        before, after = self._wrenches[index : index + 2]
        ramp = self._segments[index].ramp
        ramped = min(seconds, ramp)
        risen = ramped**2 / (2.0 * ramp) if ramp > 0.0 else 0.0
        impulse: Floats = before * ramped + (after - before) * risen + after * (seconds - ramped)
        return impulse
