"""Health of the thrusters from all sources: operators, the hardware's own sensors, the motion."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.health.detection import BODY, DEAD, HEALTHY, STUCK_OPEN, UNEXPLAINED, WEAK, FaultDetector
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.health.readings import MotionReading
from qiki_allocator.health.table import Condition, HealthTable
from qiki_allocator.modulation.ledger import Reader, ValveLedger
from qiki_vehicle import MassProperties

OPERATOR = "operator"
HARDWARE = "hardware"
MOTION = "motion"

_KINDS = {
    DEAD: Condition.DEAD,
    WEAK: Condition.WEAK,
    STUCK_OPEN: Condition.STUCK_OPEN,
    HEALTHY: Condition.OK,
}
_NEW_BODY = 0.02
"""Relative change of mass that is more than working mass used up between two messages."""

_SHORT = 0.25
"""s between two of the valves' counters beyond which pulses may have come at other times though their sum is right."""

_WAIT = 1.0
"""s, for which odometry waits for the valves' counters; valves that have sent none so far are taken for such that
have none."""

_DEVIATION = 5e-3
"""s, by which valves may deviate from their commands between two counters before motion is no evidence."""


@dataclass(frozen=True)
class Finding:
    """A finding about thrusters.

    Attributes:
        text: as for a log.
        source: `OPERATOR`, `HARDWARE` or `MOTION`.
        thrusters: concerned.
        condition: theirs now; None: nothing is done about it.
        candidates: all it may be, if the evidence is ambiguous.
        score: of the evidence, NaN if there is none.
    """

    text: str
    source: str
    thrusters: tuple[int, ...]
    condition: Condition | None
    level: float = 1.0
    candidates: tuple[int, ...] = ()
    score: float = math.nan


class FaultWatch:
    """Keeps the health table.

    Attributes:
        health: the table.
        stated: condition and level that operators gave thrusters last, of those that are not OK.
    """

    def __init__(
        self,
        array: ThrusterArray,
        body: MassProperties,
        settings: DetectorSettings,
        ledger: ValveLedger,
        *,
        by_motion: bool = True,
    ) -> None:
        """by_motion: odometry is evidence, beside operators and the hardware's own sensors."""
        self._ledger = ledger
        self._by_motion = by_motion
        self.health = HealthTable(len(array))
        self.stated: dict[int, tuple[Condition, float]] = {}
        self._detector = FaultDetector(array, body.mass, body.inertia, settings)
        self._mass = body.mass
        self._late_edges: int | None = None
        self._has_counters = False
        self._reported: tuple[Condition | None, ...] = (None,) * len(array)
        self.reset()

    def reset(self) -> None:
        """The clock was set back."""
        self._reader = Reader(self._ledger)
        self._detector.forget()
        self._quiet_until = self._known_until = -math.inf
        self._expected_until = math.inf
        self._waiting: deque[MotionReading] = deque()

    def compare(self, begin: float, until: float, short: npt.ArrayLike, late_edges: int | None = None) -> None:
        """Take the valves' counters of the time from `begin` until `until`, s.

        Motion of that time is evidence if the valves did what was commanded. Motion of a time of which no counters came
        is none, as a command may have been lost in it.

        Args:
            short: (n,) s that each valve was open less than commanded.
            late_edges: edges that came too late, since the start of the hardware; None: unknown.
        """
        came_late = None not in (late_edges, self._late_edges) and late_edges != self._late_edges
        self._late_edges = late_edges
        self._has_counters = True
        if begin > self._known_until:
            self.distrust(begin)
        if came_late or until - begin > _SHORT or np.abs(short).max() > _DEVIATION:
            self.distrust(until)
        self._known_until = max(self._known_until, until)

    def distrust(self, until: float) -> None:
        """The valves deviated from their commands for a known reason: until then motion accuses no thruster."""
        self._quiet_until = max(self._quiet_until, until)

    def move(self, array: ThrusterArray, body: MassProperties) -> None:
        """The mass properties changed."""
        much = abs(body.mass / self._mass - 1.0) > _NEW_BODY
        (self._detector.set_body if much else self._detector.track_body)(array, body.mass, body.inertia)
        self._mass = body.mass

    def set(self, thruster: int, condition: Condition, level: float = 1.0) -> Finding:
        """Set a condition on behalf of an operator.

        Raises:
            ValueError: there is no such thruster, or the level is out of range.
        """
        self.health.set(thruster, condition, level)
        if condition is Condition.OK:
            self.stated.pop(thruster, None)
        else:
            self.stated[thruster] = condition, level if condition is Condition.WEAK else 1.0
        self._update_detector(thruster)
        return Finding(f"thruster {thruster} {condition.value}", OPERATOR, (thruster,), condition, level)

    def report(self, conditions: Sequence[Condition | None]) -> list[Finding]:
        """Take conditions from the hardware's own sensors, None: no statement; only changes count."""
        found = []
        for thruster, (before, now) in enumerate(zip(self._reported, conditions, strict=True)):
            if now is None or now is before or (before is None and now is Condition.OK):
                continue
            if now is self.health.conditions()[thruster]:
                continue
            self.health.set(thruster, now)
            self._update_detector(thruster)
            found.append(Finding(f"thruster {thruster} {now.value}", HARDWARE, (thruster,), now))
        self._reported = tuple(now or before for before, now in zip(self._reported, conditions, strict=True))
        return found

    def move_seen(self, reading: MotionReading) -> list[Finding]:
        """Judge odometry against the commanded pulses, once the valves' counters of the same time are known.

        Odometry of whose time no counters come is dropped; of valves that never send any, the commands must do.
        """
        if not self._by_motion:
            return []
        newest = self._waiting[-1].time if self._waiting else self._reader.time
        if reading.time <= newest:
            return []
        self._waiting.append(reading)
        self._expected_until = min(self._expected_until, reading.time + _WAIT)
        has_none = not self._has_counters and reading.time >= self._expected_until
        until = reading.time if has_none else self._known_until
        found = []
        while self._waiting and self._waiting[0].time <= until:
            found += self._judge(self._waiting.popleft())
        while self._waiting and self._waiting[0].time < reading.time - _WAIT:
            self._waiting.popleft()
        return found

    def _judge(self, reading: MotionReading) -> list[Finding]:
        on = self._reader.advance(reading.time)
        if reading.time <= self._quiet_until:
            self._detector.forget()
            return []
        try:
            verdict = self._detector.observe(reading.time, reading.velocity, reading.rates, on)
        except ValueError:
            # A gap or a jump of the clock; the detector restarts.
            return []
        if verdict is None:
            return []
        if verdict.kind in (BODY, UNEXPLAINED):
            text = f"motion {verdict.kind}" + (f" {' '.join(verdict.axes)}" if verdict.axes else "")
            return [Finding(text, MOTION, verdict.thrusters, None, verdict.level, verdict.candidates, verdict.score)]
        condition = _KINDS[verdict.kind]
        level = verdict.level if condition is Condition.WEAK else 1.0
        for thruster in verdict.thrusters:
            self.health.set(thruster, condition, level)
        names = ", ".join(map(str, verdict.thrusters))
        ambiguous = verdict.candidates if len(verdict.candidates) > len(verdict.thrusters) else ()
        text = f"thruster {names} {condition.value}"
        return [Finding(text, MOTION, verdict.thrusters, condition, level, ambiguous, verdict.score)]

    def _update_detector(self, thruster: int) -> None:
        detector, levels = self._detector, self.health.levels()
        is_stuck = self.health.conditions()[thruster] is Condition.STUCK_OPEN
        detector.level[thruster] = 1.0 if is_stuck else levels[thruster]
        detector.leak[thruster] = 1.0 if is_stuck else 0.0
        detector.forget()


def shortfall(late: Floats, health: HealthTable) -> Floats:
    """(n,) s that pulses fell short by, without thrusters stuck open: those are compensated as a constant force."""
    stuck = np.zeros(len(late), dtype=bool)
    stuck[list(health.stuck())] = True
    return np.where(stuck, 0.0, late)
