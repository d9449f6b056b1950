"""Plain values that the docking machine takes and gives: orders, answers, occurrences, its state."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from qiki_docking.checks import CHECK_NAMES
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.steps import STEPS

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


class Profile(StrEnum):
    """Services of a bridge."""

    POWER = "POWER"
    DATA = "DATA"
    FULL = "FULL"

    @property
    def parts(self) -> frozenset[str]:
        """Of "power" and "data", those that it has."""
        return frozenset({"power", "data"} if self is Profile.FULL else {self.value.lower()})


@dataclass(frozen=True)
class Order:
    """An order to dock.

    Attributes:
        partner: name of the station or bot.
        partner_port, own_port: names of the ports.
        profile: of the bridge.

    Raises:
        ValueError: a field is no name or no profile; naming field, value and allowed values.
    """

    partner: str
    partner_port: str
    own_port: str
    profile: Profile = Profile.FULL

    def __post_init__(self) -> None:
        for name in ("partner", "partner_port", "own_port"):
            value = getattr(self, name)
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise ValueError(f"{name}: {value!r}; allowed: a letter, then letters, digits and _, 64 at most")
        if self.profile not in list(Profile):
            raise ValueError(f"profile: {self.profile!r}; allowed: {', '.join(Profile)}")
        object.__setattr__(self, "profile", Profile(self.profile))


@dataclass(frozen=True)
class Answer:
    """Answer to an order.

    Attributes:
        accepted: it is carried out, or was already.
        reason: of a refusal; of an accepted order `NONE`, or `ALREADY_DOCKED`.
        text: for an operator.
        code: after arming, the code that the release has to repeat; else 0.
    """

    accepted: bool
    reason: Reason
    text: str
    code: int = 0


@dataclass(frozen=True, eq=False)
class Occurrence:
    """An event: its type, time in s, and its payload as JSON holds it."""

    type: str
    time: float
    payload: Mapping[str, Any] = field(default_factory=dict)


PHASE_CHANGED = "docking.phase_changed"


@dataclass(frozen=True)
class State:
    """State of the machine that survives a restart.

    Attributes:
        step: name of the step in `phase`.
        order: None: there is none.
        hold: index of the hold point that is flown to, of `hold_points`.
        tries: docking attempts ended, of this order.
        retry: the abort under way is followed by another try.
        passed: names of the checks passed, in their order.
        reason: of the latest change of phase.
        cause: of the latest abort, undocking or fault.
    """

    phase: Phase = Phase.FREE
    step: str = "free"
    order: Order | None = None
    hold: int = 0
    tries: int = 0
    retry: bool = False
    passed: tuple[str, ...] = ()
    reason: Reason = Reason.NONE
    cause: Reason = Reason.NONE

    @property
    def parts(self) -> frozenset[str]:
        """Of "power" and "data", those of the ordered profile; without an order both."""
        return Profile.FULL.parts if self.order is None else self.order.profile.parts

    def as_payload(self) -> dict[str, Any]:
        """The state as JSON holds it."""
        order = self.order
        return {
            "phase": self.phase.value,
            "step": self.step,
            "partner": order.partner if order else "",
            "partner_port": order.partner_port if order else "",
            "own_port": order.own_port if order else "",
            "profile": order.profile.value if order else "",
            "hold": self.hold,
            "tries": self.tries,
            "retry": self.retry,
            "passed": list(self.passed),
            "reason": int(self.reason),
            "cause": int(self.cause),
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Self:
        """The state of `as_payload`; further keys are ignored.

        Raises:
            ValueError: a field is missing or not allowed; naming it.
        """
        try:
            phase = Phase(payload["phase"])
            partner, port, own = payload["partner"], payload["partner_port"], payload["own_port"]
            order = Order(partner, port, own, Profile(payload["profile"])) if partner or port or own else None
            state = cls(
                phase,
                payload["step"],
                order,
                payload["hold"],
                payload["tries"],
                payload["retry"],
                tuple(payload["passed"]),
                Reason(payload["reason"]),
                Reason(payload["cause"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"state: {error.args[0]!r} missing or of the wrong type") from error
        state._check()
        return state

    def _check(self) -> None:
        steps = [step.name for step in STEPS[self.phase]]
        if self.step not in steps:
            raise ValueError(f"step: {self.step!r}; allowed in {self.phase}: {', '.join(steps)}")
        for name in ("hold", "tries"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(f"{name}: {value!r}; allowed: 0 and above")
        if type(self.retry) is not bool:
            raise ValueError(f"retry: {self.retry!r}; allowed: true, false")
        if self.passed != CHECK_NAMES[: len(self.passed)]:
            raise ValueError(f"passed: {list(self.passed)}; allowed: the first of {', '.join(CHECK_NAMES)}")
        ordered = (Phase.APPROACH, Phase.ALIGN, Phase.SOFT_DOCK, Phase.HARD_DOCK, Phase.BRIDGE, Phase.ABORT)
        if self.order is None and self.phase in ordered:
            raise ValueError(f"phase: {self.phase} without partner and ports; allowed: with them")


def rebuilt(events: Iterable[tuple[str, Mapping[str, Any]]]) -> State:
    """State after (type, payload) of a bot's events in their order: that of the latest change of phase or step.

    Raises:
        ValueError: a payload is no state.
    """
    state = State()
    for type, payload in events:
        if type == PHASE_CHANGED:
            state = State.from_payload(payload)
    return state
