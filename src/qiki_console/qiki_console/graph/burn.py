"""A burn: a wrench commanded for a simulated time, its effect observed and accounted for."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from geometry_msgs.msg import Vector3, WrenchStamped
from rclpy.duration import Duration

from qiki_console.graph.discovery import require_bot, several_clocks
from qiki_console.graph.endpoints import full_name
from qiki_console.graph.flight_log import BEFORE, SETTLE, FlightLog, between, growth, mean_wrench
from qiki_console.model.burn_account import Account, Command, account
from qiki_console.model.burn_causes import TOLERANCE, Evidence, troubles
from qiki_console.model.snapshot import Vector
from qiki_msgs.msg import Allocation
from qiki_node.errors import CommandError, RefusedError, UnreachableError
from qiki_node.qos import COMMAND
from qiki_node.session import Session, is_hidden_node
from qiki_node.stamps import from_seconds, nanoseconds
from qiki_vehicle import MassProperties

AVERAGE = 0.5
"""s of simulated time over which odometry is averaged before the command and after it."""

STANDSTILL = 5.0
"""s of wall time without progress of simulated time after which a burn is given up."""

_LOOK = 0.25
"""s of wall time between two looks for troubles on the way."""

_LOOK_BACK = 10.0
"""s of simulated time that such a look goes back."""

_LAST_TELEMETRY = 3.0
"""s of wall time by which telemetry may come after the clock of its time: they come on topics of their own."""

_FIRST_RATE = 1.0
"""s of wall time after which the speed of simulated time can be told."""


@dataclass(frozen=True)
class Outcome:
    """A burn that was carried out: times in s (simulated), mass in kg (mean), energy in J (NaN if unknown).

    `lasted` is from the first command sent to the zero wrench sent. Means over that time, force in N and torque in N m:
    `allocated` by the allocator's plan, `achieved` by the valves' counters; None if nothing was reported. `causes` are
    the likely ones by their keys, the first the likeliest, of an account that does not close.
    """

    command: Command
    lasted: float
    mass: float
    account: Account
    energy: float
    allocated: tuple[Vector, Vector] | None
    achieved: tuple[Vector, Vector] | None
    evidence: Evidence
    causes: Mapping[str, str]

    @property
    def closes(self) -> bool:
        """True if the gained motion is the commanded one, up to 5 %."""
        return self.account.closes(self.command, TOLERANCE)


class Burn:
    """One commanded wrench of one bot.

    Args:
        session: to fly it with.
        bot: its name.
        command: the wrench and its duration.
        rate: commands per simulated second.
        on_trouble: called on the way with each trouble that is seen for the first time.

    Raises (from `run`):
        RefusedError: the bot does not exist, or its allocator refuses the command.
        UnreachableError: the command has no subscriber, or simulated time, odometry or mass properties do not come.
        CommandError: the burn began, but something failed on the way, such as a reset of simulated time.
    """

    def __init__(
        self, session: Session, bot: str, command: Command, rate: float, on_trouble: Callable[[str], None]
    ) -> None:
        self._session = session
        self._bot = bot
        self._command = command
        self._rate = rate
        self._on_trouble = on_trouble
        self._log = FlightLog(bot)
        self._clock = self._log.clock
        self._restarts = 0
        self._begun = (0.0, 0.0)
        self._seen: set[str] = set()
        self._checked = 0
        self._looked = 0.0

    def run(self) -> Outcome:
        """Prepare, command, settle, account. A zero wrench is the last thing sent, whatever happens."""
        require_bot(self._session, self._bot)
        self._prepare()
        self._restarts = self._clock.restarts
        self._wait_until(self._now() + AVERAGE)
        # Half a tick beside the ticks, first and last command alike: both then take effect at the tick that follows.
        tick = self._session.between_callbacks(lambda: self._clock.period) or 0.0
        start = self._tick() + 2.5 * tick
        refused_before = self._refusals()
        sent_first = sent_zero = nan
        self._begun = (self._now(), time.monotonic())
        self._log.foreign = 0
        try:
            for index in range(int(np.ceil(self._command.duration * self._rate - 1e-9))):
                self._wait_until(start + index / self._rate)
                sent = self._send(self._command)
                sent_first = sent if index == 0 else sent_first
                self._check_refusal(start, refused_before)
                self._look(start)
            self._wait_until(start + self._command.duration)
        except KeyboardInterrupt:
            raise CommandError("interrupted, a zero wrench was sent") from None
        finally:
            sent_zero = self._send_zero()
        reached = self._reached()
        self._wait_until(sent_zero + SETTLE + AVERAGE + 2.0 * tick)
        self._wait_for_telemetry(start + self._command.duration + SETTLE)
        self._check_refusal(start, refused_before)
        return self._outcome(start, sent_first, sent_zero, reached)

    # Preparation ----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        session, bot, log = self._session, self._bot, self._log
        topic = f"/{bot}/cmd_wrench"
        self._publisher = session.node.create_publisher(WrenchStamped, topic, COMMAND)
        log.subscribe(session)
        status = "qiki status shows what is missing"
        # Beside this session's own, which listens for commands of others.
        if not session.wait_for(self._is_heard, session.discovery):
            raise UnreachableError(f"{topic} has no subscriber: is /{bot}/allocator there and active?", hint=status)
        if not session.wait_for(lambda: bool(self._clock.period), session.discovery):
            raise UnreachableError("simulated time stands still", hint="qiki sim resume, or qiki status")
        # A simulator that was killed stays in discovery for a while.
        if not session.wait_for(lambda: not several_clocks(session), session.discovery):
            raise CommandError(f"{several_clocks(session)}; nothing was commanded", hint="end all but one of them")
        if not session.wait_for(lambda: bool(log.samples), session.discovery):
            raise UnreachableError(f"/{bot}/odom is silent", hint=status)
        if not session.wait_for(lambda: bool(log.bodies), session.discovery):
            raise UnreachableError(f"/{bot}/body/mass_properties is silent", hint=status)
        # Telemetry that is good to have: its absence shows in the outcome.
        session.wait_for(lambda: bool(log.energy and log.allocations and log.valves), session.discovery)

    def _is_heard(self) -> bool:
        own = self._session.node.get_name()
        ends = self._session.subscribers(self._publisher.topic_name)
        others = [end for end in ends if end.node_name != own]
        return bool(others) and self._publisher.get_subscription_count() >= len(ends)

    # Time -----------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        now = self._session.between_callbacks(lambda: self._clock.now(time.monotonic()))
        return 0.0 if now is None else now

    def _tick(self) -> float:
        return self._clock.latest or 0.0

    def _reached(self) -> float | None:
        """Simulated s per wall s since the first command."""
        simulated, wall = self._begun
        passed = time.monotonic() - wall
        return (self._now() - simulated) / passed if passed > 0.0 else None

    def _wait_until(self, simulated: float) -> None:
        progress, seen = time.monotonic(), self._tick()
        while (left := simulated - self._now()) > 0.0:
            self._check_restart()
            if self._tick() != seen:
                progress, seen = time.monotonic(), self._tick()
            elif time.monotonic() - progress > STANDSTILL:
                raise CommandError(
                    f"simulated time has stood still for {STANDSTILL:g} s: the burn ended with a zero wrench",
                    hint="qiki sim resume, or qiki status",
                )
            rate = self._session.between_callbacks(lambda: self._clock.rate) or 1.0
            time.sleep(min(left / rate, 0.01))
        self._check_restart()

    def _wait_for_telemetry(self, settled: float) -> None:
        def done() -> bool:
            return self._clock.restarts != self._restarts or self._log.covers(settled, settled + AVERAGE)

        self._session.wait_for(done, _LAST_TELEMETRY)
        self._check_restart()

    def _check_restart(self) -> None:
        if self._clock.restarts != self._restarts:
            raise CommandError("simulated time jumped back (reset?): the burn ended with a zero wrench")

    # Commands -------------------------------------------------------------------------------------------------------

    def _send(self, command: Command) -> float:
        """Publish the wrench, stamped; the simulated time of that."""
        message = WrenchStamped()
        message.header.frame_id = f"{self._bot}/base_link"
        sent = self._now()
        message.header.stamp = from_seconds(sent)
        message.wrench.force = Vector3(**dict(zip("xyz", map(float, command.force), strict=True)))
        message.wrench.torque = Vector3(**dict(zip("xyz", map(float, command.torque), strict=True)))
        self._log.sent.add(nanoseconds(message.header.stamp))
        self._publisher.publish(message)
        return sent

    def _send_zero(self) -> float:
        sent = self._send(Command(np.zeros(3), np.zeros(3), 0.0))
        self._publisher.wait_for_all_acked(Duration(seconds=1.0))
        return sent

    def _refusals(self) -> int | None:
        return self._log.allocations[-1][1].refused if self._log.allocations else None

    def _check_refusal(self, start: float, before: int | None) -> None:
        for stamp, planned in self._log.allocations[self._checked :]:
            self._checked += 1
            more = before is not None and planned.refused > before
            # The state of a command before lasts until the first of the burn is taken.
            state = planned.state if stamp >= start + BEFORE else None
            if state == Allocation.STATE_REFUSED or (stamp >= start and more):
                raise RefusedError(planned.refusal or "the allocator refused the command and gives no reason")
            if state == Allocation.STATE_STOPPED:
                raise RefusedError(planned.refusal or f"/{self._bot}/allocator is stopped")

    def _look(self, start: float) -> None:
        """Report troubles that are new, now and then."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        tick = self._tick()
        seen = self._evidence(max(start, tick - _LOOK_BACK), tick - 0.1)
        if now - self._begun[1] < _FIRST_RATE:
            seen = replace(seen, speed_reached=None)
        for key, text in troubles(seen).items():
            # What the newest telemetry lacks of the newest pulses is not lost.
            if key not in self._seen and key not in ("lost", "valves"):
                self._seen.add(key)
                self._on_trouble(text)

    def _evidence(self, start: float, end: float) -> Evidence:
        own = self._session.node.get_name()
        names = {full_name(end) for end in self._session.publishers(self._publisher.topic_name) if end.node_name != own}
        others = sorted({"another command line" if is_hidden_node(name) else name for name in names})
        found = self._session.between_callbacks(lambda: self._log.evidence(self._command, start, end, others))
        return replace(found, speed_reached=self._reached())

    # Account --------------------------------------------------------------------------------------------------------

    def _outcome(self, start: float, sent_first: float, sent_zero: float, reached: float | None) -> Outcome:
        log, end = self._log, start + self._command.duration
        settled = end + SETTLE
        first, last = log.bodies[0], log.bodies[-1]
        body = MassProperties(0.5 * (first.mass + last.mass), 0.5 * (first.inertia + last.inertia), first.com)
        try:
            result = account(
                before=[sample for sample in log.samples if start - AVERAGE <= sample.time <= start],
                during=[sample for sample in log.samples if start - AVERAGE <= sample.time < settled],
                after=[sample for sample in log.samples if settled <= sample.time <= settled + AVERAGE],
                start=start,
                command=self._command,
                body=body,
            )
        except ValueError as error:
            raise CommandError(f"{error}; the command was sent", hint="qiki status shows what is missing") from error
        evidence = replace(self._evidence(start, settled), speed_reached=reached, lasted=sent_zero - sent_first)
        inside = between(log.allocations, start + BEFORE, end)
        drawn = growth(log.energy, start, settled, lambda joule: joule)
        return Outcome(
            command=self._command,
            lasted=sent_zero - sent_first,
            mass=body.mass,
            account=result,
            energy=nan if drawn is None else drawn,
            allocated=mean_wrench([planned.allocated for planned in inside]),
            achieved=mean_wrench([planned.achieved for planned in inside]),
            evidence=evidence,
            causes=troubles(evidence),
        )
