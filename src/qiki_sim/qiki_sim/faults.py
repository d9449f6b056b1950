"""Faults of the simulated hardware: what kinds there are, and which are in force."""

from __future__ import annotations

import math
from dataclasses import dataclass

STUCK_CLOSED = "thruster_stuck_closed"
STUCK_OPEN = "thruster_stuck_open"
WEAK = "thruster_weak"
DROPOUT = "sensor_dropout"
NOISE = "sensor_noise"
CLEAR = "clear"
KINDS = (STUCK_CLOSED, STUCK_OPEN, WEAK, DROPOUT, NOISE, CLEAR)

SENSORS = ("odom", "thruster_state", "energy", "thermal", "battery", "supercap")
NOISY_SENSORS = ("odom", "energy", "thermal")
LARGEST_NOISE = 1e6
LARGEST_DURATION = 1e6  # s


@dataclass(frozen=True)
class Fault:
    """A fault in force; `until_us` is the simulated time in microseconds at which it clears by itself, None: never."""

    kind: str
    target: str
    value: float
    until_us: int | None


def check_fault(kind: str, target: str, value: float, duration: float, thrusters: int) -> None:
    """Refuse a fault that cannot be.

    Raises:
        ValueError: the text starts with the field and names value and allowed range.
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: allowed: {', '.join(KINDS)}")
    if not (math.isfinite(duration) and 0.0 <= duration <= LARGEST_DURATION):
        raise ValueError(f"duration = {duration}: allowed: 0 (until cleared) to {LARGEST_DURATION:g} s")
    if not math.isfinite(value):
        raise ValueError(f"value = {value}: allowed: a finite number")
    is_thruster = len(target) <= 3 and target.isdecimal() and target.isascii() and int(target) < thrusters
    if kind in (STUCK_CLOSED, STUCK_OPEN, WEAK) and not is_thruster:
        raise ValueError(f"target = {target!r}: allowed for {kind}: thruster index 0 to {thrusters - 1}")
    if kind == WEAK and not 0.0 <= value <= 1.0:
        raise ValueError(f"value = {value}: allowed for {kind}: 0 to 1, the share of thrust left")
    if kind == DROPOUT and target not in SENSORS:
        raise ValueError(f"target = {target!r}: allowed for {kind}: {', '.join(SENSORS)}")
    if kind == NOISE and target not in NOISY_SENSORS:
        raise ValueError(f"target = {target!r}: allowed for {kind}: {', '.join(NOISY_SENSORS)}")
    if kind == NOISE and not 0.0 <= value <= LARGEST_NOISE:
        raise ValueError(f"value = {value}: allowed for {kind}: 0 to {LARGEST_NOISE:g}")
    if kind == CLEAR and target and not is_thruster and target not in SENSORS:
        allowed = f"empty (all), thruster index 0 to {thrusters - 1}, {', '.join(SENSORS)}"
        raise ValueError(f"target = {target!r}: allowed for {kind}: {allowed}")


class FaultBook:
    """The faults of one bot. One fault per thruster, one dropout and one noise per sensor; the newest wins."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], Fault] = {}

    def inject(self, fault: Fault) -> None:
        """Put a fault in force, or clear those of its target; the fault has passed `check_fault`."""
        if fault.kind == CLEAR:
            self._faults = {
                key: old for key, old in self._faults.items() if fault.target and old.target != fault.target
            }
            return
        slot = fault.kind if fault.kind in (DROPOUT, NOISE) else "thruster"
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

    def dropped(self, sensor: str) -> bool:
        return (DROPOUT, sensor) in self._faults

    def noise(self, sensor: str) -> float | None:
        """The value of the noise fault of a sensor, None if there is none."""
        fault = self._faults.get((NOISE, sensor))
        return None if fault is None else fault.value
