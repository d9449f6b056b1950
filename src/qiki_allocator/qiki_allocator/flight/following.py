"""Following: another body's allocator, the flight lead of a docked assembly, plans the valve edges of this bot."""

import abc
from collections.abc import Sequence

import numpy as np

from qiki_allocator.checks import RefusalError
from qiki_allocator.flight import occurrences
from qiki_allocator.flight.demand import Demand
from qiki_allocator.flight.drive import Drive
from qiki_allocator.flight.motion_control import MotionControl
from qiki_allocator.flight.occurrences import Journal
from qiki_allocator.flight.telemetry import State
from qiki_allocator.modulation.forwarding import check_edges, guarded
from qiki_allocator.modulation.ledger import ValveCommand

FIRST_SIGN = 5.0
"""s, for which a bot that was ordered to follow waits for the lead's first sign of life, with its valves closed."""

SILENCE = 0.4
"""s without a sign of life of the lead after which this bot closes its valves and takes over again: with the lead of
edges and a shortest pulse the valves are closed 0.5 s after the last one."""

PAUSE = 0.1
"""s of silence that one cycle counts at most: signs of life that came while this process paused are read after it."""

ORDERED = "ordered"
"""Reason of an end by order of an operator, here or at the lead (`alpha: ordered`)."""

_OWN_MOTION = 0.3
"""s after following in which motion is that of the whole assembly, and no evidence against own thrusters."""


class Following(abc.ABC):
    """The methods of a `Controller` that let another one fly this bot.

    While a bot follows, it refuses commands of its own with a reason that begins with `FOLLOWS:`, and forwards the
    lead's edges to its valves as far as its own limits of power, heat, burn time, health and inhibition allow. It takes
    over again when it is ordered to, when it is stopped, or when the lead falls silent. Mode, modulator and health stay
    as they were; an attitude mode ends, as its target was that of another motion.
    """

    drive: Drive
    motion: MotionControl
    journal: Journal
    _demand: Demand
    _silence = _followed = 0.0
    _ended: tuple[float, str] | None = None

    @abc.abstractmethod
    def _keep_time(self, now: float) -> None:
        """Note that it is `now`, s."""

    @abc.abstractmethod
    def _observe(self, now: float) -> None:
        """Let the journal see the changes."""

    @abc.abstractmethod
    def _cancel(self, now: float, reason: str) -> ValveCommand:
        """Close the valves and end what was commanded."""

    @abc.abstractmethod
    def _give(self, command: ValveCommand) -> ValveCommand:
        """Count a command that the caller sends."""

    @property
    def lead(self) -> str:
        """Body whose allocator flies this bot; empty: none, it flies itself."""
        return self._demand.lead

    def follow(self, now: float, lead: str, *, members: Sequence[str] = (), thrusters: int = 0) -> ValveCommand | None:
        """Yield to the allocator of a body from now on.

        Args:
            members, thrusters: of the assembly, where this body leads it, for the record.

        Raises:
            RefusalError: nothing may be flown, or another body leads already.
        """
        self._keep_time(now)
        if lead and lead == self._demand.lead:
            return None
        if not lead:
            raise RefusalError("lead: ''; allowed: the name of a body")
        if self._demand.lead:
            raise RefusalError(f"lead: {lead!r}; allowed: {self._demand.lead!r}, which leads, or after its end")
        self._demand.check_grounded()
        command = self._cancel(now, f"{lead} leads")
        self.motion.leave()
        self._demand.lead, self._demand.state = lead, State.FOLLOWING
        self._silence, self._followed, self._ended = -FIRST_SIGN, now, None
        self._note_lead(now, lead, "ordered", members=members, thrusters=thrusters)
        return self._give(command)

    def hear_lead(self, now: float, lead: str) -> None:
        """Note a sign of life of a lead."""
        self._keep_time(now)
        if lead and lead == self._demand.lead:
            self._silence = 0.0

    def take_over(self, now: float, reason: str) -> ValveCommand | None:
        """End following, and close the valves; None: it did not follow."""
        if not self._demand.lead:
            return None
        self._keep_time(now)
        return self._give(self._end(now, reason))

    def forward(self, now: float, lead: str, command: ValveCommand) -> ValveCommand:
        """Take valve edges of the lead; the command for the valves.

        Raises:
            RefusalError: this bot does not follow that body, or the edges cannot be.
        """
        self._keep_time(now)
        if not self._demand.lead or lead != self._demand.lead:
            allowed = f"{self._demand.lead!r}, which leads" if self._demand.lead else "none, as nobody leads"
            raise RefusalError(f"lead: {lead!r}; allowed: {allowed}")
        check_edges(now, command, len(self.drive.array))
        self._silence = 0.0
        drive, limits = self.drive, self.drive.limits(now).limits
        most, shut = float(limits.by_bus(1)[0]), np.asarray(limits.bounds, dtype=float) <= 0.0
        edges = guarded(command, drive.bank, shut=shut, power=drive.meter.power, limit=most)
        drive.bank.take(edges)
        given = drive.give(now, edges)
        assert given is not None  # new edges always leave
        return self._give(given)

    def _follow(self, now: float) -> ValveCommand | None:
        """A cycle of a bot that follows."""
        self._silence += min(now - self._followed, PAUSE)
        self._followed = now
        if self._silence > SILENCE:
            return self._end(now, f"{self._demand.lead} is silent: no sign of life for {SILENCE:g} s")
        return self._hold_limits(now)

    def _hold_limits(self, now: float) -> ValveCommand | None:
        """Hold the edges that were forwarded to limits that became tighter."""
        drive = self.drive
        drive.faults.distrust(now + _OWN_MOTION)
        limits, bank = drive.limits(now).limits, drive.bank
        bank.advance(now)
        drawn = np.cumsum(drive.meter.power * bank.is_open)
        shut = np.asarray(limits.bounds, dtype=float) <= 0.0
        shut |= bank.is_open & (drawn > limits.by_bus(1)[0] * (1.0 + 1e-9))
        edges = bank.shut(shut) if (shut & bank.may_open()).any() else None
        if edges is not None:
            bank.take(edges)
        return drive.give(now, edges)

    def _end(self, now: float, reason: str) -> ValveCommand:
        lead, self._demand.lead = self._demand.lead, ""
        if self._demand.state is State.FOLLOWING:
            self._demand.state = State.IDLE
        self._ended = None if reason.endswith(ORDERED) else (now, f"{lead} flies the assembly no more: {reason}")
        self._note_lead(now, "", reason, before=lead)
        return self._cancel(now, reason)

    def _check_inhibited(self, now: float) -> None:
        """Refuse a brake for which no thruster may fire: it would begin once the inhibition expires.

        Raises:
            RefusalError: all thrusters are inhibited; it names the end of the assembly, if that came by itself.
        """
        inhibition = self.drive.limiter.inhibitor.at(now)
        if inhibition.factor.any():
            return
        ended = ""
        if self._ended is not None:
            at, reason = self._ended
            ended = f"; {reason} ({now - at:.1f} s ago)"
        allowed = "allowed: once a thruster may fire, or of an assembly that has a flight lead"
        raise RefusalError(f"brake: all thrusters are inhibited ({inhibition.reason}){ended}; {allowed}")

    def _note_lead(
        self, now: float, lead: str, reason: str, before: str = "", *, members: Sequence[str] = (), thrusters: int = 0
    ) -> None:
        self.journal.record(
            occurrences.ASSEMBLY_CHANGED,
            now,
            lead=lead,
            before=before,
            reason=reason,
            members=list(members),
            thrusters=thrusters,
        )
