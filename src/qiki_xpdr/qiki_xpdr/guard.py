"""Guard rules on tracks: alerts on edges, with hysteresis, least duration and cooldown, in simulated time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from qiki_xpdr.geometry import Floats
from qiki_xpdr.modes import Allegiance, Mode, Occurrence, SpoofState, Status
from qiki_xpdr.rules import Rule, Rules, When

ALERT_RAISED = "guard.alert_raised"
ALERT_ENDED = "guard.alert_ended"


class GuardMode(IntEnum):
    """ACTIVE: alerts are raised. PASSIVE: rules are evaluated and alerts marked as without effect. OFF: nothing."""

    OFF = 0
    PASSIVE = 1
    ACTIVE = 2


@dataclass(frozen=True)
class Contact:
    """A track as rules see it.

    Attributes:
        range: m. closing: m/s, of the range. quality: 0 to 1.
        cpa, cpa_time: m, s, distance at the closest point of approach, and time until then.
        mode: as declared; None: no claim.
        docked: body of the own assembly that it is; empty: none. No rule matches it.
    """

    track: int
    status: Status
    range: float
    closing: float
    quality: float
    iff: Allegiance = Allegiance.UNKNOWN
    mode: Mode | None = None
    spoof: SpoofState = SpoofState.UNKNOWN
    identity: str = ""
    cpa: float = math.nan
    cpa_time: float = math.nan
    docked: str = ""


@dataclass(frozen=True)
class Alert:
    """A rule that holds on a track.

    Attributes:
        raised: s. effect: false in mode PASSIVE.
    """

    rule: str
    severity: str
    track: int
    raised: float
    effect: bool
    contact: Contact


@dataclass
class _Memory:
    """One rule on one track."""

    holds_since: float = math.nan
    raised: float = math.nan
    active: bool = False
    seen: float = -math.inf


class GuardTable:
    """All rules on all tracks.

        table = GuardTable(Rules.from_file("launch/config/guard.yaml"))
        raised = table.evaluate(contacts, now)        # alerts that begin now, of every track that violates a rule
        table.alerts                                  # those that last

    Only TRACKED and COASTING tracks match. A condition on a value that is not known does not hold.
    """

    def __init__(self, rules: Rules, mode: GuardMode = GuardMode.ACTIVE) -> None:
        self._rules, self._mode = rules.rules, mode
        # Times are kept for as long as a cooldown can ask for them.
        self._forget = max(rule.cooldown for rule in rules.rules)
        self._memory: dict[tuple[str, int], _Memory] = {}
        self._alerts: dict[tuple[str, int], Alert] = {}
        self._occurrences: list[Occurrence] = []
        self._now = -math.inf

    @property
    def mode(self) -> GuardMode:
        """ACTIVE, PASSIVE or OFF."""
        return self._mode

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Alerts that last, in the order in which they were raised."""
        return tuple(self._alerts.values())

    def set_mode(self, mode: GuardMode, now: float) -> None:
        """Change the mode. Alerts that last end, and what still holds is raised again: each alert is of one mode."""
        if mode is not self._mode:
            for key in list(self._alerts):
                self._finish(key, now, "mode")
            self._memory.clear()
            self._mode = mode

    def evaluate(self, contacts: Sequence[Contact], now: float) -> list[Alert]:
        """Evaluate each rule on each track.

        Raises:
            ValueError: the time is not finite, or a track is named twice.
        """
        if not math.isfinite(now):
            raise ValueError(f"now {now}; allowed: finite, s")
        if len({contact.track for contact in contacts}) != len(contacts):
            raise ValueError("contacts: a track is named twice; allowed: once")
        if now < self._now:
            # The clock was set back: times that were noted lie ahead.
            self._memory.clear()
            self._alerts.clear()
        self._now = now
        if self._mode is GuardMode.OFF:
            return []
        raised = [alert for rule in self._rules for one in contacts if (alert := self._apply(rule, one, now))]
        present = {contact.track for contact in contacts}
        for key in [key for key in self._alerts if key[1] not in present]:
            self._finish(key, now, "gone")
        for key, memory in list(self._memory.items()):
            if now - memory.seen > self._forget and key not in self._alerts:
                del self._memory[key]
        return raised

    def take_occurrences(self) -> list[Occurrence]:
        """Alerts raised and ended since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    def _apply(self, rule: Rule, contact: Contact, now: float) -> Alert | None:
        key = (rule.id, contact.track)
        lasts = key in self._alerts
        if not matches(rule.when, contact, rule.hysteresis if lasts else 0.0):
            if lasts:
                self._finish(key, now, "over")
            if key in self._memory:
                self._memory[key].holds_since = math.nan
            return None
        memory = self._memory.setdefault(key, _Memory())
        memory.seen = now
        if math.isnan(memory.holds_since):
            memory.holds_since = now
        waits = now - memory.holds_since < rule.min_duration
        cools = not math.isnan(memory.raised) and now - memory.raised < rule.cooldown
        if lasts or waits or cools:
            return None
        memory.raised = now
        alert = Alert(rule.id, rule.severity, contact.track, now, self._mode is GuardMode.ACTIVE, contact)
        self._alerts[key] = alert
        self._occurrences.append(Occurrence(ALERT_RAISED, _payload(alert)))
        return alert

    def _finish(self, key: tuple[str, int], now: float, cause: str) -> None:
        alert = self._alerts.pop(key)
        payload = {"rule": alert.rule, "track": alert.track, "seconds": now - alert.raised, "cause": cause}
        self._occurrences.append(Occurrence(ALERT_ENDED, payload))


def matches(when: When, contact: Contact, margin: float = 0.0) -> bool:
    """True where all conditions hold; `margin`: m, by which the range may lie outside of its band."""
    if contact.docked or contact.status not in (Status.TRACKED, Status.COASTING):
        return False
    on = contact.mode is not None and contact.mode.transmits
    checks = (
        when.iff is None or contact.iff.name in when.iff,
        when.transponder_on is None or on is when.transponder_on,
        when.mode is None or (contact.mode is not None and contact.mode.name in when.mode),
        when.spoof is None or contact.spoof.name in when.spoof,
        when.range is None or when.range[0] - margin <= contact.range <= when.range[1] + margin,
        when.quality_min is None or contact.quality >= when.quality_min,
        when.closing_min is None or contact.closing > when.closing_min,
        when.cpa_max is None or contact.cpa <= when.cpa_max,
        when.cpa_time_max is None or 0.0 <= contact.cpa_time <= when.cpa_time_max,
    )
    return all(checks)


def closest_approach(position: Floats, velocity: Floats) -> tuple[Floats, Floats]:
    """Distance (N,) m at the closest point of approach, and seconds (N,) until then.

    NaN without relative motion and after it.

    Args:
        position, velocity: (N, 3) m, m/s, relative.
    """
    squared = np.einsum("ij,ij->i", velocity, velocity)
    with np.errstate(divide="ignore", invalid="ignore"):
        seconds = -np.einsum("ij,ij->i", position, velocity) / squared
        seconds = np.where((squared > 1e-12) & (seconds >= 0.0), seconds, np.nan)
        distance = np.linalg.norm(position + seconds[:, None] * velocity, axis=1)
    return distance, seconds


def _payload(alert: Alert) -> dict[str, object]:
    contact = alert.contact
    return {
        "rule": alert.rule,
        "severity": alert.severity,
        "track": alert.track,
        "identity": contact.identity,
        "iff": contact.iff.name,
        "spoof": contact.spoof.name,
        "range": contact.range,
        "closing": contact.closing,
        "quality": contact.quality,
        "effect": alert.effect,
    }
