"""Hard limits of an assembly, from the reports of its members."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import Limits
from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.docked.members import Assembly, MemberReport
from qiki_allocator.health.table import HealthTable
from qiki_allocator.limits.energy_gate import EnergyLimits, EnergyReading, Gate
from qiki_allocator.limits.heat_bounds import HeatLimits
from qiki_allocator.limits.inhibition import Inhibition, Inhibitor
from qiki_allocator.limits.limiter import HardLimits
from qiki_allocator.modulation.ledger import ValveCommand

REPORTED = 0.5
"""s, age from which a member's report says nothing of now."""


class MemberLimits:
    """Computes limits from the newest report of each member. Each has its own power bus, and its own bounds.

    A member whose report is older than 0.5 s, or which follows no longer, gives nothing. In STABILISE a member gives
    nothing while the lead may fly forces; the gate of the assembly is the lead's.

    Attributes:
        inhibitor: keeps orders not to fire thrusters of the assembly.
        reports: the newest ones.
    """

    def __init__(self, assembly: Assembly, reports: Sequence[MemberReport], plumes: Sequence[str]) -> None:
        """plumes: members whose hull a thruster's plume meets, see `Assembly.hit_by_plumes`."""
        self._assembly = assembly
        self._plumes = tuple(plumes)
        self.inhibitor = Inhibitor(len(assembly))
        self.reports = {report.body: report for report in reports}

    def reset(self) -> None:
        """The clock was set back: no report counts until the next."""
        self.inhibitor.reset()

    def read(self, report: MemberReport) -> None:
        """Take a report."""
        self.reports[report.body] = report

    def problem(self, now: float, body: str) -> str:
        """Reason for which a member gives nothing, as a code and its name; empty: none."""
        report = self.reports[body]
        if abs(now - report.time) > REPORTED:
            return f"silent:{body}"
        return "" if report.lead == self._assembly.lead else f"released:{body}"

    @staticmethod
    def explain(problem: str) -> str:
        """A problem in words."""
        code, _, body = problem.partition(":")
        return f"no report of {body} for {REPORTED:g} s" if code == "silent" else f"{body} follows no more"

    def limits(self, now: float, array: ThrusterArray, health: HealthTable, _power: npt.ArrayLike) -> HardLimits:
        """See `Limiter.limits`."""
        lead = self.reports[self._assembly.lead]
        factor, names, watts = np.ones(len(array)), list(health.names()), []
        inhibition = self.inhibitor.at(now)
        problems = []
        for body in self._assembly.names:
            report, own = self.reports[body], self._assembly.of(body)
            problem = self.problem(now, body)
            if problem:
                problems.append(problem)
            elif report.gate is Gate.STABILISE and lead.gate is not Gate.STABILISE:
                problem = f"gate:{body} STABILISE"
            factor[own] = 0.0 if problem else report.bounds
            watts.append(0.0 if problem else report.power)
            for i, name in enumerate(report.names):
                limit = problem or (f"{body}/{name}" if name else "")
                names[own.start + i] = limit or names[own.start + i]
        for i, met in enumerate(self._plumes):
            if met:
                factor[i], names[i] = 0.0, f"plume:{met}"
        for i, bound in enumerate(inhibition.factor.tolist()):
            if bound < factor[i]:
                factor[i], names[i] = bound, f"inhibit:{inhibition.reason}"
        thrust = health.thrust(array)
        bounds = np.minimum(factor * array.f_max, thrust)
        gate = Gate.STABILISE if self.problem(now, self._assembly.lead) else lead.gate
        reason = "; ".join(problems) or f"{lead.body}: {lead.reason}"
        energy = EnergyLimits(gate, math.fsum(watts), gate is not Gate.STABILISE, reason, bool(problems))
        heat = HeatLimits(np.ones(len(array)), ("",) * len(array), (), {}, {}, "")
        return HardLimits(Limits(tuple(watts), bounds, tuple(names)), thrust, energy, heat, _shut(inhibition, factor))

    # Telemetry and pulses are the members' own: their reports hold what follows from them.

    def read_energy(self, reading: EnergyReading) -> None:
        """See `Limiter`."""

    def read_thermal(self, time: float, temperatures: Mapping[str, float]) -> None:
        """See `Limiter`."""

    def commanded(self, command: ValveCommand) -> None:
        """See `Limiter`."""


def _shut(inhibition: Inhibition, factor: npt.NDArray[np.float64]) -> Inhibition:
    """Valves of bound 0 close at once, as inhibited ones do."""
    return Inhibition(inhibition.time, np.where(factor <= 0.0, 0.0, inhibition.factor), inhibition.reason)
