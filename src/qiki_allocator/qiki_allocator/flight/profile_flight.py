"""One thrust profile at a time: flown, accounted for, ended."""

from collections.abc import Sequence

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.profile import ProfileConfig, ProfileResult, ProfileRunner, Segment

_LAST_PULSES = 0.5
"""s after its end in which a profile's last pulses, and the report of them, are waited for."""


class ProfileFlight:
    """The profile that a drive flies, if there is one.

    Attributes:
        tick: s between two cycles.
        name: of the profile that is flown, or of the last one.
        segments: their number.
        duration: s of all of them.
    """

    name = ""
    segments = 0
    duration = 0.0

    def __init__(self, drive: Drive, config: ProfileConfig, tick: float) -> None:
        self._drive = drive
        self._config = config
        self._tick = tick
        self._runner: ProfileRunner | None = None
        self._result: ProfileResult | None = None

    @property
    def is_on(self) -> bool:
        """Whether one is flown."""
        return self._runner is not None

    @property
    def result(self) -> ProfileResult | None:
        """How it goes, or how the last one ended; None: there was none."""
        return self._runner.result() if self._runner is not None else self._result

    def start(self, now: float, segments: Sequence[Segment], name: str) -> None:
        """Fly a profile from now on.

        Raises:
            ProfileError: naming field, value and allowed range.
        """
        runner = ProfileRunner(segments, self._config)
        runner.start(now)
        self._drive.flown()
        self._runner, self._result = runner, None
        self._last = now
        self.name, self.segments, self.duration = name, len(segments), runner.duration

    def wrench(self, now: float) -> Floats:
        """(6,) for the cycle that begins at `now`; one must be flown."""
        assert self._runner is not None
        return self._runner.at(now, self._tick).wrench.copy()

    def fail(self, reason: str) -> None:
        """End it FAILED; its last pulses are still waited for."""
        if self._runner is not None:
            self._runner.fail(reason)

    def follow(self, now: float) -> None:
        """Book what was flown in a cycle; one that has ended is over when its last pulses are done, and the valves'
        counters, if they are heard, have told of them."""
        runner = self._runner
        if runner is None:
            return
        self._book(runner)
        if runner.result().outcome is None:
            self._last = now
        elif now - self._last > _LAST_PULSES or not (self._drive.is_active or self._drive.awaits_counters(now)):
            self.settle()

    def cancel(self) -> None:
        """It is over now, CANCELED."""
        if self._runner is not None:
            self._runner.cancel()
            self.settle()

    def end(self, reason: str) -> None:
        """It is over now, FAILED."""
        self.fail(reason)
        self.settle()

    def settle(self) -> None:
        """It is over now."""
        if self._runner is not None:
            self._book(self._runner)
            self._result, self._runner = self._runner.result(), None

    def _book(self, runner: ProfileRunner) -> None:
        flown = self._drive.flown()
        if flown.elapsed > 0.0:
            runner.deliver(flown.impulse / flown.elapsed, flown.energy / flown.elapsed, flown.elapsed)
        runner.correct(flown.more_impulse, flown.more_energy)
