"""Measurements of docking's sensors, and the confirmation of conditions by consecutive valid ones."""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from qiki_vehicle.docking import Validity

NAVIGATION, PORT, POWER, LINK = "navigation", "port", "power", "link"

FLAG = "0 or 1"


@dataclass(frozen=True)
class Quantity:
    """A measured quantity: its unit (`FLAG`: 0 no, 1 yes), the source that reports it, and its meaning."""

    unit: str
    source: str
    meaning: str


QUANTITIES: dict[str, Quantity] = {
    "range": Quantity("m", NAVIGATION, "distance of the faces along the partner's port axis"),
    "closing": Quantity("m/s", NAVIGATION, "rate at which range falls"),
    "lateral_offset": Quantity("m", NAVIGATION, "of the own face from the partner's port axis"),
    "lateral_rate": Quantity("m/s", NAVIGATION, "across the axis"),
    "tilt": Quantity("rad", NAVIGATION, "between the port axes"),
    "tilt_rate": Quantity("rad/s", NAVIGATION, "pitch and yaw, vector sum"),
    "roll": Quantity("rad", NAVIGATION, "about the axis"),
    "roll_rate": Quantity("rad/s", NAVIGATION, "about the axis"),
    "prediction_inside": Quantity(FLAG, NAVIGATION, "the contact, as predicted, lies in the contact box"),
    "in_corridor": Quantity(FLAG, NAVIGATION, "the own face is in the corridor, or is not held to it yet"),
    "clear": Quantity(FLAG, NAVIGATION, "the hulls keep their distance, or the own one is in the corridor or leaves"),
    "contact": Quantity(FLAG, PORT, "the faces touch"),
    "capture": Quantity(FLAG, PORT, "the magnets hold the partner"),
    "latch_1": Quantity(FLAG, PORT, "first sensor of the latches: locked"),
    "latch_2": Quantity(FLAG, PORT, "second sensor of the latches: locked"),
    "pull_force": Quantity("N", PORT, "of the structural pull test, along the axis"),
    "slip_1": Quantity("m", PORT, "first sensor: movement of the joint under that force"),
    "slip_2": Quantity("m", PORT, "second sensor: movement of the joint under that force"),
    "umbilical": Quantity(FLAG, PORT, "the umbilical is mated"),
    "temperature": Quantity("degC", PORT, "of the port"),
    "isolation": Quantity("ohm", POWER, "between the contacts and the hull, contacts open"),
    "probe_volts": Quantity("V", POWER, "of the partner at the contacts, contacts open; negative: reversed"),
    "contacts_closed": Quantity(FLAG, POWER, "the power contacts are closed"),
    "bridge_volts": Quantity("V", POWER, "at the bridge beyond the own contacts"),
    "bridge_current": Quantity("A", POWER, "through the bridge; positive: into the own bot"),
    "link_alive": Quantity(FLAG, LINK, "the partner's docking node answers"),
    "data_carrier": Quantity(FLAG, LINK, "frames of the partner arrive over the bridge"),
    "port_reserved": Quantity(FLAG, LINK, "the partner's port is reserved for this bot"),
    "nonce_echoed": Quantity(FLAG, LINK, "each end returned the other's nonce"),
    "states_agree": Quantity(FLAG, LINK, "both ends report the same phase and ports"),
    "identity_valid": Quantity(FLAG, LINK, "the partner's identity is the ordered one"),
    "passport_signed": Quantity(FLAG, LINK, "the partner's passport is signed, or this body has no keys; so below"),
    "passport_key": Quantity(FLAG, LINK, "its key is a trusted one, of that id and body"),
    "passport_key_in_time": Quantity(FLAG, LINK, "its key is valid now"),
    "passport_key_in_force": Quantity(FLAG, LINK, "its key is not revoked"),
    "passport_fresh": Quantity(FLAG, LINK, "it is signed for this docking: it has the nonces of both ends"),
    "passport_terms": Quantity(FLAG, LINK, "it states the ports, the profile and the limits of the exchange"),
    "passport_genuine": Quantity(FLAG, LINK, "its signature is good"),
    "passport_accepted": Quantity(FLAG, LINK, "the partner does not refuse the own passport"),
    "profile_agreed": Quantity(FLAG, LINK, "both ends allow the profile"),
    "limits_agreed": Quantity(FLAG, LINK, "the partner's volts and amperes fit the own limits"),
    "power_cleared": Quantity(FLAG, LINK, "the power budgets of both ends allow the bridge"),
}
"""Every quantity that a condition may name."""


@dataclass(frozen=True)
class Sample:
    """Values of one reading.

    Attributes:
        stamp: s, of the measurement, on the clock of the machine.
        values: by the names of `QUANTITIES`; one that is missing was not measured, one that is NaN is invalid.
        quality: 0..1.
    """

    stamp: float
    values: Mapping[str, float]
    quality: float = 1.0


@dataclass
class _Record:
    stamps: deque[float]
    values: deque[float]
    stamp: float = -math.inf  # of the latest sample, valid or not
    valid: float = -math.inf  # stamp of the latest valid one


@dataclass
class Evidence:
    """The latest consecutive valid samples of each quantity.

    A sample that is too old, from the future, of low quality or no finite number ends the series, and so does a pause
    longer than the largest age. A valid one with the stamp of the last, or before it, is no new measurement: it is
    ignored.
    """

    validity: Validity
    _records: dict[str, _Record] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()

    def forget(self, names: Iterable[str], now: float) -> None:
        """Count only samples of these quantities that are taken after `now`, s."""
        for name in names:
            record = self._records.setdefault(name, self._empty())
            self._end(name)
            record.stamp = max(record.stamp, now)

    def observe(self, sample: Sample, now: float) -> None:
        """Take a sample in. `now`: s. Names that are no quantity are ignored."""
        rules = self.validity
        if not (isinstance(sample.stamp, int | float) and math.isfinite(sample.stamp)):
            for name in sample.values:
                self._end(name)
            return
        fresh = -rules.max_ahead <= now - sample.stamp <= rules.max_age
        good = fresh and isinstance(sample.quality, int | float) and rules.quality_min <= sample.quality <= 1.0
        for name, value in sample.values.items():
            if name not in QUANTITIES:
                continue
            record = self._records.get(name)
            if record is None:
                record = self._records[name] = self._empty()
            if not good or not _possible(name, value):
                self._end(name)
                # A stamp from the future must not shut out the samples that come in time.
                record.stamp = max(record.stamp, min(sample.stamp, now))
                continue
            if sample.stamp <= record.stamp:
                continue
            if record.stamps and sample.stamp - record.stamps[-1] > rules.max_age:
                self._end(name)
            record.stamp = record.valid = sample.stamp
            record.stamps.append(sample.stamp)
            record.values.append(float(value))

    def confirmed(self, name: str, now: float) -> tuple[tuple[float, float], ...] | None:
        """(stamp s, value) of the last N valid samples; None: fewer, or the last one is too old."""
        record = self._records.get(name)
        if record is None or len(record.values) < self.validity.samples or self.age(name, now) > self.validity.max_age:
            return None
        return tuple(zip(record.stamps, record.values, strict=True))

    def latest(self, name: str, now: float) -> tuple[float, float] | None:
        """(stamp s, value) of the latest sample if it is valid and not too old."""
        record = self._records.get(name)
        if record is None or not record.values or self.age(name, now) > self.validity.max_age:
            return None
        return record.stamps[-1], record.values[-1]

    def age(self, name: str, now: float) -> float:
        """s since the latest valid sample; infinite if there was none."""
        record = self._records.get(name)
        return math.inf if record is None else now - record.valid

    def _empty(self) -> _Record:
        samples = self.validity.samples
        return _Record(deque(maxlen=samples), deque(maxlen=samples))

    def _end(self, name: str) -> None:
        record = self._records.get(name)
        if record is not None:
            record.stamps.clear()
            record.values.clear()


def _possible(name: str, value: object) -> bool:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return QUANTITIES[name].unit != FLAG or value in (0.0, 1.0)
