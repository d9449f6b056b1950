"""N consecutive fresh samples on which a condition holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qiki_console.model.terms import UnknownValueError, Values


class Confirmation:
    """Judges a condition on each new message. Times in s, of the clock of the messages' stamps.

    A sample counts if its stamp is new and not older than `max_age`, and the newest message of every other topic is
    not either. A false condition, a value that is not known, an old stamp, a gap longer than `max_age` or a stamp that
    goes back start the count of all topics again. Silence therefore never confirms anything.

    Args:
        judge: the condition; see `Condition.bind`.
        topics: of the condition.
        samples: of each topic that confirm.
        max_age: s.
        since: s; what was measured before does not count.
    """

    def __init__(
        self, judge: Callable[[Values], bool], topics: Sequence[str], samples: int, max_age: float, since: float
    ) -> None:
        self._judge = judge
        self._samples = samples
        self._max_age = max_age
        self._since = since
        self._counts = dict.fromkeys(topics, 0)
        self._newest: dict[str, tuple[Any, float]] = {}
        self.reason = f"no message of {', '.join(topics)} yet"
        """State of the count, for an operator."""

    @property
    def confirmed(self) -> bool:
        """True once every topic has given its samples."""
        return all(count >= self._samples for count in self._counts.values())

    @property
    def values(self) -> Mapping[str, Any]:
        """Newest message by topic."""
        return {topic: message for topic, (message, _) in self._newest.items()}

    def receive(self, topic: str, message: Any, stamp: float, now: float) -> None:
        """Take a message of a topic of the condition."""
        before = self._newest.get(topic)
        if before is not None and stamp == before[1]:
            return  # the same sample again, as a paused simulator repeats it
        self._newest[topic] = (message, stamp)
        if before is not None and not 0.0 <= stamp - before[1] <= self._max_age:
            self._restart(f"{topic}: a gap of {stamp - before[1]:.2f} s")
        if reason := self._unfit(now):
            self._restart(reason)
            return
        try:
            holds = self._judge(self.values)
        except UnknownValueError as error:
            self._restart(str(error))
            return
        if not holds:
            self._restart("it does not hold")
            return
        self._counts[topic] += 1
        self.reason = f"{min(*self._counts.values(), self._samples)} of {self._samples} samples"

    def _unfit(self, now: float) -> str:
        for topic in self._counts:
            if topic not in self._newest:
                return f"no message of {topic} yet"
            stamp = self._newest[topic][1]
            if stamp < self._since:
                return f"no message of {topic} since then"
            age = now - stamp
            if not -self._max_age <= age <= self._max_age:
                return f"{topic} is stale: {age:.2f} s"
        return ""

    def _restart(self, reason: str) -> None:
        self._counts = dict.fromkeys(self._counts, 0)
        self.reason = reason
