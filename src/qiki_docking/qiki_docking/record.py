"""Report of one docking or undocking: outcome, margins at contact, and the means that it took."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.values import Order, Profile, State


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

    def as_payload(self) -> dict[str, Any]:
        """The record as JSON holds it, for a restart; None: unknown."""
        order = self.order
        return {
            "docking_id": self.docking_id,
            "undocks": self.undocks,
            "order": [order.partner, order.partner_port, order.own_port, order.profile.value],
            "means": [_known(self.means.working_mass), _known(self.means.energy)],
            "margins": self.margins,
            "tries": self.tries,
            "checks": list(self.checks),
            "contact": self.contact,
            "seconds": self._seconds,
            "since": _known(self._since),
            "phase": None if self._phase is None else self._phase.value,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """The record of `as_payload`. Of the impulse into the partner a part is lost: the whole is unknown.

        Raises:
            ValueError: a field is missing or not allowed; naming it.
        """
        try:
            partner, partner_port, own_port, profile = payload["order"]
            mass, energy = (math.nan if one is None else float(one) for one in payload["means"])
            since = payload["since"]
            return cls(
                str(payload["docking_id"]),
                bool(payload["undocks"]),
                Order(partner, partner_port, own_port, Profile(profile)),
                Means(mass, energy),
                {str(name): float(margin) for name, margin in payload["margins"].items()},
                int(payload["tries"]),
                tuple(str(check) for check in payload["checks"]),
                str(payload["contact"]),
                {Phase(name).value: float(seconds) for name, seconds in payload["seconds"].items()},
                math.nan if since is None else float(since),
                None if payload["phase"] is None else Phase(payload["phase"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"record: {error.args[0]!r} missing or of the wrong type") from error

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


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
