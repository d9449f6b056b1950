"""Occurrences worth keeping: changes of mode, gate, attitude mode, arming and health; profiles, refusals, faults."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.profile_source import ProfileSource
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.table import ThrusterHealth
from qiki_allocator.health.watch import Finding
from qiki_allocator.limits.energy_gate import EnergyLimits, Gate

CONFIGURED = "allocator.configured"
MODE_CHANGED = "allocator.mode_changed"
ARMED = "allocator.armed"
DISARMED = "allocator.disarmed"
GATE_CHANGED = "allocator.gate_changed"
ATTITUDE_MODE_CHANGED = "allocator.attitude_mode_changed"
THRUSTER_HEALTH_CHANGED = "allocator.thruster_health_changed"
MODULATOR_CHANGED = "allocator.modulator_changed"
PROFILE_STARTED = "allocator.profile_started"
PROFILE_ENDED = "allocator.profile_ended"
WRENCH_REFUSED = "allocator.wrench_refused"
REQUEST_REFUSED = "allocator.request_refused"
FAULT_DETECTED = "allocator.fault_detected"
ASSEMBLY_CHANGED = "allocator.assembly_changed"
WATCHDOG_STOPPED = "allocator.watchdog_stopped"

_REFUSED_AGAIN = 1.0
"""s in which the same reason is recorded once, even if commands were accepted in between."""

_FOUND_AGAIN = 10.0
"""s in which a finding without a consequence is recorded once."""

_REASONS = 64
"""Number of distinct refusal reasons remembered for rate limiting."""

_NUMBER = re.compile(r"-?\b(\d+(\.\d*)?(e[+-]?\d+)?|nan|inf)\b")


@dataclass(eq=False)
class Occurrence:
    """Something that happened.

    Attributes:
        type: `allocator.<what>`; docs/design/qiki_allocator.md lists types and fields.
        time: s, when, on the controller's clock.
        data: JSON-able values by name.
        command: id of the command that it belongs to, None: of none.
        cause: the occurrence that caused it; None: no occurrence, or unknown.
        event: id of the event that it was emitted as; set by the emitter, empty until then.
    """

    type: str
    time: float
    data: Mapping[str, Any] = field(default_factory=dict)
    command: str | None = None
    cause: "Occurrence | None" = None
    event: str = ""


OF_ASSEMBLY = (PROFILE_STARTED, PROFILE_ENDED, WRENCH_REFUSED, REQUEST_REFUSED, WATCHDOG_STOPPED)
"""Occurrences of an assembly's controller that are those of its lead too; the others are states of the bot alone."""


class Standing(NamedTuple):
    """Standing of the allocator; all of it can be rebuilt from the occurrences.

    Attributes:
        health: of each thruster.
        profile: name of the profile that is flown, None: none is.
        modulator: in use.
    """

    mode: Mode
    gate: Gate
    attitude_mode: AttitudeMode
    health: tuple[ThrusterHealth, ...]
    profile: str | None
    modulator: str

    @property
    def is_armed(self) -> bool:
        """True in the mode in which levels of single thrusters may be commanded."""
        return self.mode is Mode.MANUAL_OVERRIDE

    def data(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "mode": self.mode.value,
            "armed": self.is_armed,
            "gate": self.gate.value,
            "attitude_mode": self.attitude_mode.name,
            "health": [{"health": one.condition.name, "share": one.level} for one in self.health],
            "profile": self.profile,
            "modulator": self.modulator,
        }


class Journal:
    """Records occurrences: differences between two standings, refusals and findings."""

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self._cause = "start"
        self._pending: list[Occurrence] = []
        self._started: Occurrence | None = None
        self._faults: list[Occurrence] = []
        self._forget_refusals()

    def _forget_refusals(self) -> None:
        self._reason = ""
        self._recorded_at: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def restart(self, cause: str) -> None:
        """Record the next standing as a whole: time restarts."""
        self._standing, self._cause = None, cause
        self._forget_refusals()

    def take(self) -> list[Occurrence]:
        """Take the occurrences since the last call, in order."""
        taken, self._pending = self._pending, []
        return taken

    def record(
        self, kind: str, time: float, *, command: str | None = None, because: Occurrence | None = None, **data: Any
    ) -> Occurrence:
        """Record an occurrence, caused by a command if its id is given, or by another occurrence."""
        what = Occurrence(kind, time, data, command, because)
        self._pending.append(what)
        return what

    # Differences ----------------------------------------------------------------------------------------------------

    def see(self, time: float, now: Standing, energy: EnergyLimits, flight: ProfileSource) -> None:
        """Record how the allocator differs from what it was when this was called last.

        Args:
            energy: why the gate is what it is.
            flight: the thrust profile, for its progress or result.
        """
        before, self._standing = self._standing, now
        faults, self._faults = self._faults, []
        if before is None:
            self.record(CONFIGURED, time, cause=self._cause, **now.data())
            return
        if before == now:
            return
        mode = None
        if now.mode is not before.mode:
            mode = self.record(MODE_CHANGED, time, mode=now.mode.value, before=before.mode.value)
        if now.is_armed != before.is_armed:
            self.record(ARMED if now.is_armed else DISARMED, time, because=mode, mode=now.mode.value)
        if now.profile != before.profile:
            self._see_profile(time, before.profile, now.profile, flight, mode)
        if now.modulator != before.modulator:
            started = self._started if now.profile != before.profile else None
            names = {"modulator": now.modulator, "before": before.modulator}
            self.record(MODULATOR_CHANGED, time, because=started, **names)
        if now.gate is not before.gate:
            self.record(
                GATE_CHANGED,
                time,
                gate=now.gate.value,
                before=before.gate.value,
                reason=energy.reason,
                power_limit=energy.power_limit,
                warning=energy.warning,
            )
        if now.attitude_mode is not before.attitude_mode:
            names = {"attitude_mode": now.attitude_mode.name, "before": before.attitude_mode.name}
            # Requests are seen one by one: where both changed, the request was for the mode.
            self.record(ATTITUDE_MODE_CHANGED, time, because=mode, **names)
        for thruster, (old, new) in enumerate(zip(before.health, now.health, strict=True)):
            if old != new:
                self.record(
                    THRUSTER_HEALTH_CHANGED,
                    time,
                    because=_fault_of(faults, thruster, new),
                    thruster=thruster,
                    health=new.condition.name,
                    share=new.level,
                    before=old.condition.name,
                )

    def _see_profile(
        self, time: float, before: str | None, now: str | None, flight: ProfileSource, mode: Occurrence | None
    ) -> None:
        started, self._started = self._started, None
        ended = flight.result
        if before is not None and ended is not None:
            # One that had ended by itself, but for its last pulses, keeps its own reason.
            was_cut_off = mode is not None and ended.reason == f"mode set to {mode.data['mode']}"
            self.record(
                PROFILE_ENDED,
                time,
                command=before or None,
                because=mode if was_cut_off else started,
                profile=before,
                outcome=None if ended.outcome is None else ended.outcome.value,
                reason=ended.reason,
                segment=ended.segment,
                elapsed=ended.elapsed,
                impulse=ended.delivered.tolist(),
                energy=ended.energy,
            )
        if now is not None:
            self._started = self.record(
                PROFILE_STARTED,
                time,
                command=now or None,
                profile=now,
                segments=flight.segments,
                duration=flight.duration,
            )

    # Recorded at once -----------------------------------------------------------------------------------------------

    def accepted(self) -> None:
        """A command was accepted: the next refusal is the first again."""
        self._reason = ""

    def refused(self, time: float, topic: str, reason: str) -> None:
        """A command, or a force that was flown, was refused. Reasons that differ in their numbers only are the same;
        the first of them is recorded, at most one per second, with the count of those held back before."""
        key = f"{topic} {_NUMBER.sub('#', reason)}"
        is_same, self._reason = key == self._reason, key
        if is_same:
            self._held_back[WRENCH_REFUSED] = self._held_back.get(WRENCH_REFUSED, 0) + 1
        else:
            self._record_once(key, _REFUSED_AGAIN, Occurrence(WRENCH_REFUSED, time, {"topic": topic, "reason": reason}))

    def request_refused(self, time: float, request: str, reason: str) -> None:
        """A service or an action was refused."""
        self.record(REQUEST_REFUSED, time, request=request, reason=reason)

    def found(self, time: float, finding: Finding, uncontrollable: tuple[str, ...]) -> None:
        """A finding about the thrusters, not by an operator; `uncontrollable`: axes that are lost now."""
        data: dict[str, Any] = {
            "finding": finding.text,
            "source": finding.source,
            "thrusters": [int(i) for i in finding.thrusters],
            "health": None if finding.condition is None else finding.condition.name,
            "share": float(finding.level) if math.isfinite(finding.level) else None,
            "candidates": [int(i) for i in finding.candidates],
            "score": float(finding.score) if math.isfinite(finding.score) else None,
            "uncontrollable": list(uncontrollable),
        }
        if finding.condition is None:
            # A finding without a consequence may come again and again.
            self._record_once(finding.text, _FOUND_AGAIN, Occurrence(FAULT_DETECTED, time, data))
        else:
            self._faults.append(self.record(FAULT_DETECTED, time, held_back=0, **data))

    def _record_once(self, key: str, pause: float, what: Occurrence) -> None:
        if what.time - self._recorded_at.get(key, -math.inf) < pause:
            self._held_back[what.type] = self._held_back.get(what.type, 0) + 1
            return
        if len(self._recorded_at) >= _REASONS:
            self._recorded_at.clear()
        self._recorded_at[key] = what.time
        self.record(what.type, what.time, held_back=self._held_back.pop(what.type, 0), **what.data)


def _fault_of(faults: list[Occurrence], thruster: int, health: ThrusterHealth) -> Occurrence | None:
    """The last of the faults found since the last look that gave a thruster its present health, if any did."""
    name = health.condition.name
    fitting = [one for one in faults if one.data["health"] == name and thruster in one.data["thrusters"]]
    return fitting[-1] if fitting else None
