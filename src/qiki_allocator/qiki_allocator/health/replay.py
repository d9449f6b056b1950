"""Hypotheses compared on the same samples."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.thrusters import Floats


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample as the filter saw it, for m hypotheses.

    Attributes:
        time: s.
        step: (6, 6) how an error of the twist came over from the last sample.
        added: (6, m) what each hypothesis, at amplitude 1, added to it.
        weight: (6,) one over the standard deviation of the innovation; 0: an outlier that counts for nothing.
        seen: (6,) innovation in standard deviations.
        kept: (6,) share of an error that the filter kept.
    """

    time: float
    step: Floats
    added: Floats
    weight: Floats
    seen: Floats
    kept: Floats


class Replay:
    """The last samples, to compare changes on all that came after a moment.

    Scores begin at moments of their own, each when it last was zero, so that a difference between two of them may only
    be one of luck. Replayed from the same moment on, two changes with the same effect come out equal.
    """

    def __init__(self, length: int) -> None:
        self._samples: deque[Sample] = deque(maxlen=length)

    def add(self, sample: Sample) -> None:
        """Remember a sample, and forget the oldest one."""
        self._samples.append(sample)

    def clear(self) -> None:
        """Forget all."""
        self._samples.clear()

    def fits(self, since: float, low: Floats, high: Floats) -> Floats:
        """(m,) largest log-likelihood ratio of each change since a time, s, at amplitudes from low to high, (m,)."""
        signature = np.zeros((6, len(low)))
        along, information = np.zeros(len(low)), np.zeros(len(low))
        for sample in self._samples:
            if sample.time <= since:
                continue
            signature = sample.step @ signature + sample.added
            expected = signature * sample.weight[:, None]
            along += sample.seen @ expected
            information += np.einsum("ij,ij->j", expected, expected)
            signature *= sample.kept[:, None]
        amplitude = np.clip(along / np.maximum(information, 1e-9), low, high)
        fit: Floats = amplitude * along - 0.5 * amplitude**2 * information
        return fit
