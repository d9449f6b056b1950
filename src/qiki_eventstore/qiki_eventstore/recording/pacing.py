"""The pace of a recording that is played back."""

import time
from collections.abc import Callable, Iterable, Iterator

from qiki_eventstore.recording.sample import Sample


def paced(
    samples: Iterable[Sample],
    speed: float = 1.0,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Sample]:
    """Samples, each when its time has come; where time jumps back (a reset simulation) the pace starts again.

    Args:
        samples: in the order in which they were recorded.
        speed: recorded seconds per second, > 0; infinity for no waiting.
        now: clock, s.
        sleep: waits s.

    Raises:
        ValueError: a speed that is not positive.
    """
    if not speed > 0.0:
        raise ValueError(f"speed = {speed}: allowed: more than 0")
    return _paced(samples, speed, now, sleep)


def _paced(
    samples: Iterable[Sample], speed: float, now: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Sample]:
    first: Sample | None = None
    begun = previous = 0.0
    for sample in samples:
        if first is None or sample.time < previous:
            first, begun = sample, now()
        previous = sample.time
        # One sum from the beginning, so that waits that are too long do not add up.
        wait = begun + (sample.time - first.time) * 1e-9 / speed - now()
        if wait > 0.0:
            sleep(wait)
        yield sample
