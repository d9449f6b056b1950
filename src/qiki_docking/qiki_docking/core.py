"""Docking of one body: its own docking, its ports as others dock to them, and its part in the network of bridges."""

import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from qiki_docking.active import ActiveEnd, still
from qiki_docking.bridge.sharing import BridgeNetwork, own_loads
from qiki_docking.bridge.values import Edge, Outlook, Role
from qiki_docking.choice import own_port, partner_port
from qiki_docking.exchange import BridgeEdgeStatus, BridgeStatus, DockState
from qiki_docking.handshake import OwnSide, link_sample
from qiki_docking.passive import Guest, PassivePorts
from qiki_docking.phases import HELD, UNDER_WAY, Phase
from qiki_docking.pilot import Steering
from qiki_docking.readings import is_mated
from qiki_docking.reasons import Reason
from qiki_docking.record import Record
from qiki_docking.shown import of_active, of_passive
from qiki_docking.values import Answer, Occurrence, Order, Profile, State
from qiki_vehicle import MassProperties, Port, Pose, Vehicle
from qiki_vehicle.port_hardware import DockCommand, DockReading, Floats, PortCommand


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
        body: own name; it is the identity that partners check, unsigned.
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
        self._vehicle, self._profiles = vehicle, frozenset(profiles)
        self._own = ActiveEnd(
            vehicle,
            body,
            flight=flight,
            profiles=self._profiles,
            state=state,
            docking_id=docking_id,
            record=record,
            nonces=nonces,
        )
        self._passive = PassivePorts(vehicle, body, self._own.machine.reservations, self._profiles, nonces)
        self._network = BridgeNetwork(vehicle, body, role, source_power=source_power, commanders=commanders)
        if docked is not None and docked.own_port not in {port.name for port in vehicle.ports}:
            names = ", ".join(port.name for port in vehicle.ports)
            raise ValueError(f"docked: own_port = {docked.own_port!r}; allowed: {names}")
        self._docked = docked if active and state is None else None
        self._partners: dict[str, DockState] = {}
        self._readings: DockReading | None = None
        self._shed: tuple[str, ...] = ()
        self._fed = False
        self._occurrences: list[Occurrence] = []

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
        return self._own.docking_id

    @property
    def record(self) -> Record | None:
        """Report of the docking under way, so far; None: there is none."""
        return self._own.record

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call."""
        taken = self._own.take_occurrences() + self._passive.take_occurrences() + self._occurrences
        self._occurrences = []
        return taken

    # Measurements ---------------------------------------------------------------------------------------------------

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Take own motion in: base_link in world, twist (6,) m/s and rad/s in own axes."""
        self._own.odometry(stamp, pose, twist)

    def reading(self, reading: DockReading, now: float) -> None:
        """Take readings of the own ports and of ports in sight."""
        self._readings = reading
        self._own.read(reading, now)
        for port in reading.ports:
            self._passive.read(port, reading.stamp)

    def partner(self, state: DockState, now: float) -> None:
        """Take the state of another body in; one that is older than the last is ignored."""
        known = self._partners.get(state.body)
        age = self._vehicle.docking.validity.max_age
        if state.body == self.body or (known and known.stamp - age <= state.stamp <= known.stamp):
            return
        self._partners[state.body] = state
        self._passive.partner(state, now)
        order = self.state.order
        if order is not None and order.partner == state.body:
            self._own.machine.observe(link_sample(self._side(order), state, self._vehicle.bridge), now)
            self._own.requested(state.offer(order.partner_port), now)
            # Both were ordered at the same moment: one gives way.
            if state.active and state.partner == self.body > state.body and state.phase in UNDER_WAY:
                self._own.machine.cancel(now)

    def bridge(self, status: BridgeStatus) -> None:
        """Take the network's part of another body in.

        Raises:
            ValueError: naming a value that cannot be, and the allowed range.
        """
        self._network.update(status)

    def energy(self, thrust_energy: float, battery_soc: float, loads: Mapping[str, bool]) -> None:
        """Take the own buses in: J of thrust since the start, charge 0..1, avionics loads that are on."""
        self._own.meters(energy=thrust_energy)
        if self._network.role is not Role.SOURCE:
            rules = self._vehicle.avionics
            room = rules.dock.power_max - rules.base_power - math.fsum(rules.loads.values())
            charge = max(room, 0.0) if battery_soc < self._vehicle.propulsion.battery.soc_max else 0.0
            off = (name for name, on in loads.items() if not on)
            self._network.loads = own_loads(self._vehicle, charge=charge, off=off)

    def mass(self, properties: MassProperties, working_mass: float) -> None:
        """Take own mass properties in, and the working mass left, kg."""
        self._own.mass(properties)
        self._own.meters(working_mass=working_mass)

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
        machine, state = self._own.machine, self._partners.get(partner)
        if not self.active:
            return machine.refuse("dock", Reason.PASSIVE_ONLY, now)
        if machine.state.order is not None and machine.state.order.partner == partner:
            partner_port_ = partner_port_ or machine.state.order.partner_port
            own_port_ = own_port_ or machine.state.order.own_port
        if state is not None:
            partner_port_ = partner_port_ or partner_port(state, self._own.sights, self.body)
            free = [one for one in self._vehicle.ports if machine.reservations.holder(one.name, now) in ("", partner)]
            own_port_ = own_port_ or own_port(free, state, self._own.sights, partner_port_)
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
        if self._docked is not None and port in ("", self._docked.own_port):
            self._adopt(self._docked, now, ordered=True)
        found = self._port(port, "undock", now)
        if isinstance(found, Answer):
            return found
        return self._passive.undock(found, now) if found in self._passive.guests else self._own.machine.undock(now)

    def cancel(self, now: float) -> Answer:
        """Give the own docking up: ABORT before hard docking, the undocking sequence in it."""
        return self._own.machine.cancel(now)

    def flight_command(self, now: float) -> Answer:
        """Judge a flight command by the own docking, and by those that are captured at own ports."""
        captured = self.phase is Phase.BRIDGE or (self.phase is Phase.FREE and self._passive.holds)
        if self.combined and captured:
            return Answer(True, Reason.NONE, "the assembly has a flight lead")
        if self._passive.holds and self.phase is Phase.FREE:
            return self._own.machine.refuse("flight", Reason.FLIGHT_WHILE_DOCKING, now, "a partner is captured")
        return self._own.machine.flight_command(now)

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
            before, verdict = self._network.role, self._network.set_role(role)
            if not verdict.accepted:
                return self._own.machine.refuse("role", Reason.ROLE_REFUSED, now, verdict.text)
            payload = {"role": role.value, "before": before.value}
            self._occurrences.append(Occurrence("bridge.role_changed", now, payload))
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
        if self._docked is not None:
            self._adopt(self._docked, now)
        order, edge = self.state.order, self._own.edge
        if edge is not None and self._network.relieves(edge.name):
            self._own.machine.relieve(now)
        outlook = Outlook() if edge is None else self._network.outlook(edge)
        commands = self._own.step(None if order is None else self._partners.get(order.partner), outlook, now)
        # A port of the own docking is not another's, whatever that one claims.
        commands += tuple(one for one in self._passive.step(now) if order is None or one.port != order.own_port)
        self._network.edges = self._own.edges() + tuple(self._mirrored())
        bridge = self._network.status(now)
        if bridge.shed != self._shed:
            payload = {"shed": list(bridge.shed), "before": list(self._shed)}
            self._occurrences.append(Occurrence("bridge.shed", now, payload))
            self._shed = bridge.shed
        steering = self._steering(now)
        touching = self._passive.touching(now) or (steering is not None and steering.touching)
        return Output(self._command(commands, bridge, now), steering, touching, self._state(now), bridge)

    def _adopt(self, order: Order, now: float, *, ordered: bool = False) -> None:
        """Take over the docking of the start; ordered: with open contacts too."""
        reading, partner = self._own.port(order.own_port), self._partners.get(order.partner)
        if self.phase is not Phase.FREE or (reading is not None and not is_mated(reading)):
            self._docked = None  # another order came first, or the ports are apart
            return
        if reading is None or partner is None or partner.offer(order.partner_port) is None:
            return
        if reading.contacts_closed is True or ordered:
            self._docked = None
            self._own.adopt(order, partner, closed=reading.contacts_closed is True, now=now)

    @property
    def _finding(self) -> bool:
        """A bridge may be found closed, and is not adopted yet: power stays as it is."""
        reading = None if self._docked is None else self._own.port(self._docked.own_port)
        return self._docked is not None and (reading is None or reading.contacts_closed is not False)

    def _command(self, ports: tuple[PortCommand, ...], bridge: BridgeStatus, now: float) -> DockCommand:
        """Draw as the network serves; until the partners of all bridges are known, e.g. after a restart, as it is."""
        confirmed = self._own.machine.confirmed and not self._finding
        # After a restart the island is whole before the partner's part of it shows that: until then nothing is dropped.
        self._fed = self._fed or (confirmed and (bridge.depth > 0 or not bridge.edges))
        known = confirmed and self._fed and all(self._network.knows(edge.partner) for edge in bridge.edges)
        served = math.fsum(bridge.served) if bridge.depth else 0.0
        return DockCommand(now, ports, self._network.role is Role.SOURCE, served if known else None)

    def _steering(self, now: float) -> Steering | None:
        if self.phase is Phase.FREE and self._passive.holds and not self.combined and self.active:
            return still(len(self._vehicle.thrusters))
        return self._own.steering(now, combined=self.combined)

    def _side(self, order: Order) -> OwnSide:
        edge = self._own.edge
        assert edge is not None
        cleared = not self._network.clearance(edge)
        return OwnSide(self.body, order, self.phase, self._own.nonce, order.profile in self._profiles, cleared)

    def _state(self, now: float) -> DockState:
        order = self.state.order
        offers = tuple(self._passive.offers(now, self._cleared))
        if order is not None:
            partner = self._partners.get(order.partner)
            return of_active(now, self._own, self._side(order), partner, offers=offers, vehicle=self._vehicle)
        guest = next(iter(self._passive.guests.values()), None)
        shown = None if guest is None else guest.state
        return of_passive(now, self._own, self.body, shown, offers=offers, vehicle=self._vehicle)

    def _cleared(self, port: str, guest: Guest) -> str:
        profile = guest.state.profile
        if profile is None:
            return "no profile"
        resistance = self._vehicle.bridge.resistance
        edge = Edge(guest.state.body, guest.state.own_port, self.body, port, profile, resistance)
        return self._network.clearance(edge)

    def _mirrored(self) -> Iterable[BridgeEdgeStatus]:
        """Bridges of passive ends, as their active ends report them, with the own measurements."""
        readings = {} if self._readings is None else {one.port: one for one in self._readings.ports}
        for port, guest in self._passive.guests.items():
            name = Edge(guest.state.body, guest.state.own_port, self.body, port, Profile.FULL, 1.0).name
            edge, reading = self._network.edge(name), readings.get(port)
            if edge is None or reading is None:
                continue
            yield replace(
                edge,
                port=port,
                partner=guest.state.body,
                partner_port=guest.state.own_port,
                volts=reading.inner_volts,
                current=reading.current,
                temperature=reading.temperature,
                standby=edge.standby and Profile.FULL in self._profiles,
            )

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
