"""Mode AUTO: the wrench and the limits of the thrust groups that are selected for it."""

from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.groups.selection import GroupTable, Selection
from qiki_allocator.health.table import HealthTable
from qiki_allocator.limits.limiter import only


class ModeFilter:
    """Passes wrench and limits on as they are, or as those of thrust groups.

    Attributes:
        by_groups: only thrusters of thrust groups may fire.
    """

    def __init__(self, groups: GroupTable) -> None:
        self._groups = groups
        self.by_groups = False
        self.reset()

    def reset(self) -> None:
        """Forget the groups of the last wrench."""
        self._selection: Selection | None = None

    def apply(self, array: ThrusterArray, health: HealthTable, wanted: Floats, limits: Limits) -> tuple[Floats, Limits]:
        """A wrench, (6,), and limits for it. A zero wrench keeps to the groups of the one before."""
        if not self.by_groups:
            return wanted, limits
        if wanted.any():
            self._selection = self._groups.select(array, health, wanted)
            wanted = self._selection.wrench
        if self._selection is None:
            return wanted, limits
        return wanted, only(limits, self._selection.members, "mode:AUTO")
