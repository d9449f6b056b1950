"""State of a bot's transponder and of its guard rules, as an operator sees them, and these as values for JSON."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from qiki_console.model.numbers import NA, number

GUARD_MODES: Final = ("OFF", "PASSIVE", "ACTIVE")
SEVERITIES: Final = ("UNSPECIFIED", "INFO", "WARNING", "CRITICAL")

STALE: Final = 3.0
"""s from which the state of a transponder is stale: three periods."""


@dataclass(frozen=True)
class TransponderStatus:
    """State of a transponder; age, armed_for and power in s, s and W.

    Attributes:
        mode, effective: as ordered; OFF while the power is shed. key: id of the signing key; empty: none signs.
        group: a key of the group answers interrogations.
        refusals: number of receptions that were not verified, by reason.
        armed_for: s for which SPOOF stays armed; NaN: it is not.
    """

    id: str
    mode: str
    effective: str
    shed: bool
    power: float
    armed_for: float
    key: str
    group: bool
    checks_queued: int
    checks_dropped: int
    refusals: dict[str, int]
    guard_mode: str
    age: float

    @property
    def stale(self) -> bool:
        """True where the node has fallen silent, or the clock was set back."""
        return not -STALE <= self.age <= STALE


@dataclass(frozen=True)
class Alert:
    """A guard rule that holds on a track; values of the moment at which it was raised, NaN: unknown."""

    rule: str
    severity: str
    effect: bool
    track: str
    transponder_id: str
    iff: str
    spoof: str
    range: float
    closing: float
    quality: float
    raised_ns: int


def status_lines(bot: str, status: TransponderStatus) -> list[str]:
    """The state as lines of text."""
    mode = status.mode if status.mode == status.effective else f"{status.mode}, in effect {status.effective}"
    age = f"{round(status.age, 1) + 0.0:.1f} s ago" + ("  STALE" if status.stale else "")
    lines = [
        f"{bot}: {mode}{', power is shed' if status.shed else ''}  ({age})",
        f"  id            {status.id or NA}",
        f"  power         {number(status.power, 1)} W",
        f"  signing key   {status.key or 'none: claims are not signed'}",
        f"  group key     {'there' if status.group else 'none: interrogations by HMAC are not answered'}",
        f"  checks        {status.checks_queued} queued, {status.checks_dropped} dropped",
        f"  guard         {status.guard_mode}",
    ]
    if status.armed_for == status.armed_for:
        lines.insert(1, f"  SPOOF         armed for {status.armed_for:.1f} s")
    refused = ", ".join(f"{name} {count}" for name, count in status.refusals.items())
    return [*lines, f"  not verified  {refused or 'none'}"]


def status_report(bot: str, status: TransponderStatus) -> dict[str, Any]:
    """The state for JSON."""
    values = {"bot": bot, **asdict(status), "stale": status.stale}
    renamed = {"power": "power_w", "armed_for": "armed_for_s", "age": "age_s"}
    return {renamed.get(name, name): value for name, value in values.items()} | {"key": status.key or None}


def alert_report(bot: str, alert: Alert) -> dict[str, Any]:
    """An alert for JSON."""
    values = {"bot": bot, **asdict(alert)}
    values["raised_ns_text"] = str(values.pop("raised_ns"))
    values["transponder_id"] = alert.transponder_id or None
    renamed = {"range": "range_m", "closing": "closing_m_s"}
    return {renamed.get(name, name): value for name, value in values.items()}


def alert_line(alert: Alert, now: float) -> str:
    """An alert as one line. now: s."""
    effect = "" if alert.effect else ", without effect (PASSIVE)"
    claims = f"claims {alert.transponder_id}, {alert.spoof}" if alert.transponder_id else "claims nothing"
    return (
        f"{alert.severity} {alert.rule}: {alert.track} {alert.iff}, {claims}, at {number(alert.range, 1)} m, closing "
        f"{number(alert.closing, 2)} m/s, raised {now - 1e-9 * alert.raised_ns:.1f} s ago{effect}"
    )
