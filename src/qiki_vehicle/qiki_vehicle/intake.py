"""Admission of telemetry: stamps and values that cannot be are refused and counted."""

import math

AHEAD = 0.5
"""s, by which a stamp may be ahead of now: its sender's clock ticks earlier than ours."""

AGE = 5.0
"""s, age from which telemetry says nothing of now."""

_SHOWN = 5.0
"""s, for which a refusal stays a warning."""


class Intake:
    """Admits telemetry topic by topic. A message from the future would otherwise make every later one seem old.

    Attributes:
        refused: number of messages refused, by topic.
        reason: of the last refusal.
    """

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """The clock was set back: nothing has come yet."""
        self._newest: dict[str, float] = {}
        self.reason = ""
        self._refused_at = -math.inf

    def admits(self, topic: str, now: float, stamp: float, problem: str = "") -> bool:
        """True if a message stamped at `stamp` s is taken; a refusal is counted.

        Args:
            problem: with its values, by field, value and allowed range; empty: none.
        """
        problem = problem or self._problem(topic, now, stamp)
        if problem:
            self.refuse(topic, now, problem)
            return False
        self._newest[topic] = stamp
        return True

    def refuse(self, topic: str, now: float, problem: str) -> None:
        """Count a message that is not taken."""
        self.refused[topic] = self.refused.get(topic, 0) + 1
        self.reason, self._refused_at = f"{topic} refused: {problem}", now

    def _problem(self, topic: str, now: float, stamp: float) -> str:
        newest = self._newest.get(topic, -math.inf)
        if not stamp <= now + AHEAD:
            return f"stamp: {stamp - now:.3f} s ahead of now; allowed: at most {AHEAD:g} s"
        if stamp < now - AGE:
            return f"stamp: {now - stamp:.3f} s old; allowed: at most {AGE:g} s"
        if stamp < newest:
            return f"stamp: {newest - stamp:.3f} s older than the newest; allowed: none"
        return ""

    def warnings(self, now: float) -> tuple[str, ...]:
        """The last refusal, for a time."""
        return (self.reason,) if now - self._refused_at < _SHOWN else ()
