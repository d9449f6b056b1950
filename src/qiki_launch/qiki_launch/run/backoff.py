"""Delay before a process that ended is started again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BackoffPolicy:
    """Times in s. A process that lived `stable` or longer is restarted after its own delay; one that dies early again
    and again waits twice as long each time, up to `cap`."""

    stable: float = 10.0
    cap: float = 30.0
    least: float = 0.5
    """Doubled instead of a delay that is shorter."""


@dataclass(frozen=True)
class Backoff:
    """State of one process: how many times in a row it died early."""

    policy: BackoffPolicy
    delay: float
    """s, the delay that the launch file gives."""
    early_deaths: int = 0

    def after_exit(self, lifetime: float) -> tuple["Backoff", float]:
        """The next state and the wait in s, after a life of `lifetime` s."""
        deaths = 0 if lifetime >= self.policy.stable else self.early_deaths
        doubled = max(self.delay, self.policy.least) * 2.0 ** min(deaths, 64)
        wait = self.delay if deaths == 0 else min(doubled, max(self.policy.cap, self.delay))
        return Backoff(self.policy, self.delay, deaths + 1), wait
