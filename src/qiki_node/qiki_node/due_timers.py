"""Timers that keep their rate while messages queue up or the computer's clock is set. No ROS in here.

rclpy's EventsExecutor has one queue: a timer that is due waits behind every message that came before, and behind those
that come while it is looked for. It waits for the next timer with the computer's clock where the wheels' C++ runtime
offers no other, so that a clock set back delays every timer by as much. So each message that is delivered, and each
turn of the executor, first runs the timers that are due, and the executor's own call is one more of these occasions.
Timers whose callbacks last longer than their periods leave time for the rest.
"""

import time
from collections.abc import Callable
from typing import Protocol

_LOOK = 0.005
"""s between two looks for timers that are due, at least."""

_READINGS = 3
"""of clock and timer, at most, for a pair of one instant."""


class PeriodicTimer(Protocol):
    """The part of `rclpy.timer.Timer` that is needed."""

    @property
    def timer_period_ns(self) -> int: ...
    def time_until_next_call(self) -> int | None: ...
    def reset(self) -> None: ...


class DueTimer:
    """Calls back once in each period of a timer, however often and late it is run.

    Args:
        callback: of the timer.
        is_over: True once the timer is destroyed.
    """

    def __init__(self, callback: Callable[[], None], is_over: Callable[[], bool]) -> None:
        self._callback, self.is_over = callback, is_over
        self._timer: PeriodicTimer | None = None
        self._now: Callable[[], int] = time.monotonic_ns
        self._period = 1
        self._served: int | None = None

    def of(self, timer: PeriodicTimer, now: Callable[[], int]) -> None:
        """Take the timer, whose own callback is `run`, and note when it is started again.

        Args:
            now: ns of the timer's clock.
        """
        reset = timer.reset

        def start_again() -> None:
            reset()
            self._period = max(timer.timer_period_ns, 1)
            self._served = self._begin()

        timer.reset = start_again  # type: ignore[method-assign]
        self._timer, self._now, self._period = timer, now, max(timer.timer_period_ns, 1)
        self._served = self._begin()

    def run(self) -> None:
        """Call back if that was not done in the period of now."""
        begin = self._begin()
        if begin is None or self._timer is None:
            return
        if self._is_served(begin):
            return
        self._served = begin
        started = self._now()
        self._callback()
        # A timer that is always due would leave nothing to messages and requests. One that was late only, and whose
        # callback is shorter than the period, catches up instead.
        if self._now() - started >= self._period and self._begin() is not None:
            self._timer.reset()

    def _is_served(self, begin: int) -> bool:
        # Both are multiples of the period, but for the time between two readings of clocks.
        return self._served is not None and abs(begin - self._served) < self._period / 2

    def _begin(self) -> int | None:
        """ns of the timer's clock at which its period of now began; None while it is canceled."""
        if self._timer is None or self.is_over():
            return None
        for _ in range(_READINGS):
            before, left, now = self._now(), self._timer.time_until_next_call(), self._now()
            if left is None:
                return None
            if abs(now - before) < self._period / 4:
                break  # the thread was not set aside between the readings
        assert left is not None
        # Overdue by any number of periods, or called too early by the executor and so more than one period ahead.
        periods_ahead = -(-left // self._period)
        return now + left - periods_ahead * self._period


class DueTimers:
    """All timers of one node.

    Args:
        clock: s, steady.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._timers: list[DueTimer] = []
        self._looked, self._lasted = clock(), 0.0
        self._is_running = False

    def add(self, timer: DueTimer) -> None:
        """Run this one too, until it is over."""
        self._timers = [one for one in self._timers if not one.is_over()] + [timer]

    def run(self, *, at_once: bool = False) -> None:
        """Run the timers that are due; not within 5 ms after the last look, nor as long as that lasted, nor within one.

        Args:
            at_once: also within 5 ms: a clock has been set.
        """
        now = self._clock()
        if self._is_running or now - self._looked < max(self._lasted, 0.0 if at_once else _LOOK):
            return
        self._is_running = True
        try:
            for timer in self._timers:
                if not timer.is_over():
                    timer.run()
        finally:
            self._looked, self._is_running = self._clock(), False
            self._lasted = self._looked - now
