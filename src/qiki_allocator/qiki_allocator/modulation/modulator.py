"""The protocol of modulators: a wrench in, valve edges out."""

from typing import Protocol

import numpy.typing as npt

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.valves import ValveBank
from qiki_vehicle import MassProperties


class Modulator(Protocol):
    """Turns a commanded wrench into valve edges that keep every timing rule and, at every instant, the power limit.

    Attributes:
        allocator: shares out the wrench; may be moved to another centre of mass at any time.
        bank: the valves as commanded.
        lead: s, how far ahead of now edges are planned, for the way to the valves.
    """

    allocator: Allocator
    bank: ValveBank
    lead: float

    @property
    def is_active(self) -> bool:
        """True while `step` must go on being called: there is a command, a backlog or an open valve."""

    def step(
        self, now: float, wrench: npt.ArrayLike, limits: Limits, thrust: Floats | None = None
    ) -> ValveCommand | None:
        """The edges planned at `now`, s, which stand in the bank; None when those before hold on.

        Called when the commanded wrench changes and at the control rate in between.

        Args:
            wrench: (6,) N and N m about the centre of mass, commanded from now on.
            limits: what may be used from now on.
            thrust: (n,) N of each open valve; None: f_max.
        """

    def make_up(self, impulse: Floats) -> None:
        """Give an impulse, (6,) N s and N m s, that the valves fell short of what was commanded, in the next windows;
        bounded."""

    def move(self, body: MassProperties) -> None:
        """Go on with other mass properties; the allocator has been moved."""

    def begin(self, now: float, backlog: Floats) -> None:
        """Take over a backlog, (6,) N s and N m s, from the modulator that this one takes turns with."""

    def release(self, now: float) -> Floats:
        """Hand the backlog, (6,) N s and N m s, back: commanded up to `now`, s, less given up to the bank's time."""

    def stop(self, now: float) -> ValveCommand:
        """Drop the wrench and the backlog; the edges that close every valve as soon as its shortest pulse allows."""

    def reset(self) -> None:
        """Forget everything: the clock jumped or the hardware restarted, with all valves closed."""
