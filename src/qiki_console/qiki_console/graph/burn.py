"""A burn: a wrench commanded for a simulated time, its effect observed and accounted for."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import nan

import numpy as np
from geometry_msgs.msg import InertiaStamped, Vector3, WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rosgraph_msgs.msg import Clock

from qiki_console.graph import messages
from qiki_console.graph.discovery import require_bot
from qiki_console.model.burn_account import Account, Command, Sample, account
from qiki_console.model.sim_clock import SimClock
from qiki_console.model.snapshot import Vector
from qiki_msgs.msg import Allocation, Energy, ThrusterState
from qiki_node.errors import CommandError, RefusedError, UnreachableError
from qiki_node.qos import CLOCK, COMMAND, STATE, TELEMETRY
from qiki_node.session import Session
from qiki_node.stamps import from_seconds, seconds
from qiki_vehicle import ConfigurationError, MassProperties

AVERAGE = 0.5
"""s of simulated time over which odometry is averaged before the command and after it."""

SETTLE = 0.5
"""s of simulated time after the command in which the last pulses and messages may still come."""

STANDSTILL = 5.0
"""s of wall time without progress of simulated time after which a burn is given up."""


@dataclass(frozen=True)
class Outcome:
    """A burn that was carried out: times in s (simulated), mass in kg (mean), energy in J (NaN if unknown).

    `late_edges` counts valve edges that came too late to be carried out in time, None if unknown.
    `lasted` is from the first command sent to the zero wrench sent; `achieved` is the mean that the allocator
    reported meanwhile (force N, torque N m), None without a report.
    """

    command: Command
    lasted: float
    mass: float
    account: Account
    energy: float
    achieved: tuple[Vector, Vector] | None
    late_edges: int | None
    others: tuple[str, ...]


@dataclass
class _Log:
    samples: list[Sample] = field(default_factory=list)
    bodies: list[MassProperties] = field(default_factory=list)
    energy: list[tuple[float, float]] = field(default_factory=list)
    allocations: list[tuple[float, Allocation]] = field(default_factory=list)
    late_edges: list[tuple[float, int]] = field(default_factory=list)


class Burn:
    """One commanded wrench of one bot.

    Raises (from `run`):
        RefusedError: the bot does not exist, or its allocator refuses the command.
        UnreachableError: the command has no subscriber, or simulated time, odometry or mass properties do not come.
        CommandError: the burn began, but something failed on the way.
    """

    def __init__(self, session: Session, bot: str, command: Command, rate: float) -> None:
        self._session = session
        self._bot = bot
        self._command = command
        self._rate = rate
        self._clock = SimClock()
        self._log = _Log()

    def run(self) -> Outcome:
        """Prepare, command, settle, account. A zero wrench is the last thing sent, whatever happens."""
        require_bot(self._session, self._bot)
        self._prepare()
        restarts = self._clock.restarts
        self._wait_until(self._now() + AVERAGE)
        # Half a tick beside the ticks, first and last command alike: both then take effect at the tick that follows.
        tick = self._session.between_callbacks(lambda: self._clock.period) or 0.0
        start = self._tick() + 2.5 * tick
        refused_before = self._refusals()
        sent_first = sent_zero = nan
        try:
            for index in range(int(np.ceil(self._command.duration * self._rate - 1e-9))):
                self._wait_until(start + index / self._rate)
                sent = self._send(self._command)
                sent_first = sent if index == 0 else sent_first
                self._check_refusal(start, refused_before)
            self._wait_until(start + self._command.duration)
        except KeyboardInterrupt:
            raise CommandError("interrupted, a zero wrench was sent") from None
        finally:
            sent_zero = self._send_zero()
        self._wait_until(sent_zero + SETTLE + AVERAGE + 2.0 * tick)
        self._check_refusal(start, refused_before)
        if self._clock.restarts != restarts:
            raise CommandError("simulated time jumped back during the burn (reset?): no account can be given")
        return self._outcome(start, sent_first, sent_zero)

    # Preparation ----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        session, bot, log = self._session, self._bot, self._log
        topic = f"/{bot}/cmd_wrench"
        self._publisher = session.node.create_publisher(WrenchStamped, topic, COMMAND)
        session.subscribe(Clock, "/clock", self._on_clock, CLOCK)
        session.subscribe(Odometry, f"/{bot}/odom", self._on_odometry, TELEMETRY)
        session.subscribe(InertiaStamped, f"/{bot}/body/mass_properties", self._on_mass, STATE)
        session.subscribe(Energy, f"/{bot}/energy", self._on_energy, TELEMETRY)
        session.subscribe(ThrusterState, f"/{bot}/thruster_state", self._on_thrusters, TELEMETRY)
        session.subscribe(Allocation, f"/{bot}/allocation", self._on_allocation, TELEMETRY)
        status = "qiki status shows what is missing"
        if not session.wait_for(lambda: self._publisher.get_subscription_count() > 0, session.discovery):
            raise UnreachableError(f"{topic} has no subscriber: is /{bot}/allocator there and active?", hint=status)
        if not session.wait_for(lambda: bool(self._clock.period), session.discovery):
            raise UnreachableError("simulated time stands still", hint="qiki sim resume, or qiki status")
        if not session.wait_for(lambda: bool(log.samples), session.discovery):
            raise UnreachableError(f"/{bot}/odom is silent", hint=status)
        if not session.wait_for(lambda: bool(log.bodies), session.discovery):
            raise UnreachableError(f"/{bot}/body/mass_properties is silent", hint=status)
        # Telemetry that is good to have: its absence shows in the outcome.
        session.wait_for(lambda: bool(log.energy and log.allocations and log.late_edges), session.discovery)

    def _on_clock(self, message: Clock) -> None:
        self._clock.tick(seconds(message.clock), time.monotonic())

    def _on_odometry(self, message: Odometry) -> None:
        self._log.samples.append(Sample(seconds(message.header.stamp), messages.motion(message)))

    def _on_mass(self, message: InertiaStamped) -> None:
        with suppress(ConfigurationError):  # counts as not received
            self._log.bodies.append(messages.body(message))

    def _on_energy(self, message: Energy) -> None:
        self._log.energy.append((seconds(message.header.stamp), message.thrust_energy))

    def _on_thrusters(self, message: ThrusterState) -> None:
        self._log.late_edges.append((seconds(message.header.stamp), message.late_edges))

    def _on_allocation(self, message: Allocation) -> None:
        self._log.allocations.append((seconds(message.header.stamp), message))

    # Time -----------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        now = self._session.between_callbacks(lambda: self._clock.now(time.monotonic()))
        return 0.0 if now is None else now

    def _tick(self) -> float:
        return self._clock.latest or 0.0

    def _wait_until(self, simulated: float) -> None:
        progress, seen = time.monotonic(), self._tick()
        while (left := simulated - self._now()) > 0.0:
            if self._tick() != seen:
                progress, seen = time.monotonic(), self._tick()
            elif time.monotonic() - progress > STANDSTILL:
                raise CommandError(
                    f"simulated time has stood still for {STANDSTILL:g} s: the burn was given up",
                    hint="qiki sim resume, or qiki status",
                )
            if self._tick() + 1.0 < simulated - self._command.duration - 10.0:
                raise CommandError("simulated time jumped back during the burn (reset?): it was given up")
            rate = self._session.between_callbacks(lambda: self._clock.rate) or 1.0
            time.sleep(min(left / rate, 0.01))

    # Commands -------------------------------------------------------------------------------------------------------

    def _send(self, command: Command) -> float:
        """Publish the wrench, stamped; the simulated time of that."""
        message = WrenchStamped()
        message.header.frame_id = "base_link"
        sent = self._now()
        message.header.stamp = from_seconds(sent)
        message.wrench.force = Vector3(**dict(zip("xyz", map(float, command.force), strict=True)))
        message.wrench.torque = Vector3(**dict(zip("xyz", map(float, command.torque), strict=True)))
        self._publisher.publish(message)
        return sent

    def _send_zero(self) -> float:
        sent = self._send(Command(np.zeros(3), np.zeros(3), 0.0))
        self._publisher.wait_for_all_acked(Duration(seconds=1.0))
        return sent

    def _refusals(self) -> int | None:
        return self._log.allocations[-1][1].refused if self._log.allocations else None

    def _check_refusal(self, start: float, before: int | None) -> None:
        for stamp, allocation in list(self._log.allocations):
            more = before is not None and allocation.refused > before
            if stamp >= start and (allocation.state == Allocation.STATE_REFUSED or more):
                raise RefusedError(allocation.refusal or "the allocator refused the command and gives no reason")
            if stamp >= start and allocation.state == Allocation.STATE_STOPPED:
                raise RefusedError(allocation.refusal or f"/{self._bot}/allocator is stopped")

    # Account --------------------------------------------------------------------------------------------------------

    def _outcome(self, start: float, sent_first: float, sent_zero: float) -> Outcome:
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
        own = self._session.node.get_name()
        others = {end.node_name for end in self._session.publishers(self._publisher.topic_name)} - {own}
        return Outcome(
            command=self._command,
            lasted=sent_zero - sent_first,
            mass=body.mass,
            account=result,
            energy=nan if (energy := _gain(log.energy, start, settled)) is None else energy,
            achieved=self._achieved(start, end),
            late_edges=None if (late := _gain(log.late_edges, start, settled)) is None else int(late),
            others=tuple(sorted(others)),
        )

    def _achieved(self, start: float, end: float) -> tuple[Vector, Vector] | None:
        # The first messages after the start may still be of the time before it.
        inside = [
            messages.wrench(message.achieved) for stamp, message in self._log.allocations if start + 0.1 <= stamp < end
        ]
        if not inside:
            return None
        force, torque = np.mean(inside, axis=0).tolist()
        return (force[0], force[1], force[2]), (torque[0], torque[1], torque[2])


def _gain(counter: Sequence[tuple[float, float]], start: float, settled: float) -> float | None:
    """Growth of a counter, (s, value), from the start until after the burn has settled."""
    before = [value for stamp, value in counter if stamp <= start]
    after = [value for stamp, value in counter if stamp >= settled]
    return after[-1] - before[-1] if before and after else None
