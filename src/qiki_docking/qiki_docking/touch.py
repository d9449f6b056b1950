"""Motion of the ports before first contact, and its judgement by the contact box."""

import math
from collections import deque
from dataclasses import fields
from typing import Any

from qiki_docking.contact import ContactBox, Judgement, PortMotion
from qiki_docking.evidence import Evidence, Sample
from qiki_docking.guidance import in_corridor
from qiki_vehicle.docking import Docking

_NAMES = tuple(field.name for field in fields(PortMotion))
_UNKNOWN = PortMotion(*(math.nan for _ in _NAMES))


class Touch:
    """Valid relative motions so far, and the stamp of first contact.

    Attributes:
        judgement: of the last contact; None: there was none in this try.
    """

    def __init__(self, rules: Docking, evidence: Evidence) -> None:
        self._rules, self._evidence = rules, evidence
        self._box = ContactBox(rules.contact_box)
        self._motions: deque[tuple[float, PortMotion]] = deque(maxlen=256)
        self._touched = self._apart = math.nan  # s, of the first reading with contact, and of the last without
        self.judgement: Judgement | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._motions.clear()
        self._touched, self._apart, self.judgement = math.nan, math.nan, None

    def observe(self, sample: Sample, now: float) -> None:
        """Follow the evidence, which has taken the sample in before."""
        latest = self._evidence.latest("contact", now)
        if latest is not None and latest[1] == 0.0:
            self._touched, self._apart = math.nan, latest[0]
        elif latest is not None and math.isnan(self._touched):
            self._touched = latest[0]
        values = [self._evidence.latest(name, now) for name in _NAMES]
        if all(name in sample.values for name in _NAMES) and None not in values:
            known = [value for value in values if value is not None]
            if all(stamp == sample.stamp for stamp, _ in known):
                self._motions.append((sample.stamp, PortMotion(*(value for _, value in known))))

    def judge(self) -> dict[str, Any]:
        """Judge the last motion of ports that were seen apart.

        Of later ones, before the first reading with contact, some may be of the contact itself. Not known for the age
        of a valid sample, it is outside of the box.
        """
        age = self._rules.validity.max_age
        before = [motion for stamp, motion in self._motions if 0.0 <= self._apart - stamp <= age]
        motion = before[-1] if before else _UNKNOWN
        self.judgement = self._box.judge(motion)
        return {
            "inside": self.judgement.inside,
            "margins": {name: _known(margin) for name, margin in self.judgement.margins.items()},
            "exceeded": [excess.quantity for excess in self.judgement.exceeded],
            "text": str(self.judgement),
        }

    def leaves_box(self, now: float) -> bool:
        """The last confirmed motions are near the port, and all outside of the box."""
        samples = [self._evidence.confirmed(name, now) for name in _NAMES]
        known = [series for series in samples if series is not None]
        if not math.isnan(self._touched) or len(known) < len(_NAMES):
            return False
        if len({tuple(stamp for stamp, _ in series) for series in known}) > 1:
            return False
        motions = [PortMotion(*(value for _, value in values)) for values in zip(*known, strict=True)]
        align = self._rules.align
        near = all(align.predict_to <= motion.range <= align.predict_from for motion in motions)
        return near and not any(self._box.judge(motion).inside for motion in motions)

    def first_hold(self, now: float) -> int:
        """Index of the first hold point that lies inside of the range, or the last one; outside of the corridor 0."""
        points = self._rules.hold_points
        latest, aside = self._evidence.latest("range", now), self._evidence.latest("lateral_offset", now)
        if latest is not None and aside is not None and not in_corridor(latest[1], aside[1], self._rules):
            return 0
        distance = math.inf if latest is None else latest[1] + self._rules.approach.position_tolerance
        return next((i for i, point in enumerate(points) if point <= distance), len(points) - 1)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
