"""Conditions on measured quantities, as data: limits are names of settings in the vehicle file."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from qiki_docking.evidence import FLAG, QUANTITIES, Evidence
from qiki_docking.reasons import Reason
from qiki_vehicle import Vehicle

HOLD = "hold"
"""Offset of a condition: range of the hold point that is flown to."""


@dataclass(frozen=True)
class Condition:
    """A quantity within limits, shown by N consecutive valid samples.

    Attributes:
        quantity: of `QUANTITIES`.
        reason: given if it does not hold.
        low, high: names of settings of the vehicle file ("-" in front: negated), or 0.0 or 1.0 of a flag; None: none.
        less: subtracted from the value first: `HOLD`, a quantity of the same sample, or a setting.
        size: the absolute value counts.
        part: "power" or "data": needed only with profiles that have it; "fed": while a source feeds the bridge; "dark":
            while not both ends are fed otherwise.
    """

    quantity: str
    reason: Reason
    low: str | float | None = None
    high: str | float | None = None
    less: str | None = None
    size: bool = False
    part: str | None = None

    def __str__(self) -> str:
        quantity = QUANTITIES[self.quantity]
        if quantity.unit == FLAG and self.low is not None:
            return self.quantity if self.low == 1.0 else f"not {self.quantity}"
        value = self.quantity if self.less is None else f"{self.quantity} - {self.less}"
        value = f"\\|{value}\\|" if self.size else value
        if self.low is None and self.high is None:
            return f"{value} valid"
        low = "" if self.low is None else f"{self.low} ≤ "
        return low + value + ("" if self.high is None else f" ≤ {self.high}")


def yes(quantity: str, reason: Reason, part: str | None = None) -> Condition:
    """A flag that is set."""
    return Condition(quantity, reason, 1.0, 1.0, part=part)


def no(quantity: str, reason: Reason) -> Condition:
    """A flag that is not set."""
    return Condition(quantity, reason, 0.0, 0.0)


def most(quantity: str, high: str, reason: Reason, part: str | None = None) -> Condition:
    """A quantity whose size is at most `high`."""
    return Condition(quantity, reason, high=high, size=True, part=part)


def valid(quantity: str, reason: Reason, part: str | None = None) -> Condition:
    """A quantity that is measured, whatever its value."""
    return Condition(quantity, reason, part=part)


class Settings:
    """Numbers of the vehicle file by dotted name: `settings["docking.align.tilt"]`."""

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle = vehicle
        self._known: dict[str, float] = {}

    def __getitem__(self, name: str) -> float:
        if name not in self._known:
            sign = -1.0 if name.startswith("-") else 1.0
            value: object = self._vehicle
            for part in name.removeprefix("-").split("."):
                value = value[part] if isinstance(value, dict) else getattr(value, part)
            if not isinstance(value, int | float):
                raise TypeError(f"setting {name}: {value!r}; allowed: the name of a number")
            self._known[name] = sign * float(value)
        return self._known[name]

    def limit(self, limit: str | float | None, without: float) -> float:
        """A limit of a condition; `without`: its value where there is none."""
        if limit is None:
            return without
        return self[limit] if isinstance(limit, str) else limit


class Judge:
    """Conditions against evidence.

    Args:
        hold: gives the range of the hold point that is flown to, m.
        parts: gives the parts that count now.
    """

    def __init__(
        self, settings: Settings, evidence: Evidence, hold: Callable[[], float], parts: Callable[[], frozenset[str]]
    ) -> None:
        self._settings, self._evidence = settings, evidence
        self._hold, self._parts = hold, parts

    def holds(self, condition: Condition, now: float) -> bool:
        """N consecutive valid samples, the last not too old, all within the limits; or the profile does not need it."""
        return self._skipped(condition) or self._inside(condition, now) is True

    def fails(self, condition: Condition, now: float, blind: float, since: float) -> bool:
        """N consecutive valid samples all outside, or no valid one for `blind` s, counted from `since` on."""
        if self._skipped(condition):
            return False
        unseen = min(self._evidence.age(condition.quantity, now), now - since)
        return unseen > blind or self._inside(condition, now) is False

    def _skipped(self, condition: Condition) -> bool:
        return condition.part is not None and condition.part not in self._parts()

    def _inside(self, condition: Condition, now: float) -> bool | None:
        """All inside, all outside, or None: neither, or not confirmed."""
        values = self._values(condition, now)
        if values is None:
            return None
        low = self._settings.limit(condition.low, -math.inf)
        high = self._settings.limit(condition.high, math.inf)
        inside = [low <= (abs(value) if condition.size else value) <= high for value in values]
        return inside[0] if len(set(inside)) == 1 else None

    def _values(self, condition: Condition, now: float) -> list[float] | None:
        series = self._evidence.confirmed(condition.quantity, now)
        if series is None:
            return None
        if condition.less is None:
            return [value for _, value in series]
        if condition.less in QUANTITIES:
            others = self._evidence.confirmed(condition.less, now)
            if others is None or [stamp for stamp, _ in others] != [stamp for stamp, _ in series]:
                return None
            return [value - other for (_, value), (_, other) in zip(series, others, strict=True)]
        less = self._hold() if condition.less == HOLD else self._settings[condition.less]
        return [value - less for _, value in series]
