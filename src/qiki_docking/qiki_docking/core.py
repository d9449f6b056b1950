"""Docking of one body: its own docking, its ports as others dock to them, and its part in the network of bridges."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from qiki_docking.active import ActiveEnd, still
from qiki_docking.bridge.sharing import BridgeNetwork
from qiki_docking.bridge.values import Role
from qiki_docking.choice import own_port, partner_port
from qiki_docking.exchange import BridgeStatus, DockState
from qiki_docking.found_docked import FoundDocked
from qiki_docking.own_bridges import OwnBridges
from qiki_docking.own_exchange import OwnExchange
from qiki_docking.passive import PassivePorts
from qiki_docking.passport import Passports
from qiki_docking.phases import HELD, UNDER_WAY, Phase
from qiki_docking.pilot import Steering
from qiki_docking.reasons import Reason
from qiki_docking.record import Record
from qiki_docking.values import Answer, Occurrence, Order, Profile, State
from qiki_vehicle import MassProperties, Port, Pose, Vehicle
from qiki_vehicle.port_hardware import DockCommand, DockReading, Floats


@dataclass(frozen=True, eq=False)
class Output:
    """Commands and states of one cycle.

    Attributes:
        command: to the ports and the bus converter.
        steering: to the flight core; None: it belongs to its operator.
        touching: the body touches another, or may at any moment: its motion is no evidence about its thrusters.
        state, bridge: for the other bodies.
    """

    command: DockCommand
    steering: Steering | None
    touching: bool
    state: DockState
    bridge: BridgeStatus


class DockingCore:
    """Docking of one body, without ROS: time is an argument, everything else a plain value.

        core = DockingCore(vehicle, "alpha")
        core.odometry(stamp, pose, twist)
        core.reading(reading, now)                      # of the own ports and of ports in sight
        core.partner(state, now)                        # DockState of each other body
        core.bridge(status)                             # BridgeStatus of each other body
        core.dock("station", now=now)                   # an Answer
        output = core.step(now)                         # 10 times a second
        core.take_occurrences()

    A body docks at one port (its active end), and others may dock to the rest (passive ends). Methods that take `now`
    (s) raise ValueError if it is not finite.

    Args:
        vehicle: with the rules of docking, and the ports of a bot.
        body: own name; it is the identity that partners check.
        passports: with keys, which prove identities; None: there are none, and identities are names.
        ports: of a station; None: those of the vehicle.
        role: in the power network. source_power: W that a source gives; None: that of a dock in the vehicle file.
        active: the body docks; False: it is docked to only.
        profiles: that partners may bridge.
        flight: answer to flight commands while docking: "refuse", or "cancel" docking first.
        commanders: bodies whose commands over data bridges are accepted.
        docked: the docking in which the body may be found at the start, without a state: closed contacts are adopted
            as a bridge as soon as sensors and partner show it, latches by the first order to undock.
        state: rebuilt after a restart (`values.rebuilt`); docking_id: of that docking; record: its report so far.
        nonces: gives an unpredictable text for each call.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        body: str,
        *,
        ports: Sequence[Port] | None = None,
        role: Role = Role.RELAY,
        source_power: float | None = None,
        active: bool = True,
        profiles: Iterable[Profile] = tuple(Profile),
        flight: Literal["refuse", "cancel"] = "refuse",
        commanders: Sequence[str] = (),
        docked: Order | None = None,
        passports: Passports | None = None,
        state: State | None = None,
        docking_id: str = "",
        record: Record | None = None,
        nonces: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        if ports is not None:
            vehicle = vehicle.model_copy(update={"ports": tuple(ports)})
        self.body, self.active = body, active
        self.combined = False
        """The flight lead of the assembly flies, while bridges are closed; else captured bodies do not thrust."""
        self._vehicle, allowed = vehicle, frozenset(profiles)
        self._own = ActiveEnd(
            vehicle,
            body,
            flight=flight,
            profiles=allowed,
            state=state,
            docking_id=docking_id,
            record=record,
            nonces=nonces,
        )
        passports = passports or Passports()
        self._passive = PassivePorts(
            vehicle, body, self._own.machine.reservations, profiles=allowed, passports=passports, nonces=nonces
        )
        self._network = BridgeNetwork(vehicle, body, role, source_power=source_power, commanders=commanders)
        if docked is not None and docked.own_port not in {port.name for port in vehicle.ports}:
            names = ", ".join(port.name for port in vehicle.ports)
            raise ValueError(f"docked: own_port = {docked.own_port!r}; allowed: {names}")
        ends = self._own, self._passive
        self._bridges = OwnBridges(vehicle, body, self._network, *ends, profiles=allowed)
        self._exchange = OwnExchange(vehicle, body, *ends, self._bridges, profiles=allowed, passports=passports)
        self._found = FoundDocked(docked if active and state is None else None, self._own)

    @property
    def phase(self) -> Phase:
        """Of the own docking."""
        return self._own.machine.phase

    @property
    def state(self) -> State:
        """Of the own docking: that which a restart needs."""
        return self._own.machine.state

    @property
    def docking_id(self) -> str:
        """Of the docking under way or the last one; empty: none."""
        return self._own.report.docking_id

    @property
    def record(self) -> Record | None:
        """Report of the docking under way, so far; None: there is none."""
        return self._own.report.record

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call."""
        return self._own.report.take_occurrences() + self._passive.take_occurrences() + self._bridges.take_occurrences()

    # Measurements ---------------------------------------------------------------------------------------------------

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Take own motion in: base_link in world, twist (6,) m/s and rad/s in own axes."""
        self._own.odometry(stamp, pose, twist)

    def reading(self, reading: DockReading, now: float) -> None:
        """Take readings of the own ports and of ports in sight."""
        self._bridges.read(reading)
        self._own.read(reading, now)
        for port in reading.ports:
            self._passive.read(port, reading.stamp)

    def partner(self, state: DockState, now: float) -> None:
        """Take the state of another body in; one that is older than the last is ignored."""
        self._exchange.partner(state, now)

    def bridge(self, status: BridgeStatus) -> None:
        """Take the network's part of another body in.

        Raises:
            ValueError: naming a value that cannot be, and the allowed range.
        """
        self._network.update(status)

    def energy(self, thrust_energy: float, battery_soc: float, loads: Mapping[str, bool]) -> None:
        """Take the own buses in: J of thrust since the start, charge 0..1, avionics loads that are on."""
        self._own.report.meters(energy=thrust_energy)
        self._bridges.loads(battery_soc, loads)

    def mass(self, properties: MassProperties, working_mass: float) -> None:
        """Take own mass properties in, and the working mass left, kg."""
        self._own.mass(properties)
        self._own.report.meters(working_mass=working_mass)

    def authority(self, bounds: Floats) -> None:
        """Take the thrust in that each thruster can give now, (n,) 0..1."""
        self._own.authority(bounds)

    def fired(self, on_times: Floats) -> None:
        """Take the time in that each thruster has been open since the start, (n,) s."""
        self._own.fired(on_times)

    # Orders ---------------------------------------------------------------------------------------------------------

    def dock(
        self,
        partner: str,
        partner_port_: str = "",
        own_port_: str = "",
        profile: Profile = Profile.FULL,
        *,
        now: float,
        patient: bool = False,
    ) -> Answer:
        """Dock. Empty ports: the nearest free one of the partner in sight, the own free one that turns least.

        patient: an order without valid navigation is not reported as refused: it comes again.
        """
        machine, state = self._own.machine, self._exchange.partners.get(partner)
        if not self.active:
            return machine.refuse("dock", Reason.PASSIVE_ONLY, now)
        if machine.state.order is not None and machine.state.order.partner == partner:
            partner_port_ = partner_port_ or machine.state.order.partner_port
            own_port_ = own_port_ or machine.state.order.own_port
        if state is not None:
            partner_port_ = partner_port_ or partner_port(state, self._own.recent.sights, self.body)
            free = [one for one in self._vehicle.ports if machine.reservations.holder(one.name, now) in ("", partner)]
            own_port_ = own_port_ or own_port(free, state, self._own.recent.sights, partner_port_)
            if not (partner_port_ and own_port_):
                lacking = "own port" if partner_port_ else f"port of {partner} in sight"
                return machine.refuse("dock", Reason.NAVIGATION_INVALID, now, f"no free {lacking}", quiet=patient)
        elif not (partner_port_ and own_port_):
            return machine.refuse("dock", Reason.PARTNER_SILENT, now, partner)
        if state is not None and state.active and state.phase in UNDER_WAY:
            return machine.refuse("dock", Reason.PARTNER_MOVES, now, f"{partner} is in {state.phase}")
        try:
            order = Order(partner, partner_port_, own_port_, profile)
        except ValueError as error:
            return machine.refuse("dock", Reason.WRONG_ORDER, now, str(error))
        return self._own.dock(order, state, now, patient=patient)

    def undock(self, now: float, port: str = "") -> Answer:
        """Undock from the own port; a body that was docked to requests it from its partner."""
        if self._found.order is not None and port in ("", self._found.order.own_port):
            self._found.adopt(self._exchange.partners, now, ordered=True)
        found = self._port(port, "undock", now)
        if isinstance(found, Answer):
            return found
        return self._passive.undock(found, now) if found in self._passive.guests else self._own.machine.undock(now)

    def cancel(self, now: float) -> Answer:
        """Give the own docking up: ABORT before hard docking, the undocking sequence in it."""
        return self._own.machine.cancel(now)

    def flight_command(self, now: float, command: str = "a command") -> Answer:
        """Judge a flight command, by its name, by the own docking and by those that are captured at own ports."""
        captured = self.phase is Phase.BRIDGE or (self.phase is Phase.FREE and self._passive.holds)
        if self.combined and captured:
            return Answer(True, Reason.NONE, "the assembly has a flight lead")
        if self._passive.holds and self.phase is Phase.FREE:
            detail = f"{command}, a partner is captured and there is no flight lead"
            return self._own.machine.refuse("flight", Reason.FLIGHT_WHILE_DOCKING, now, detail)
        return self._own.machine.flight_command(now, command)

    def arm_release(self, now: float, port: str = "") -> Answer:
        """First step of an emergency release, of either end: gives the code for the second one."""
        found = self._port(port, "arm", now)
        if isinstance(found, Answer):
            return found
        return self._passive.arm(found, now) if found in self._passive.guests else self._own.machine.arm_release(now)

    def release(self, code: int, now: float, port: str = "") -> Answer:
        """Second step: latches and contacts of both ends open at once, under current too."""
        found = self._port(port, "release", now)
        if isinstance(found, Answer):
            return found
        if found in self._passive.guests:
            return self._passive.release(found, code, now)
        return self._own.machine.emergency_release(code, now)

    def reset(self, now: float) -> Answer:
        """Leave FAULT for FREE; the sensors have to show the ports apart."""
        return self._own.machine.reset(now)

    def set_bridge(
        self, now: float, *, port: str = "", profile: Profile | None = None, role: Role | None = None
    ) -> Answer:
        """Change the profile of the own docked port, or the role of the body."""
        if role is not None and role is not self._network.role:
            refused = self._bridges.set_role(role, now)
            if refused:
                return self._own.machine.refuse("role", Reason.ROLE_REFUSED, now, refused)
        if profile is None:
            return Answer(True, Reason.NONE, f"role {self._network.role}")
        found = self._port(port, "profile", now)
        if isinstance(found, Answer):
            return found
        if found in self._passive.guests:
            holder = self._passive.guests[found].state.body
            return self._own.machine.refuse("profile", Reason.WRONG_ORDER, now, f"it is set by {holder}, which docked")
        return self._own.machine.set_profile(profile, now)

    # Each cycle -----------------------------------------------------------------------------------------------------

    def step(self, now: float) -> Output:
        """Advance everything, and give commands and states. Call it 10 times a second."""
        self._found.adopt(self._exchange.partners, now)
        order = self.state.order
        outlook = self._bridges.look(now)
        commands = self._own.step(None if order is None else self._exchange.partners.get(order.partner), outlook, now)
        # A port of the own docking is not another's, whatever that one claims.
        commands += tuple(one for one in self._passive.step(now) if order is None or one.port != order.own_port)
        bridge = self._bridges.status(now)
        steering = self._steering(now)
        touching = self._passive.touching(now) or (steering is not None and steering.touching)
        draw = self._bridges.draw(bridge, confirmed=self._own.machine.confirmed and not self._found.pending)
        command = DockCommand(now, commands, self._network.role is Role.SOURCE, draw)
        return Output(command, steering, touching, self._exchange.state(now), bridge)

    def _steering(self, now: float) -> Steering | None:
        if self.phase is Phase.FREE and self._passive.holds and not self.combined and self.active:
            return still(len(self._vehicle.thrusters))
        return self._own.steering(now, combined=self.combined)

    def _port(self, port: str, order: str, now: float) -> str | Answer:
        """The own port that an order means: the named one, or the only one that is docked."""
        own = self.state.order
        docked = [guest for guest, one in self._passive.guests.items() if one.state.phase in HELD | {Phase.FAULT}]
        if own is not None:
            docked.append(own.own_port)
        if port and port not in docked and port not in {one.name for one in self._vehicle.ports}:
            names = ", ".join(one.name for one in self._vehicle.ports)
            return self._own.machine.refuse(order, Reason.WRONG_ORDER, now, f"port = {port!r}; allowed: {names}")
        if len(docked) > 1 and not port:
            detail = f"port: empty; allowed: {', '.join(docked)}"
            return self._own.machine.refuse(order, Reason.WRONG_ORDER, now, detail)
        return port or (docked[0] if docked else "")
