"""State that a row of the transition table leads to."""

from dataclasses import replace

from qiki_docking.checks import CHECK_NAMES
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.steps import STEPS
from qiki_docking.table import NEXT, SAME, Row, Trigger
from qiki_docking.values import Order, Profile, State
from qiki_vehicle.docking import Docking

FINAL = frozenset({Reason.CANCELLED, Reason.RESERVATION_LOST, Reason.PARTNER_SILENT})
"""Causes of an abort after which docking is not tried again."""
_AWAY = (Phase.ABORT, Phase.UNDOCKING, Phase.FAULT, Phase.EMERGENCY_RELEASE)


def entered(old: State, row: Row, reason: Reason, order: Order | None, first_hold: int, *, rules: Docking) -> State:
    """The state after a row.

    order: of the trigger, for DOCK, PROFILE and RELIEVE.
    first_hold: index of the hold point at which an approach from here begins.
    """
    phase = row.dest or old.phase
    reason = reason or old.reason
    new = replace(old, phase=phase, step=_step(old, row, phase), reason=reason)
    if row.trigger is Trigger.DOCK:
        new = replace(new, order=order, tries=0, retry=False, hold=first_hold, cause=Reason.NONE, reason=Reason.ORDERED)
    if row.trigger in (Trigger.PROFILE, Trigger.RELIEVE):
        new = replace(new, order=order)
    if phase is Phase.BRIDGE and "times_out" in row.guards and new.order is not None:
        # Power was not cleared, or did not come: the bridge of data stays as it was.
        new = replace(new, order=replace(new.order, profile=Profile.DATA))
    if "arrives" in row.guards:
        new = replace(new, hold=old.hold + 1)
    if phase in _AWAY and row.dest is not None and row.trigger is not Trigger.RESUME:
        new = replace(new, cause=reason)
    if phase is Phase.ABORT and old.phase is not Phase.ABORT:
        new = replace(_aborted(old, new, rules), tries=old.tries + 1)
    elif phase is Phase.ABORT and row.trigger is not Trigger.RESUME:
        new = _aborted(old, new, rules)
    if phase in (Phase.UNDOCKING, Phase.EMERGENCY_RELEASE):
        new = replace(new, hold=rules.hold_points.index(rules.retreat_hold))
    if phase is Phase.FREE:
        new = replace(new, order=None, hold=0, retry=False, reason=_end(old, reason))
    return replace(new, passed=_passed(old, row, new))


def _step(old: State, row: Row, phase: Phase) -> str:
    names = [step.name for step in STEPS[phase]]
    if row.step == SAME:
        return old.step
    if row.step == NEXT:
        return names[names.index(old.step) + 1]
    return row.step or names[0]


def _aborted(old: State, state: State, rules: Docking) -> State:
    """With the way back: to the last hold point for another try, else to `retreat_hold` or the last one beyond it."""
    reached = max(old.hold - 1, 0) if old.phase is Phase.APPROACH else old.hold
    retry = state.cause not in FINAL and old.tries < rules.retries
    return replace(
        state, retry=retry, hold=reached if retry else min(reached, rules.hold_points.index(rules.retreat_hold))
    )


def _end(old: State, reason: Reason) -> Reason:
    """The cause says more than the row: the end by order, or the check that failed."""
    undocked = old.phase is Phase.UNDOCKING and old.cause not in (Reason.NONE, Reason.ORDERED)
    return old.cause if undocked or (old.phase is Phase.ABORT and old.cause in FINAL) else reason


def _passed(old: State, row: Row, new: State) -> tuple[str, ...]:
    if new.phase is Phase.BRIDGE:
        return old.passed
    if new.phase is not Phase.HARD_DOCK:
        return ()
    if row.step == NEXT and old.step in CHECK_NAMES:
        return (*old.passed, old.step)
    return CHECK_NAMES[: CHECK_NAMES.index(new.step)] if new.step in CHECK_NAMES else old.passed
