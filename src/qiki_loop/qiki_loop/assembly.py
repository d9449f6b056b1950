"""A docked assembly in the closed loop: the flight lead's core, stepped with the twin and the members' cores."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy.typing as npt

from qiki_allocator.docked.lead import FlightLead
from qiki_allocator.docked.members import Joint
from qiki_allocator.docked.report import Fixture, report
from qiki_allocator.flight.controller import Controller
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_loop import messages
from qiki_loop.closed_loop import ClosedLoop


class LedAssembly:
    """The flight lead of bots that are docked in the world of a loop.

        assembly = LedAssembly(loop, "alpha", [Joint("alpha", "A", "bravo", "B")])
        assembly.command([400.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        loop.run(0.5)

    Reports go to the lead with each valve report of a member, edges to the members at once.

    Attributes:
        lead: its core.
        ended: reason for which it leads no more; empty while it leads.
        unreachable: members that nothing reaches and nothing is heard of, as when a bridge fails.
    """

    def __init__(
        self, loop: ClosedLoop, lead: str, joints: Sequence[Joint], *, control_rate: float = 100.0, **options: Any
    ) -> None:
        """`options` are those of `FlightLead`.

        Raises:
            ConfigurationError: the joints are impossible.
            RefusalError: a member may not follow.
        """
        self._loop = loop
        self.ended, self.unreachable = "", set[str]()
        bodies = [lead, *(joint.partner for joint in joints)]
        self._fixtures = {body: Fixture.of(body, loop.world.bot(body).vehicle) for body in bodies}
        for body in bodies:
            loop.act(body, lambda controller, now: controller.follow(now, lead))
        now = loop.links[lead].now
        reports = {body: report(now, self._fixtures[body], loop.controller(body)) for body in bodies}
        vehicle = loop.world.bot(lead).vehicle
        self.lead = FlightLead(vehicle, lead, joints, reports, rate=control_rate, stopwatch=lambda: 0.0, **options)
        self._cycle_us = round(1e6 / control_rate)
        self.next_us = loop.world.time_us + self._cycle_us
        loop.listen(lead, "odom", self._take_odometry)
        for body in bodies:
            loop.listen(body, "thruster_state", self._taker(body))
        loop.join(self)

    def command(self, wrench: npt.ArrayLike) -> None:
        """Command a wrench, (6,) N and N m, in the lead's base_link about the common centre of mass.

        Raises:
            RefusalError: it is refused, or the assembly has ended.
        """
        self.act(lambda controller, now: controller.command(now, wrench))

    def act(self, order: Callable[[Controller, float], ValveCommand | None]) -> None:
        """Give an order to the lead's controller, and send the edges that it returns to the members."""
        self._send(order(self.lead.controller, self._now))

    def end(self, reason: str) -> None:
        """End the assembly: the members that are reached close their valves and fly themselves again."""
        if not self.ended:
            self.ended = reason
            for body in self._reached():
                self._loop.act(body, lambda controller, now: controller.take_over(now, reason))

    def run_due(self) -> None:
        """Run the control cycle if it is due."""
        if self._loop.world.time_us < self.next_us:
            return
        self.next_us = self._loop.world.time_us + self._cycle_us
        if self.ended:
            return
        if problem := self.lead.ended(self._now):
            self.end(problem)
        elif self.lead.controller.is_active:
            self._send(self.lead.controller.tick(self._now))

    @property
    def _now(self) -> float:
        return self._loop.links[self.lead.assembly.lead].now

    def _reached(self) -> list[str]:
        return [body for body in self.lead.assembly.names if body not in self.unreachable]

    def _send(self, command: ValveCommand | None) -> None:
        if command is None or self.ended:
            return
        parts, lead = self.lead.assembly.split(command), self.lead.assembly.lead
        for body in self._reached():
            self._loop.act(body, partial(Controller.forward, lead=lead, command=parts[body]))

    def _take_odometry(self, reading: Any) -> None:
        stamp = messages.stamp(self._loop.world.time_us)
        self.lead.controller.update_motion(self._now, messages.motion(stamp, reading))

    def _taker(self, body: str) -> Callable[[Any], None]:
        def take(reading: Any) -> None:
            if self.ended or body in self.unreachable:
                return
            stamp = messages.stamp(self._loop.world.time_us)
            self.lead.valves(self._now, body, messages.valve_report(stamp, reading))
            controller = self._loop.controller(body)
            self.lead.member(self._now, report(self._now, self._fixtures[body], controller))
            controller.hear_lead(self._now, self.lead.assembly.lead)

        return take
