"""Faults of the simulated hardware: what kinds there are, and which are in force."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STUCK_CLOSED = "thruster_stuck_closed"
STUCK_OPEN = "thruster_stuck_open"
WEAK = "thruster_weak"
DROPOUT = "sensor_dropout"
NOISE = "sensor_noise"
LATCH_JAM = "latch_jam"
UMBILICAL = "umbilical_misaligned"
POLARITY = "polarity_reversed"
RESISTANCE = "contact_resistance"
SENSOR_WRONG = "port_sensor_wrong"
WELDED = "contacts_welded"
CONVERTER = "converter_dead"
CLEAR = "clear"
OF_THRUSTERS = (STUCK_CLOSED, STUCK_OPEN, WEAK)
OF_PORTS = (LATCH_JAM, UMBILICAL, POLARITY, RESISTANCE, SENSOR_WRONG, WELDED)
KINDS = (*OF_THRUSTERS, DROPOUT, NOISE, *OF_PORTS, CONVERTER, CLEAR)

DOCK = "dock"
"""Target of faults of the docking hardware as a whole, and the name of its sensors."""
RADAR = "radar"
SENSORS = ("odom", "thruster_state", "energy", "thermal", "battery", "supercap", RADAR, DOCK)
NOISY_SENSORS = ("odom", "energy", "thermal", RADAR, DOCK)
LARGEST_RESISTANCE = 1e3  # ohm
LARGEST_NOISE = 1e6
LARGEST_DURATION = 1e6  # s


@dataclass(frozen=True)
class Fault:
    """A fault in force; `until_us` is the simulated time in microseconds at which it clears by itself, None: never."""

    kind: str
    target: str
    value: float
    until_us: int | None


def check_fault(
    kind: str, target: str, value: float, duration: float, thrusters: int, *, ports: Sequence[str] = ()
) -> None:
    """Refuse a fault that cannot be.

    thrusters: how many there are; none: a body with docking hardware alone. ports: names of those with hardware.

    Raises:
        ValueError: the text starts with the field and names value and allowed range.
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: allowed: {', '.join(KINDS)}")
    if not (math.isfinite(duration) and 0.0 <= duration <= LARGEST_DURATION):
        raise ValueError(f"duration = {duration}: allowed: 0 (until cleared) to {LARGEST_DURATION:g} s")
    allowed = _targets(kind, thrusters, ports)
    index = target.isdecimal() and target.isascii() and len(target) <= 3 and int(target) < thrusters
    if target not in allowed and not (index and kind in (*OF_THRUSTERS, CLEAR)):
        indices = [f"thruster index 0 to {thrusters - 1}"] if thrusters and kind in (*OF_THRUSTERS, CLEAR) else []
        shown = ", ".join([*(name or "empty (all)" for name in allowed[:1]), *indices, *allowed[1:]])
        raise ValueError(f"target = {target!r}: allowed for {kind}: {shown or 'none: the body has no such part'}")
    values = _VALUES.get(kind)
    if not math.isfinite(value):
        raise ValueError(f"value = {value}: allowed: a finite number")
    if values is not None and not values[0](value):
        raise ValueError(f"value = {value}: allowed for {kind}: {values[1]}")


_VALUES: Final[dict[str, tuple[Callable[[float], bool], str]]] = {
    WEAK: (lambda value: 0.0 <= value <= 1.0, "0 to 1, the share of thrust left"),
    NOISE: (lambda value: 0.0 <= value <= LARGEST_NOISE, f"0 to {LARGEST_NOISE:g}"),
    RESISTANCE: (lambda value: 0.0 < value <= LARGEST_RESISTANCE, f"above 0 to {LARGEST_RESISTANCE:g} ohm"),
    SENSOR_WRONG: (lambda value: value in (1.0, 2.0), "1 or 2, the sensor that is wrong"),
}


def _targets(kind: str, thrusters: int, ports: Sequence[str]) -> tuple[str, ...]:
    """Names of the parts that a kind of fault can have, without the indices of thrusters."""
    sensors, noisy = (SENSORS, NOISY_SENSORS) if thrusters else ((DOCK,), (DOCK,))
    if kind in OF_PORTS:
        return tuple(ports)
    return {DROPOUT: sensors, NOISE: noisy, CONVERTER: (DOCK,), CLEAR: ("", *sensors, *ports)}.get(kind, ())


class FaultBook:
    """The faults of one body. One per thruster, one of each kind per sensor and port; the newest wins."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], Fault] = {}

    def inject(self, fault: Fault) -> None:
        """Put a fault in force, or clear those of its target; the fault has passed `check_fault`."""
        if fault.kind == CLEAR:
            self._faults = {
                key: old for key, old in self._faults.items() if fault.target and old.target != fault.target
            }
            return
        slot = "thruster" if fault.kind in OF_THRUSTERS else fault.kind
        target = fault.target if slot != "thruster" else str(int(fault.target))
        self._faults[slot, target] = Fault(fault.kind, target, fault.value, fault.until_us)

    def expire(self, now_us: int) -> bool:
        """Drop the faults whose time is over; True if there were any."""
        before = len(self._faults)
        self._faults = {key: f for key, f in self._faults.items() if f.until_us is None or f.until_us > now_us}
        return len(self._faults) != before

    @property
    def active(self) -> tuple[Fault, ...]:
        return tuple(self._faults.values())

    @property
    def next_expiry_us(self) -> int | None:
        """Time at which the next fault clears by itself."""
        return min((f.until_us for f in self._faults.values() if f.until_us is not None), default=None)

    def thruster(self, index: int) -> Fault | None:
        return self._faults.get(("thruster", str(index)))

    def port(self, kind: str, port: str) -> float | None:
        """The value of a fault of a port or of the dock, None if there is none."""
        fault = self._faults.get((kind, port))
        return None if fault is None else fault.value

    def dropped(self, sensor: str) -> bool:
        return (DROPOUT, sensor) in self._faults

    def noise(self, sensor: str) -> float | None:
        """The value of the noise fault of a sensor, None if there is none."""
        fault = self._faults.get((NOISE, sensor))
        return None if fault is None else fault.value
