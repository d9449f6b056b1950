"""Ends that follow from the machine's data when a part of the docking hardware, or the partner, fails.

A fault is described by the quantities that it falsifies. The end of a docking that meets it follows from the tables
alone: the first step with a condition on such a quantity, the row that its failure takes, and so on from there.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from qiki_docking.checks import CHECK_NAMES
from qiki_docking.conditions import Condition, Settings
from qiki_docking.entry import entered
from qiki_docking.evidence import LINK, QUANTITIES
from qiki_docking.phases import Phase, Step
from qiki_docking.reasons import Reason
from qiki_docking.steps import STEPS
from qiki_docking.table import ROWS, Row, Trigger
from qiki_docking.values import Order, State
from qiki_vehicle import Vehicle

NEVER: Final = math.nan
"""A value on which no condition holds: none comes, or it contradicts the truth."""

PHASES: Final = (Phase.APPROACH, Phase.ALIGN, Phase.SOFT_DOCK, Phase.HARD_DOCK, Phase.BRIDGE, Phase.UNDOCKING)
"""Phases in which a fault may begin, each at its first step."""
_LOCKED: Final = (Phase.BRIDGE, Phase.UNDOCKING)
"""Phases that begin with locked latches and closed contacts."""


@dataclass(frozen=True)
class Fault:
    """A fault by the quantities that it falsifies, from its beginning on.

    Attributes:
        shown: values of quantities, in the unit of each.
        stuck: flags that keep the value that they had.
        unset: flags that are not set any more, if they were not.
    """

    shown: Mapping[str, float] = field(default_factory=dict)
    stuck: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()

    def values(self, phase: Phase) -> dict[str, float]:
        """Falsified values, if it begins in `phase`."""
        locked = phase in _LOCKED
        flags = dict.fromkeys(self.stuck, float(locked)) | ({} if locked else dict.fromkeys(self.unset, 0.0))
        return {**flags, **self.shown}


FAULTS: Final[dict[str, Fault]] = {
    "latch jam": Fault(stuck=("latch_1", "latch_2")),
    "umbilical misaligned": Fault({"umbilical": 0.0, "bridge_volts": 0.0, "data_carrier": 0.0}),
    # Closed contacts are a short.
    "polarity reversed": Fault({"probe_volts": -28.0, "bridge_volts": 0.0}),
    # Pre-charge takes too long; a closed bridge loses its volts in the contact.
    "contact resistance": Fault({"bridge_volts": 0.0}, unset=("contacts_closed",)),
    # One sensor of the latches is inverted, that of the slip 2 mm off.
    "sensors disagree": Fault({"latch_1": NEVER, "slip_1": 0.002}),
    "contacts welded": Fault({"contacts_closed": 1.0}),
    "partner silent": Fault({name: NEVER for name, one in QUANTITIES.items() if one.source == LINK}),
    # Nothing to pre-charge from. Its docking node has a battery.
    "partner without power": Fault({"bridge_volts": 0.0, "data_carrier": 0.0}, unset=("contacts_closed",)),
}
"""Faults of the docking hardware and of the partner."""


def end(fault: Fault, phase: Phase, vehicle: Vehicle) -> tuple[Phase, Reason]:
    """Phase and reason in which docking ends, if a fault begins with `phase` and everything else works.

    Raises:
        ValueError: `phase` is none of `PHASES`.
    """
    if phase not in PHASES:
        raise ValueError(f"phase: {phase}; allowed: {', '.join(PHASES)}")
    walk = _Walk(fault.values(phase), vehicle)
    order = Order("partner", "A", "B")
    reason = {Phase.BRIDGE: Reason.DOCKED}.get(phase, Reason.ORDERED)
    passed = CHECK_NAMES if phase is Phase.BRIDGE else ()
    cause = Reason.ORDERED if phase is Phase.UNDOCKING else Reason.NONE
    state = State(phase, STEPS[phase][0].name, order, passed=passed, reason=reason, cause=cause)
    while state.phase not in (Phase.FREE, Phase.FAULT):
        after = walk.next(state)
        if after is None:
            break
        state = after
    return state.phase, state.reason


class _Walk:
    """The machine's rows with conditions that hold, but for those on falsified quantities."""

    def __init__(self, values: Mapping[str, float], vehicle: Vehicle) -> None:
        self._values, self._rules, self._settings = values, vehicle.docking, Settings(vehicle)

    def next(self, state: State) -> State | None:
        """The state after the row that is taken; None: none is."""
        step = next(one for one in STEPS[state.phase] if one.name == state.step)
        for row in ROWS:
            if row.trigger is not Trigger.TICK or row.source is not state.phase:
                continue
            reasons = [self._guard(guard, step, state) for guard in row.guards]
            if None not in reasons:
                return self._taken(state, row, [reason for reason in reasons if reason])
        return None

    def _taken(self, state: State, row: Row, reasons: list[Reason]) -> State:
        return entered(state, row, reasons[0] if reasons else row.reason, None, 0, rules=self._rules)

    def _guard(self, guard: str, step: Step, state: State) -> Reason | None:
        """Reason of a guard that holds (`NONE`: without one); None: it does not."""
        lacking = self._violated(step.done, state)
        more = state.phase is Phase.APPROACH and state.hold + 1 < len(self._rules.hold_points)
        done = bool(step.done) and lacking is None
        if guard == "fails":
            return self._violated(step.keep, state)
        if guard == "trips":
            return self._violated(step.trip, state)
        if guard == "times_out":
            return lacking
        holds = {
            "completes": step.ends and done and not more,
            "arrives": done and more,
            "advances": (done and not step.ends) or (step.goes_on and not done),
            "tries_left": state.retry,
        }
        return Reason.NONE if holds.get(guard) else None

    def _violated(self, conditions: Iterable[Condition], state: State) -> Reason | None:
        return next((one.reason for one in conditions if not self._holds(one, state)), None)

    def _holds(self, condition: Condition, state: State) -> bool:
        # The partner is the only source.
        parts = {None, "dark"} | state.parts | ({"fed"} if "power" in state.parts else set())
        if condition.quantity not in self._values or condition.part not in parts:
            return True
        value = self._values[condition.quantity]
        low = self._settings.limit(condition.low, -math.inf)
        high = self._settings.limit(condition.high, math.inf)
        return low <= (abs(value) if condition.size else value) <= high
