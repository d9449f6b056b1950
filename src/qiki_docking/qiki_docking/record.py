"""Report of one docking or undocking: outcome, margins at contact, and the means that it took."""

import math
from dataclasses import dataclass, field
from typing import Any

from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.values import Order, State


@dataclass(frozen=True)
class Means:
    """Meters of flight: working mass left kg, energy of thrust J, impulse into the partner N s; NaN: unknown."""

    working_mass: float = math.nan
    energy: float = math.nan
    plume: float = math.nan


@dataclass
class Record:
    """An operation from its order to its end.

    Attributes:
        docking_id: of the order. undocks: it began docked.
        means: at its begin.
        margins, contact: at the last contact, and the same as text. tries: ended; checks: passed.
    """

    docking_id: str
    undocks: bool
    order: Order
    means: Means
    margins: dict[str, float] = field(default_factory=dict)
    tries: int = 0
    checks: tuple[str, ...] = ()
    contact: str = ""
    _seconds: dict[str, float] = field(default_factory=dict)
    _since: float = math.nan
    _phase: Phase | None = None

    def follow(self, state: State, now: float) -> None:
        """Take the machine's state in, each cycle. `now`: s."""
        if self._phase is not None and now >= self._since:
            self._seconds[self._phase.value] = self._seconds.get(self._phase.value, 0.0) + now - self._since
        self._phase, self._since = state.phase, now
        self.tries = max(self.tries, state.tries)
        if state.passed:
            self.checks = state.passed

    def ended(self, before: Phase, state: State, means: Means) -> dict[str, Any] | None:
        """Payload of `docking.ended`, if the change from `before` to `state` ends the operation."""
        phase, reason = state.phase, state.reason
        docked = phase is Phase.BRIDGE and not self.undocks
        if phase is before or not (docked or phase in (Phase.FREE, Phase.FAULT)):
            return None
        if docked or (phase is Phase.FREE and self.undocks and reason is Reason.RELEASED):
            outcome = "EXECUTED"
        elif reason is Reason.CANCELLED:
            outcome = "CANCELED"
        else:
            outcome = "TIMEOUT" if reason.name.endswith("_TIMEOUT") else "FAILED"
        used = {
            "propellant_kg": self.means.working_mass - means.working_mass,
            "energy_j": means.energy - self.means.energy,
            "plume_impulse_ns": means.plume - self.means.plume,
        }
        payload = {
            "docking_id": self.docking_id,
            "partner": self.order.partner,
            "partner_port": self.order.partner_port,
            "own_port": self.order.own_port,
            "profile": self.order.profile.value,
            "outcome": outcome,
            "code": int(reason),
            "text": self._text(state),
            "phase": phase.value,
            "tries": self.tries + docked,
            "checks": list(self.checks),
            "operation": "undock" if self.undocks else "dock",
            "elapsed": math.fsum(self._seconds.values()),
            "seconds": {name: seconds for name, seconds in self._seconds.items() if seconds > 0.0},
        }
        if self.margins:
            payload["margins"] = self.margins
        return payload | {name: value for name, value in used.items() if math.isfinite(value)}

    def _text(self, state: State) -> str:
        """The reason; after the last try with its cause, and of a refused contact with the limits exceeded."""
        text, cause = state.reason.meaning, state.cause
        if state.reason is Reason.RETRIES_EXHAUSTED and cause is not Reason.NONE:
            text += f"; the last try: {cause.meaning}"
        return f"{text} ({self.contact})" if Reason.CONTACT_BOX in (state.reason, cause) and self.contact else text
