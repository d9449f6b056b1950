"""End of a docking that a body does itself: its machine, pilot and switchgear, and their report."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.bridge.values import Edge, Outlook
from qiki_docking.exchange import BridgeEdgeStatus, DockState, PortOffer
from qiki_docking.machine import DockingMachine
from qiki_docking.phases import HELD, Drive, Guidance, Phase, Request
from qiki_docking.pilot import Pilot, Steering
from qiki_docking.readings import is_mated, port_sample
from qiki_docking.reasons import Reason
from qiki_docking.record import Means, Record
from qiki_docking.switchgear import Switchgear
from qiki_docking.values import Answer, Occurrence, Order, Profile, State
from qiki_vehicle import MassProperties, Port, Pose, Vehicle
from qiki_vehicle.port_hardware import DockReading, Floats, PortCommand, PortReading, Sight

_DRIVES = {Drive.KEEP: None, Drive.ON: True, Drive.OFF: False}


class ActiveEnd:
    """Docking that one body does itself. `now` and stamps in s.

    Args:
        profiles: of bridges that are allowed.
        state: rebuilt after a restart; None: nothing was under way. docking_id: of it.
        record: of that docking; None: unknown.
        nonces: gives an unpredictable text.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        body: str,
        *,
        flight: Literal["refuse", "cancel"],
        profiles: frozenset[Profile],
        state: State | None,
        docking_id: str,
        record: Record | None,
        nonces: Callable[[], str],
    ) -> None:
        self._vehicle, self._body, self._nonces, self._profiles = vehicle, body, nonces, profiles
        # A free body has nothing to confirm: nothing of it would move.
        self.machine = DockingMachine(vehicle, flight, None if state is None or state.phase is Phase.FREE else state)
        self.docking_id = docking_id
        self.nonce = nonces() if self.machine.state.order else ""
        self.pilot: Pilot | None = None
        self.request = Request()
        self.reading: PortReading | None = None
        """Latest of the own port that docks."""
        self._gear = Switchgear(vehicle)
        self._edge_state = EdgeState.OPEN
        # Of another docking it is of no use.
        self.record = record if record is not None and record.docking_id == docking_id else None
        self._motions: deque[tuple[float, Pose, Floats]] = deque()
        self._readings: deque[DockReading] = deque()
        self._mass: MassProperties | None = None
        self._authority: Floats | None = None
        self._on_times: Floats | None = None
        self._means = Means()
        self._phase = self.machine.phase
        self._occurrences: list[Occurrence] = []

    # Measurements ---------------------------------------------------------------------------------------------------

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Own motion: base_link in world, twist (6,) m/s and rad/s in own axes."""
        self._motions.append((stamp, pose, twist))
        self._forget(stamp)
        if self.pilot is not None:
            self.pilot.odometry(stamp, pose, twist)

    def read(self, reading: DockReading, now: float) -> None:
        """Readings of the own ports, and sights."""
        self._readings.append(reading)
        self._forget(reading.stamp)
        order = self.machine.state.order
        if order is not None:
            self._take(reading, order, now)

    def mass(self, properties: MassProperties) -> None:
        """Own mass properties."""
        self._mass = properties
        if self.pilot is not None:
            self.pilot.body(properties)

    def authority(self, bounds: Floats) -> None:
        """Thrust that each thruster can give now, (n,) 0..1."""
        self._authority = bounds
        if self.pilot is not None:
            self.pilot.authority(bounds)

    def meters(self, *, working_mass: float | None = None, energy: float | None = None) -> None:
        """Working mass left, kg, and energy of thrust so far, J."""
        mass = self._means.working_mass if working_mass is None else working_mass
        self._means = replace(self._means, working_mass=mass, energy=self._means.energy if energy is None else energy)

    def fired(self, on_times: Floats) -> None:
        """Time that each thruster has been open since the start, (n,) s."""
        before, self._on_times = self._on_times, on_times
        if self.pilot is not None and before is not None and (on_times >= before).all():
            self.pilot.fired(on_times - before)
            self._means = replace(self._means, plume=self.pilot.plume_impulse)

    @property
    def sights(self) -> tuple[Sight, ...]:
        """Ports of other bodies in sight, of the latest reading."""
        return self._readings[-1].sights if self._readings else ()

    # Orders ---------------------------------------------------------------------------------------------------------

    def dock(self, order: Order, partner: DockState | None, now: float, *, patient: bool = False) -> Answer:
        """Dock; partner: its latest state, from which its port is known. patient: see `DockingMachine.dock`."""
        machine = self.machine
        offer = None if partner is None else partner.offer(order.partner_port)
        if machine.phase is not Phase.FREE or not machine.confirmed:
            return machine.dock(order, now)
        if offer is None:
            reason = Reason.PARTNER_SILENT if partner is None else Reason.WRONG_ORDER
            ports = "" if partner is None else ", ".join(one.port for one in partner.offers)
            detail = order.partner if partner is None else f"partner_port = {order.partner_port!r}; allowed: {ports}"
            return machine.refuse("dock", reason, now, detail)
        if offer.holder not in ("", self._body):
            return machine.refuse("dock", Reason.PORT_RESERVED, now, f"{order.partner_port} for {offer.holder}")
        # Bodies that are found mated, as at the start of a scenario, need no free port.
        if not offer.fit and not self._is_mated(order.own_port):
            return machine.refuse("dock", Reason.PORT_UNFIT, now, f"{order.partner_port}: {offer.reason}")
        # Measurements of the last seconds are those of the ordered ports from now on.
        machine.forget()
        self._gear, self._edge_state, self.reading = Switchgear(self._vehicle), EdgeState.OPEN, None
        if order.own_port in {port.name for port in self._vehicle.ports}:
            self._fly(order, partner)
            self._replay(order, now)
        answer = machine.dock(order, now, patient=patient)
        if not answer.accepted:
            self.pilot = None
            return answer
        self.nonce = self._nonces()
        self.docking_id = f"{self._body}-{self._nonces()[-12:]}"
        self.record = Record(self.docking_id, False, order, self._means)
        payload = {"docking_id": self.docking_id, "partner": order.partner, "partner_port": order.partner_port}
        payload |= {"own_port": order.own_port, "profile": order.profile.value}
        self._occurrences.append(Occurrence("docking.started", now, payload))
        return answer

    def adopt(self, order: Order, partner: DockState, *, closed: bool, now: float) -> None:
        """Take over a docking that is found in the hardware. closed: the power contacts are."""
        self._gear, self._edge_state, self.reading = Switchgear(self._vehicle), EdgeState.OPEN, None
        self.nonce = self._nonces()
        self.docking_id = f"{self._body}-{self._nonces()[-12:]}"
        self.machine.adopt(order, closed=closed, now=now)
        self._fly(order, partner)
        self._replay(order, now)
        self.machine.resume(now)

    def port(self, name: str) -> PortReading | None:
        """Latest reading of an own port."""
        ports = self._readings[-1].ports if self._readings else ()
        return next((one for one in ports if one.port == name), None)

    def requested(self, offer: PortOffer | None, now: float) -> None:
        """Follow the partner, where it requests undocking, or has released both ends."""
        if offer is None or offer.holder != self._body:
            return
        phase = self.machine.phase
        if offer.phase is Phase.EMERGENCY_RELEASE and phase in HELD:
            self.machine.released(now)
        elif offer.undock and phase in (Phase.HARD_DOCK, Phase.BRIDGE):
            self.machine.undock(now)

    # Each cycle -----------------------------------------------------------------------------------------------------

    def step(self, partner: DockState | None, outlook: Outlook, now: float) -> tuple[PortCommand, ...]:
        """Advance the machine; commands to the own port. outlook: the network around the bridge."""
        order = self.machine.state.order
        if order is not None and self.pilot is None and partner is not None:
            self._fly(order, partner)
        if self.pilot is not None:
            sample = self.pilot.sample(now)
            if sample is not None:
                self.machine.observe(sample, now)
        self.machine.outlook = outlook
        self.request = self.machine.tick(now)
        order = self.machine.state.order or order
        commands = () if order is None else (self._command(order, outlook, now),)
        self._follow(now)
        self._watch(now)
        if self.machine.state.order is None:
            self.pilot = None
        return commands

    def steering(self, now: float, *, combined: bool) -> Steering | None:
        """Commands to the flight core; None: it belongs to its operator.

        combined: the flight lead of the assembly flies, while the bridge is closed.
        """
        if self.request.guidance is Guidance.OFF or (combined and self.machine.phase is Phase.BRIDGE):
            return None
        if self.pilot is None:
            return still(len(self._vehicle.thrusters))
        return self.pilot.steer(self.request, now)

    @property
    def edge(self) -> Edge | None:
        """The bridge of the order; None: there is no order."""
        order = self.machine.state.order
        if order is None:
            return None
        resistance = self._vehicle.bridge.resistance
        return Edge(self._body, order.own_port, order.partner, order.partner_port, order.profile, resistance)

    def edges(self) -> tuple[BridgeEdgeStatus, ...]:
        """The bridge, while it is one: from closing on, until its contacts are open."""
        edge, state = self.edge, self.machine.state
        if edge is None:
            return ()
        bridging = state.phase is Phase.BRIDGE or (state.phase is Phase.HARD_DOCK and state.step == "close")
        live = self._gear.state not in (EdgeState.OPEN, EdgeState.GROUND)
        if not bridging and not live:
            return ()
        profile = edge.profile if bridging or not self.machine.confirmed else Profile.POWER
        if live and bridging and not edge.has_power:
            profile = Profile.FULL  # until its contacts are open
        standby = state.step == "bridged" and profile is Profile.DATA and Profile.FULL in self._profiles
        reading = self.reading
        measured = (math.nan,) * 3 if reading is None else (reading.inner_volts, reading.current, reading.temperature)
        return (
            BridgeEdgeStatus(
                edge.name, edge.a_port, edge.b, edge.b_port, profile, self._gear.state, self._gear.fault,
                edge.resistance, measured[0], measured[1], temperature=measured[2], standby=standby,
            ),
        )  # fmt: skip

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call, in their order."""
        self._collect()
        taken, self._occurrences = self._occurrences, []
        return taken

    # --------------------------------------------------------------------------------------------------------------

    def _fly(self, order: Order, partner: DockState | None) -> None:
        """Have a pilot, if the partner's port is known."""
        offer = None if partner is None else partner.offer(order.partner_port)
        if partner is None or offer is None:
            return
        own = self._vehicle.port(order.own_port)
        port = Port(name=offer.port, position=offer.position, axis=offer.axis, radius=own.radius, length=own.length)
        self.pilot = Pilot(self._vehicle, own, port, markers={one.port: one.position for one in partner.offers})
        self._means = replace(self._means, plume=math.nan if self._on_times is None else 0.0)
        if self._mass is not None:
            self.pilot.body(self._mass)
        if self._authority is not None:
            self.pilot.authority(self._authority)

    def _replay(self, order: Order, now: float) -> None:
        motions, pilot = deque(self._motions), self.pilot
        assert pilot is not None
        for reading in self._readings:
            while motions and motions[0][0] <= reading.stamp:
                pilot.odometry(*motions.popleft())
            self._take(reading, order, now)
            sample = pilot.sample(now)
            if sample is not None:
                self.machine.observe(sample, now)
        for motion in motions:
            pilot.odometry(*motion)

    def _take(self, reading: DockReading, order: Order, now: float) -> None:
        own = next((port for port in reading.ports if port.port == order.own_port), None)
        if own is not None:
            self.reading = own
            self._gear.read(own, reading.stamp)
            self.machine.observe(port_sample(own, reading.stamp), now)
        for sight in reading.sights:
            # Any camera and any marker of the partner serve: each gives the whole pose.
            if self.pilot is not None and sight.target == order.partner:
                self.pilot.sight(reading.stamp, sight)

    def _is_mated(self, port: str) -> bool:
        reading = self.port(port)
        return reading is not None and is_mated(reading)

    def _forget(self, stamp: float) -> None:
        """Keep the measurements that the machine would take as valid."""
        age = self._vehicle.docking.validity.max_age
        while self._motions and not -age <= stamp - self._motions[0][0] <= age:
            self._motions.popleft()
        while self._readings and not -age <= stamp - self._readings[0].stamp <= age:
            self._readings.popleft()

    def _command(self, order: Order, outlook: Outlook, now: float) -> PortCommand:
        request, phase = self.request, self.machine.phase
        release = phase is Phase.EMERGENCY_RELEASE and self.machine.state.step == "release"
        if release:
            self._gear.drop()
        command = self._gear.step(request.power, request.contacts, now, outlook) if self.machine.confirmed else None
        return PortCommand(
            order.own_port,
            _DRIVES[request.capture],
            _DRIVES[request.latch],
            None if command is None else command.ground,
            None if command is None else command.precharge,
            None if command is None else command.main,
            None if command is None else command.current_limit,
            _DRIVES[request.data],
            self._vehicle.docking.checks.pull_force if request.test == "pull" else 0.0,
            release,
        )

    def _follow(self, now: float) -> None:
        state, before = self.machine.state, self._phase
        self._phase = state.phase
        self._collect()
        if self.record is None and state.order is not None and before is Phase.BRIDGE is not state.phase:
            self.record = Record(self.docking_id, True, state.order, self._means)
        if self.record is None:
            return
        self.record.follow(state, now)
        ended = self.record.ended(before, state, self._means)
        if ended is not None:
            self._occurrences.append(Occurrence("docking.ended", now, ended))
            self.record = None

    def _collect(self) -> None:
        for occurrence in self.machine.take_occurrences():
            payload = {**occurrence.payload, "docking_id": self.docking_id}
            self._occurrences.append(replace(occurrence, payload=payload))
            if occurrence.type == "docking.contact_judged" and self.record is not None:
                margins = occurrence.payload["margins"]
                self.record.margins = {name: value for name, value in margins.items() if value is not None}
                self.record.contact = occurrence.payload["text"]

    def _watch(self, now: float) -> None:
        """Report a change of the switchgear."""
        edge, before, state = self.edge, self._edge_state, self._gear.state
        if edge is None or state is before:
            return
        self._edge_state, reading = state, self.reading
        payload = {
            "docking_id": self.docking_id,
            "edge": edge.name,
            "port": edge.a_port,
            "partner": edge.b,
            "partner_port": edge.b_port,
            "profile": edge.profile.value,
            "state": state.value,
            "before": before.value,
            "fault": self._gear.fault,
        }
        if reading is not None:
            measured = {"volts": reading.inner_volts, "current": reading.current, "temperature": reading.temperature}
            payload |= {name: value for name, value in measured.items() if math.isfinite(value)}  # type: ignore[misc]
        self._occurrences.append(Occurrence("bridge.edge_changed", now, payload))


def still(thrusters: int) -> Steering:
    """No thrust at all."""
    return Steering(bounds=np.zeros(thrusters), bounds_reason="docked", touching=True)
