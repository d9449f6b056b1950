"""From a wrench to the valves under every limit in force, and the valves' reports in return."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from qiki_allocator.allocation.answers import Allocation
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.flight.delivery import Delivered, Delivery
from qiki_allocator.flight.mode_filter import ModeFilter
from qiki_allocator.groups.selection import Authority, GroupTable
from qiki_allocator.health.flown import Flown
from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.table import Condition, ThrusterHealth
from qiki_allocator.health.watch import FaultWatch, Finding, shortfall
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.limits.limiter import HardLimits, LimitSource
from qiki_allocator.modulation.lead import Lead
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.level_pulses import LevelPulses
from qiki_allocator.modulation.meter import Meter
from qiki_allocator.modulation.modulator import Modulator
from qiki_allocator.modulation.modulators import Modulators
from qiki_allocator.modulation.outlet import Outlet
from qiki_allocator.modulation.valve_account import ValveAccount
from qiki_allocator.modulation.valves import ValveBank
from qiki_vehicle import MassProperties

_AFTERWARDS = 0.5
"""s after the valves came to rest in which their reports count for the command before."""

_FRESH = 0.009
"""s, for which limits hold without new telemetry."""

_REPORTS = 0.25
"""s, age from which the valves' counters are no longer waited for."""

_AFTER_CLOSING = 0.3
"""s after a report that the hardware closed the valves by itself, in which motion is no evidence against thrusters."""

_UNKNOWN_CAUSE = 5e-3
"""s, by which valves may fall short before edges are taken for late, where they are not counted."""


class Drive:
    """Modulators, limits, health and account of one bot.

    Args:
        watchdog: s, after which the hardware closes its valves without a command.
        stopwatch: s, to measure how long a solve takes.

    Attributes:
        mode: which thrusters may be combined.
        limiter, faults, groups, modulators: see there.
        solve_time: s, of the last solve.
        authority_left: share left of the healthy authority of each signed axis.
        uncontrollable: axes that are lost.
        health: of each thruster.
        bias: (6,) N and N m of the thrusters that are stuck open.
        known: limits computed last; None: never.
        sent: valve commands that left the controller.
    """

    def __init__(
        self,
        modulators: Modulators,
        *,
        levels: LevelPulses,
        limiter: LimitSource,
        faults: FaultWatch,
        groups: GroupTable,
        authority: Authority,
        watchdog: float,
        stopwatch: Callable[[], float],
    ) -> None:
        self._authority = authority
        self.modulators = modulators
        self._levels = levels
        self._watchdog, self._stopwatch = watchdog, stopwatch
        self.limiter, self.faults, self.groups = limiter, faults, groups
        self.mode = ModeFilter(groups)
        self.known: HardLimits | None = None
        self._limits_at = -math.inf
        self._answer: tuple[Floats, Allocation] | None = None
        self.solve_time = math.nan
        array, bank = self.array, self._modulator.bank
        self.meter = Meter(self._modulator.allocator.watts_per_newton * array.f_max, bank)
        self._delivery = Delivery(self.meter)
        self._account = ValveAccount(bank)
        self._outlet = Outlet(bank)
        self._lead = Lead(self._modulator.lead)
        self._flown = Flown(len(array))
        self._commands_read: int | None = None
        self.sent = 0
        self.reset()
        self.health_changed()

    def reset(self) -> None:
        """Forget all telemetry, with all valves closed: the clock was set back."""
        for part in (
            self.modulators,
            self._levels,
            self.limiter,
            self.faults,
            self._account,
            self.meter,
            self._outlet,
            self._lead,
            self._flown,
        ):
            part.reset()
        self.mode.reset()
        self._busy_until = -math.inf
        self._delivery.take()
        self.forget_limits()

    # State ------------------------------------------------------------------------------------------------------

    @property
    def _modulator(self) -> Modulator:
        return self.modulators.current

    @property
    def bank(self) -> ValveBank:
        """The valves as commanded."""
        return self._modulator.bank

    @property
    def array(self) -> ThrusterArray:
        """The thrusters as they are now."""
        return self._modulator.allocator.array

    @property
    def is_active(self) -> bool:
        """True while `step` must go on being called."""
        return self._modulator.is_active or self._outlet.is_incomplete

    def limits(self, now: float) -> HardLimits:
        """All hard limits at `now`, s."""
        if self.known is None or now - self._limits_at > _FRESH:
            self._count()
            power = self.meter.recent_power
            self.known = self.limiter.limits(now, self.array, self.faults.health, power)
            self._limits_at = now
            self._answer = None
        return self.known

    def forget_limits(self) -> None:
        """Recompute the limits in this cycle."""
        self._limits_at = -math.inf
        self._answer = None

    # Valves ---------------------------------------------------------------------------------------------------------

    def step(self, now: float, wanted: Floats) -> ValveCommand | None:
        """The edges to send at `now`, s, for a wrench, (6,)."""
        hard = self.limits(now)
        wanted, limits = self.mode.apply(self.array, self.faults.health, wanted, hard.limits)
        shut = self._shut(now, hard)
        command = self._modulator.step(now, wanted, limits, hard.thrust)
        if self._modulator.is_active:
            self._busy_until = now + _AFTERWARDS
        return self.give(now, command, shut=shut)

    def step_levels(self, now: float, levels: Floats) -> ValveCommand | None:
        """The edges to send at `now`, s, for levels, (n,) 0..1."""
        hard = self.limits(now)
        shut = self._shut(now, hard)
        command = self._levels.step(now, levels, hard.limits, self.array.f_max, self._modulator.bank)
        return self.give(now, command, shut=shut)

    def _shut(self, now: float, hard: HardLimits) -> bool:
        """Drop the pulses of thrusters that are inhibited, which modulators see in the bank; whether there were any."""
        bank, valves = self._modulator.bank, hard.inhibition.factor <= 0.0
        if not (valves & bank.may_open()).any():
            return False
        bank.advance(bank.clear_of_edges(now + self._modulator.lead))
        command = bank.shut(valves)
        if command is not None:
            bank.take(command)
            self._planned(command)
        return command is not None

    def repeat(self, now: float) -> ValveCommand:
        """All edges that still matter, which are in the account already."""
        return self._outlet.command(now)

    def lapse(self, now: float) -> None:
        """No cycle came for longer than the hardware's watchdog, which has closed the valves: drop what was planned."""
        bank = self._modulator.bank
        at = max(min(self._outlet.sent_at + self._watchdog, now), bank.time)
        bank.lapse(at)
        if math.isfinite(at):
            n = len(self.array)
            self.limiter.commanded(ValveCommand(at, 0.0, np.full(n, math.nan), np.zeros(n)))
        self.stop(now)

    def stop(self, now: float) -> ValveCommand:
        """The edges that close every valve; drop the backlog."""
        self._levels.reset()
        self.mode.reset()
        self._busy_until = -math.inf
        self._planned(self._modulator.stop(now))
        command = self._outlet.plan(now)
        # Nothing may follow a stop: an opening whose closing found no room comes with the next command, or not at all.
        closes_last = command.close_time >= command.open_time
        return replace(command, open_time=np.where(closes_last, command.open_time, math.nan))

    def give(self, now: float, planned: ValveCommand | None, *, shut: bool = False) -> ValveCommand | None:
        """The command to send at `now`, s, if any, for edges that the bank has taken; None: for those before."""
        if planned is not None:
            self._planned(planned)
        if planned is not None or shut:
            return self._outlet.plan(now)
        if not (self._outlet.is_incomplete or (self._modulator.is_active and self._outlet.is_stale(now))):
            return None
        return self._outlet.command(now)

    def _planned(self, edges: ValveCommand) -> None:
        self._count()
        self.limiter.commanded(edges)

    def _count(self) -> None:
        """Add the commanded pulses up to the bank's time to the account."""
        self._delivery.count(self.array, self.faults.health.thrust(self.array), self.bias, self._stuck_power)

    def take_delivered(self) -> Delivered:
        """Take the account of the pulses since the last call."""
        self._count()
        return self._delivery.take()

    def awaits_counters(self, now: float) -> bool:
        """True while the valves' counters arrive, but without the last edges yet."""
        until = self._account.reported_until
        return bool(until < self._modulator.bank.since.max()) and now - until <= _REPORTS

    def take_duty(self, now: float) -> tuple[Floats, float]:
        """See `Meter.take_duty`, up to `now`."""
        self._modulator.bank.advance(now)
        self._count()
        return self.meter.take_duty()

    def achieved(self, now: float) -> Floats:
        """(6,) N and N m, mean of late by the valves' counters; NaN: they do not report."""
        share = self._flown.share(now)
        wrench = self.array.effectiveness @ (self.faults.health.thrust(self.array) * share)
        return wrench if self._flown.is_empty else wrench + self.bias

    @property
    def way(self) -> tuple[int, int | None, int | None, float]:
        """Commands sent, commands read and late edges by the valves' count (None: unknown), lead in s."""
        return self.sent, self._commands_read, self._lead.late_edges, self._lead.value

    def answer(self, now: float, wanted: Floats) -> Allocation:
        """Allocation of a wrench at `now`."""
        hard = self.limits(now)
        known = self._answer
        if known is None or not np.array_equal(known[0], wanted):
            given, limits = self.mode.apply(self.array, self.faults.health, wanted, hard.limits)
            begun = self._stopwatch()
            answer = self._modulator.allocator.solve(given, limits)
            self.solve_time = self._stopwatch() - begun
            known = self._answer = wanted.copy(), answer._replace(residual=wanted - answer.wrench)
        return known[1]

    def answer_of_levels(self, now: float, levels: Floats) -> Allocation:
        """The same for levels of single thrusters."""
        forces = np.minimum(levels * self.array.f_max, np.asarray(self.limits(now).limits.bounds, dtype=float))
        wrench = self.array.effectiveness @ forces
        watts = self._modulator.allocator.watts_per_newton
        return self.answer(now, np.zeros(6))._replace(forces=forces, wrench=wrench, power=float(watts @ forces))

    # Telemetry ------------------------------------------------------------------------------------------------------

    def update_energy(self, reading: EnergyReading) -> None:
        """Take energy telemetry."""
        self.limiter.read_energy(reading)
        if reading.tripped:
            self.faults.distrust(reading.time + _AFTER_CLOSING)
        self.forget_limits()

    def inhibit(self, now: float, time: float, bounds: Floats, reason: str) -> None:
        """Bound thrusters, see `Inhibitor`."""
        self.limiter.inhibitor.take(now, time, bounds, reason)
        self.forget_limits()

    def update_thermal(self, time: float, temperatures: Mapping[str, float]) -> None:
        """Take thermal telemetry: s, degC by node."""
        self.limiter.read_thermal(time, temperatures)
        self.forget_limits()

    def update_motion(self, reading: MotionReading) -> list[Finding]:
        """Take odometry; findings from the motion."""
        found = self.faults.move_seen(reading)
        if any(finding.condition is not None for finding in found):
            self.health_changed()
        return found

    def update_valves(self, reading: ValveReading) -> list[Finding]:
        """Take a report of the valves; findings of their own sensors."""
        stamp = reading.time
        self._flown.report(reading)
        self._commands_read = reading.commands
        self._lead.report(stamp, reading.late_edges)
        self._modulator.lead = self._levels.lead = self._lead.value
        healthy = np.array([one.condition is Condition.OK for one in self.health])
        if reading.is_open is not None and not reading.forced_closed:
            self._outlet.is_incomplete |= self._outlet.report(stamp, reading.is_open, healthy)
        if reading.forced_closed:
            self.faults.distrust(stamp + _AFTER_CLOSING)
        found = self.faults.report(reading.conditions)
        if found:
            self.health_changed()
        begin = self._account.reported_until
        late = self._account.report(stamp, reading.on_time)
        if late is None:
            return found
        late = shortfall(late, self.faults.health)
        if reading.late_edges is None and not reading.forced_closed and np.abs(late).max() > _UNKNOWN_CAUSE:
            self._lead.lengthen(stamp)
        missing = self.array.effectiveness @ (self.faults.health.thrust(self.array) * late)
        self._delivery.correct(missing, float(self.meter.power @ late))
        self.faults.compare(begin, stamp, late, reading.late_edges)
        if late.any() and stamp <= self._busy_until:
            self._modulator.make_up(missing)
        return found

    def health_changed(self) -> None:
        """Recompute everything derived from thruster health."""
        table, array = self.faults.health, self.array
        self.health = tuple(map(ThrusterHealth, table.conditions(), table.levels().tolist()))
        self.bias = table.bias(array)
        self._stuck_power = table.stuck_power(array, self._modulator.allocator.watts_per_newton)
        self.groups.forget()
        self.authority_left = self._authority.left(array, table)
        self.uncontrollable = self._authority.lost(self.authority_left)
        self.forget_limits()

    def move(self, body: MassProperties) -> None:
        """Go on with other mass properties."""
        is_moved = not np.array_equal(body.com, self.array.com)
        self.modulators.move(body)
        if is_moved:
            self.health_changed()
        self.faults.move(self.array, body)
