"""The modulators of one vehicle, which take turns."""

from collections.abc import Callable, Sequence

import numpy as np

from qiki_allocator.checks import RefusalError, refusing
from qiki_allocator.modulation.modulator import Modulator
from qiki_allocator.modulation.valves import ValveBank
from qiki_vehicle import MassProperties


class Modulators:
    """One modulator is in use; the others are built when they are chosen. All of them share allocator and valves.

    Args:
        kinds: those that there are.
        build: makes one of a kind, for a bank; it raises a ValueError for settings that are impossible for the valves.
        kind: the first in use.
        bank: of the valves.
        body: mass properties at first.

    Attributes:
        kind: in use.
        current: the modulator in use.
        configured: kind in use without other orders.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        build: Callable[[str, ValveBank], Modulator],
        kind: str,
        bank: ValveBank,
        body: MassProperties,
    ) -> None:
        self._kinds, self._build, self._body = tuple(kinds), build, body
        self.kind = self.configured = kind
        self.current = build(kind, bank)
        self._built = {kind: self.current}

    def check(self, kind: str) -> None:
        """Refuse a kind that cannot be used.

        Raises:
            RefusalError: naming those allowed, or the setting that is impossible for the valves.
        """
        if kind not in self._kinds:
            raise RefusalError(f"modulator: {kind!r}; allowed: {', '.join(self._kinds)}")
        if kind not in self._built:
            with refusing():
                built = self._build(kind, self.current.bank)
            built.move(self._body)
            self._built[kind] = built

    def switch(self, now: float, kind: str) -> None:
        """Go on with another kind from `now`, s: it takes over backlog and open valves.

        Raises:
            RefusalError: see `check`.
        """
        self.check(kind)
        if kind == self.kind:
            return
        before, after = self.current, self._built[kind]
        was_active = before.is_active
        backlog = before.release(now)
        after.lead = before.lead
        if was_active:
            after.begin(now, backlog)
        self.kind, self.current = kind, after

    def reset(self) -> None:
        """Forget everything, with all valves closed: the clock was set back."""
        self.current.reset()

    def move(self, body: MassProperties) -> None:
        """Go on with other mass properties."""
        self._body = body
        if not np.array_equal(body.com, self.current.allocator.array.com):
            self.current.allocator.move(body.com)
        for modulator in self._built.values():
            modulator.move(body)
