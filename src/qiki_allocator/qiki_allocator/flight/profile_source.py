"""The thrust profile as a source of demand: one at a time, with its account."""

from collections.abc import Sequence

import numpy as np

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.profile import ProfileResult, ProfileRunner
from qiki_allocator.flight.segments import ProfileConfig, Segment, check_segments

_LAST_PULSES = 0.5
"""s after its end in which a profile waits for its last pulses, and for the report of them."""


class ProfileSource:
    """The profile in flight, if any. Its watchdog: it ends when control cycles pause for longer than `max_gap`.

    Args:
        tick: s between two cycles.

    Attributes:
        name: of the profile in flight, or of the last one.
        segments: their number.
        duration: s of all of them.
        gives_torque: any of them has a torque.
        modulator: to fly it with; empty: the chosen one.
    """

    name = ""
    segments = 0
    duration = 0.0
    gives_torque = False
    modulator = ""

    def __init__(self, drive: Drive, config: ProfileConfig, tick: float) -> None:
        self._drive = drive
        self._config = config
        self._tick = tick
        self._runner: ProfileRunner | None = None
        self._result: ProfileResult | None = None

    @property
    def is_on(self) -> bool:
        """True while a profile or its last pulses are in flight."""
        return self._runner is not None

    @property
    def result(self) -> ProfileResult | None:
        """Progress, or the result of the last profile; None: there was none."""
        return self._runner.result() if self._runner is not None else self._result

    def check(self, segments: Sequence[Segment]) -> None:
        """Refuse segments that cannot be flown.

        Raises:
            ProfileError: naming field, value and allowed range.
        """
        check_segments(
            segments, self._config, self._drive.array.extremes(self._drive.faults.health.thrust(self._drive.array))
        )

    def start(self, now: float, segments: Sequence[Segment], name: str, modulator: str = "") -> None:
        """Fly a profile from now on, with a modulator if it is named.

        Raises:
            ProfileError: naming field, value and allowed range.
        """
        runner = ProfileRunner(segments, self._config)
        runner.start(now)
        self._drive.take_delivered()
        self._runner, self._result = runner, None
        self._last = now
        self.name, self.segments, self.duration = name, len(segments), runner.duration
        self.modulator = modulator
        self.gives_torque = any(np.any(np.asarray(segment.wrench)[3:] * segment.level) for segment in segments)

    def wrench(self, now: float) -> Floats:
        """(6,) for the cycle that begins at `now`, of the profile in flight."""
        assert self._runner is not None
        return self._runner.at(now, self._tick).wrench.copy()

    def fail(self, reason: str) -> None:
        """End it FAILED, after its last pulses."""
        if self._runner is not None:
            self._runner.fail(reason)

    def follow(self, now: float) -> None:
        """Add a cycle to the account. A profile that has ended is over after its last pulses and, if the valves'
        counters come, their report."""
        if self._runner is None:
            return
        self._add_delivered(self._runner)
        if self._runner.result().outcome is None:
            self._last = now
        elif now - self._last > _LAST_PULSES or not (self._drive.is_active or self._drive.awaits_counters(now)):
            self._close()

    def cancel(self) -> None:
        """End it CANCELED now."""
        if self._runner is not None:
            self._runner.cancel()
        self._close()

    def abort(self, reason: str) -> None:
        """End it FAILED now."""
        self.fail(reason)
        self._close()

    def _close(self) -> None:
        if self._runner is not None:
            self._add_delivered(self._runner)
            self._result, self._runner = self._runner.result(), None

    def _add_delivered(self, runner: ProfileRunner) -> None:
        given = self._drive.take_delivered()
        if given.elapsed > 0.0:
            runner.deliver(given.impulse / given.elapsed, given.energy / given.elapsed, given.elapsed)
        runner.correct(given.more_impulse, given.more_energy)
