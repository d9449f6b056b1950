"""The changes of a body that a fault detector looks for."""

from collections.abc import Sequence
from dataclasses import dataclass

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.health.detector_settings import DetectorSettings

LEVEL = "level"
LEAK = "leak"
SCALE = "scale"

_FINER = 0.3  # share of the smallest change that is looked for where there is one already
_SMALLEST_SCALE = 0.05  # a body that thrusters move less than that share of what they should is held fast, not heavier
_LARGEST_SCALE = 3.0
_BODY_AXES = ((0, 1, 2), (3,), (4,), (5,), (0, 1, 2, 3, 4, 5))  # mass; each moment of inertia; all, as feed pressure


@dataclass(frozen=True)
class Change:
    """A hypothesis: some entries of a state all change by the same amount, from low to high (both of one sign).

    Attributes:
        state: `LEVEL`, `LEAK` (of thrusters) or `SCALE` (of the rows of the twist).
        index: the entries.
    """

    state: str
    index: tuple[int, ...]
    low: float
    high: float

    @property
    def is_single(self) -> bool:
        """True for a change of one thruster."""
        return self.state != SCALE and len(self.index) == 1


def possible_changes(
    level: Floats, leak: Floats, scale: Floats, clusters: Sequence[tuple[int, ...]], settings: DetectorSettings
) -> list[Change]:
    """Every change that is large enough to be looked for, losses and gains apart.

    Args:
        level, leak: (n,) 0..1, what each thruster is believed to give while commanded open, and while closed.
        scale: (6,) what all together give to each axis, relative to what they should.
        clusters: thrusters that may fail together.
    """
    singles = [(i,) for i in range(len(level))]
    changes = []
    for state, values, usual, (lowest, highest), smallest, indices in (
        (LEVEL, level, 1.0, (0.0, 1.0), settings.smallest_loss, [*singles, *clusters]),
        (LEAK, leak, 0.0, (0.0, 1.0), settings.smallest_leak, singles),
        (SCALE, scale, 1.0, (_SMALLEST_SCALE, _LARGEST_SCALE), settings.smallest_scale, _BODY_AXES),
    ):
        for index in indices:
            now = values[list(index)]
            # A thruster known to be at fault may have been judged while another fault was not known yet.
            least = smallest if state == SCALE or (now == usual).all() else _FINER * smallest
            changes.append(Change(state, index, lowest - float(now.min()), -least))
            changes.append(Change(state, index, least, highest - float(now.max())))
    return [change for change in changes if change.low <= change.high]
