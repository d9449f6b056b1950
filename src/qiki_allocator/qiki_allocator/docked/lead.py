"""The flight lead of a docked assembly: one controller flies the thrusters of all members."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.assembly import MODULATORS, build_modulator
from qiki_allocator.checks import refusing
from qiki_allocator.docked.limits import MemberLimits
from qiki_allocator.docked.members import Assembly, Joint, MemberReport, poses
from qiki_allocator.flight.attitude import ControlConfig
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import MotionControl, RestConfig
from qiki_allocator.flight.segments import ProfileConfig
from qiki_allocator.groups.selection import Authority, GroupTable
from qiki_allocator.health.detector_settings import DetectorSettings
from qiki_allocator.health.readings import ValveReading
from qiki_allocator.health.watch import FaultWatch
from qiki_allocator.modulation.level_pulses import LevelPulses
from qiki_allocator.modulation.modulator import Modulator
from qiki_allocator.modulation.modulators import Modulators
from qiki_allocator.modulation.valves import ValveBank
from qiki_vehicle import ConfigurationError, Vehicle

PLUME = math.radians(15.0)
"""rad, half angle of a plume that must not meet a member's hull."""

_SAME_TIME = 1e-3
"""s, by which stamps of valve reports may differ to be of the same moment."""


class FlightLead:
    """Flies an assembly with all thrusters that its members give, in the base_link of the first.

        lead = FlightLead(vehicle, "alpha", [Joint("alpha", "A", "bravo", "B")], reports)
        command = lead.controller.command(now, [200.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        for body, part in lead.assembly.split(command).items(): ...

    Wrenches act about the common centre of mass. Odometry is the lead's. All members, the lead's own body too, follow:
    their own controllers forward the edges within limits of their own. Motion accuses no thruster here: health is that
    which operators and hardware of the members state.

    Args:
        vehicle: the lead's, for control, modulation and valves.
        joints: of the assembly, each to a body before it.
        reports: of all members by name.
        plume: rad, half angle of plumes; thrusters whose plume meets another member's hull do not fire.

    Attributes:
        assembly: members and thrusters.
        controller: takes the commands; its valve commands are of all valves.

    Raises:
        ConfigurationError: the joints are impossible, or a member follows another lead.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        lead: str,
        joints: Sequence[Joint],
        reports: Mapping[str, MemberReport],
        *,
        policy: str = "priority",
        unattainable: str = "closest",
        modulator: str = "pulse_width",
        rate: float = 100.0,
        lead_time: float = 0.04,
        plume: float = PLUME,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not joints:
            raise ConfigurationError("joints: none; allowed: at least one")
        placed = poses(lead, joints, reports)
        for body in placed:
            if reports[body].lead != lead:
                follows = reports[body].lead or "none"
                raise ConfigurationError(f"lead of {body}: {follows}; allowed: {lead}, set there first")
        parts = [(reports[body], pose) for body, pose in placed.items()]
        self.assembly = assembly = Assembly(parts)
        self._masses = {report.body: report.mass for report, _ in parts}
        self._health = {report.body: report.health for report, _ in parts}
        self._valves: dict[str, ValveReading] = {}
        self._problem = ""
        self.limits = MemberLimits(assembly, [report for report, _ in parts], assembly.hit_by_plumes(plume))
        self.controller = self._assemble(
            vehicle, policy, unattainable, modulator, rate=rate, lead=lead_time, stopwatch=stopwatch
        )
        self._set_health()

    def _assemble(
        self,
        vehicle: Vehicle,
        policy: str,
        unattainable: str,
        modulator: str,
        *,
        rate: float,
        lead: float,
        stopwatch: Callable[[], float],
    ) -> Controller:
        assembly, propulsion, pulses = self.assembly, vehicle.propulsion, vehicle.modulation.pulse_width
        array = assembly.array
        allocator = Allocator(array, assembly.watts, policy, unattainable, buses=assembly.buses)
        bank = ValveBank(len(array), assembly.timing)

        def build(kind: str, bank: ValveBank) -> Modulator:
            return build_modulator(vehicle, kind, allocator, rate=rate, lead=lead, bank=bank)

        modulators = Modulators(MODULATORS, build, modulator, bank, assembly.body)
        modulators.move(assembly.body)
        peak = propulsion.peak_power * len(assembly.names)
        drive = Drive(
            modulators,
            levels=LevelPulses(
                assembly.watts * array.f_max, allocator.bus, window=pulses.window, lead=lead, gap=pulses.gap
            ),
            limiter=self.limits,
            faults=FaultWatch(array, assembly.body, DetectorSettings(1e-3, 1e-3, 50.0), bank, by_motion=False),
            groups=GroupTable(peak, propulsion.watts_per_newton, vehicle.modulation.zero_torque_tolerance),
            authority=Authority(),
            watchdog=vehicle.valves.watchdog,
            stopwatch=stopwatch,
        )
        control = vehicle.control
        motion = MotionControl(
            assembly.body, ControlConfig(**control.attitude.model_dump()), RestConfig(**control.rest.model_dump())
        )
        profiles = ProfileConfig(**control.profile.model_dump())
        return Controller(drive, motion, profiles, watchdog=vehicle.valves.watchdog, tick=1.0 / rate)

    def member(self, now: float, report: MemberReport) -> None:
        """Take the report of a member; it counts in the same cycle.

        Raises:
            RefusalError: the mass properties of the assembly cannot be, with the member's; nothing has changed.
        """
        body = report.body
        if body not in self.assembly.names:
            return
        if len(report.array) != len(self._health[body]):
            return  # another vehicle: silent for this assembly
        masses = {**self._masses, body: report.mass}
        with np.errstate(all="ignore"), refusing():
            whole = self.assembly.combined(masses)
        self.controller.update_mass(now, whole)
        self._masses = masses
        self.limits.read(report)
        self.controller.drive.forget_limits()
        if report.health != self._health[body]:
            self._health[body] = report.health
            self._set_health()

    def _set_health(self) -> None:
        faults = self.controller.drive.faults
        states = [one for body in self.assembly.names for one in self._health[body]]
        for thruster, (condition, level) in enumerate(states):
            faults.health.set(thruster, condition, level)
        self.controller.drive.health_changed()

    def valves(self, now: float, body: str, reading: ValveReading) -> None:
        """Take a valve report of a member; those of all members of one moment count together."""
        self._valves[body] = reading
        readings = [self._valves.get(name) for name in self.assembly.names]
        whole = [each for each in readings if each is not None]
        if len(whole) < len(readings) or any(abs(each.time - reading.time) > _SAME_TIME for each in whole):
            return
        self._valves.clear()
        self.controller.update_valves(now, _merged(whole))

    def ended(self, now: float) -> str:
        """Reason for which the assembly cannot be flown on: a member is silent or was released; empty: none.

        It has to stand at two calls in a row, between which reports are read that came while this process paused; the
        member gives nothing meanwhile.
        """
        before = self._problem
        self._problem = next(filter(None, (self.limits.problem(now, body) for body in self.assembly.names)), "")
        return f"{self._problem} ({self.limits.explain(self._problem)})" if before and self._problem else ""


def _merged(readings: Sequence[ValveReading]) -> ValveReading:
    late = [each.late_edges for each in readings]
    is_open = [each.is_open for each in readings]
    commands = [each.commands for each in readings]
    return ValveReading(
        max(each.time for each in readings),
        np.concatenate([np.asarray(each.on_time, dtype=float) for each in readings]),
        (None,) * sum(len(each.conditions) for each in readings),
        forced_closed=any(each.forced_closed for each in readings),
        is_empty=all(each.is_empty for each in readings),
        is_open=None if None in is_open else tuple(one for each in is_open for one in each or ()),
        late_edges=None if None in late else sum(each or 0 for each in late),
        commands=None if None in commands else min(each or 0 for each in commands),
    )
