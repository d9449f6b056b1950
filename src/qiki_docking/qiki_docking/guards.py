"""Guards of the transition table."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from qiki_docking.checks import CHECK_NAMES
from qiki_docking.conditions import Condition, Judge, Settings
from qiki_docking.phases import Phase, Step
from qiki_docking.reasons import Reason
from qiki_docking.table import SENSED
from qiki_docking.touch import Touch
from qiki_docking.values import Order, Profile, State
from qiki_vehicle.docking import Docking


@dataclass(frozen=True)
class View:
    """State that the guards judge.

    Attributes:
        step: of `state`.
        now: s.
        since: s, start of the step.
        repeats: of the step, after its first attempt.
        pending: order that is not part of the state yet.
    """

    state: State
    step: Step
    now: float
    since: float
    repeats: int
    pending: Order | None


class Guards:
    """Each guard of `table.GUARDS` is a method: it gives a reason (`NONE`: without one), or None if it does not hold.

    Attributes:
        armed: the emergency release is armed, and its code was right.
    """

    def __init__(self, judge: Judge, settings: Settings, rules: Docking, touch: Touch, cancels: bool) -> None:
        self._judge, self._settings, self._rules, self._touch = judge, settings, rules, touch
        self.cancelling = cancels
        """Flight commands cancel docking."""
        self.armed = False

    def look(self, view: View) -> None:
        """Set the state that the guards judge."""
        self._state, self._step, self._now, self._since = view.state, view.step, view.now, view.since
        self._repeated, self._pending = view.repeats, view.pending

    def reason(self, guard: str) -> Reason | None:
        """Judge one guard."""
        if guard in SENSED:
            return _if(all(self._judge.holds(condition, self._now) for condition in SENSED[guard]))
        result: Reason | None = getattr(self, f"_{guard}")()
        return result

    def _fails(self) -> Reason | None:
        return self._first_failed(self._step.keep)

    def _trips(self) -> Reason | None:
        return self._first_failed(self._step.trip)

    def _leaves_box(self) -> Reason | None:
        near = self._step.name == "close" and self._touch.leaves_box(self._now)
        return Reason.CONTACT_BOX if near else None

    def _bad_contact(self) -> Reason | None:
        judgement = self._touch.judgement
        judged = self._step.name in ("capture", "seat") and judgement is not None and not judgement.inside
        return Reason.CONTACT_BOX if judged else None

    def _completes(self) -> Reason | None:
        return _if(self._step.ends and self._done() and not self._more_holds())

    def _arrives(self) -> Reason | None:
        return _if(self._done() and self._more_holds())

    def _advances(self) -> Reason | None:
        return _if((self._done() and not self._step.ends) or (self._step.goes_on and self._over()))

    def _repeats_left(self) -> bool:
        attempts = self._step.attempts
        return attempts is not None and self._repeated + 1 < self._settings[attempts]

    def _repeats(self) -> Reason | None:
        return _if(self._over() and self._repeats_left())

    def _times_out(self) -> Reason | None:
        if not self._over():
            return None
        missing = (condition.reason for condition in self._step.done if not self._judge.holds(condition, self._now))
        return next(missing, Reason.NONE)

    def _tries_left(self) -> Reason | None:
        return _if(self._state.retry)

    def _wants_power(self) -> Reason | None:
        before, after = self._state.order, self._pending
        assert before is not None
        assert after is not None
        return _if("power" in after.profile.parts - before.profile.parts)

    def _cancels(self) -> Reason | None:
        return _if(self.cancelling)

    def _armed(self) -> Reason | None:
        return _if(self.armed)

    def _all_checked(self) -> Reason | None:
        return _if(self._state.passed == CHECK_NAMES)

    def _data_only(self) -> Reason | None:
        order = self._state.order
        return _if(order is not None and order.profile is Profile.DATA)

    def _unconfirmed(self) -> Reason | None:
        return _if(self._now - self._since > self._rules.restart_timeout)

    def _done(self) -> bool:
        done = self._step.done
        return bool(done) and all(self._judge.holds(condition, self._now) for condition in done)

    def _over(self) -> bool:
        return self._step.timeout is not None and self._now - self._since > self._settings[self._step.timeout]

    def _more_holds(self) -> bool:
        return self._state.phase is Phase.APPROACH and self._state.hold + 1 < len(self._rules.hold_points)

    def _first_failed(self, conditions: Iterable[Condition]) -> Reason | None:
        blind = math.inf if self._step.blind is None else self._settings[self._step.blind]
        failed = (c.reason for c in conditions if self._judge.fails(c, self._now, blind, self._since))
        return next(failed, None)


def _if(holds: bool) -> Reason | None:
    return Reason.NONE if holds else None
