"""End of a docking that a body does itself: its machine, pilot and switchgear."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.bridge.values import Edge, Outlook
from qiki_docking.docking_report import DockingReport
from qiki_docking.exchange import BridgeEdgeStatus, DockState, PortOffer
from qiki_docking.machine import DockingMachine
from qiki_docking.phases import HELD, Drive, Guidance, Phase, Request
from qiki_docking.pilot import Pilot, Steering
from qiki_docking.readings import is_mated, port_sample
from qiki_docking.reasons import Reason
from qiki_docking.recent import RecentMeasurements
from qiki_docking.record import Record
from qiki_docking.switchgear import Switchgear
from qiki_docking.values import Answer, Order, Profile, State
from qiki_vehicle import MassProperties, Port, Pose, Vehicle
from qiki_vehicle.port_hardware import DockReading, Floats, PortCommand, PortReading

_DRIVES = {Drive.KEEP: None, Drive.ON: True, Drive.OFF: False}


class ActiveEnd:
    """Docking that one body does itself. `now` and stamps in s.

    Args:
        profiles: of bridges that are allowed.
        state: rebuilt after a restart; None: nothing was under way. docking_id: of it.
        record: of that docking; None: unknown.
        nonces: gives an unpredictable text.

    Attributes:
        recent: measurements of the last seconds.
        report: of the docking.
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
        self.report = DockingReport(self.machine, docking_id, record)
        self.nonce = nonces() if self.machine.state.order else ""
        self.pilot: Pilot | None = None
        self.request = Request()
        self.reading: PortReading | None = None
        """Latest of the own port that docks."""
        self._gear = Switchgear(vehicle)
        self.recent = RecentMeasurements(vehicle.docking.validity.max_age)
        self._mass: MassProperties | None = None
        self._authority: Floats | None = None
        self._on_times: Floats | None = None

    # Measurements ---------------------------------------------------------------------------------------------------

    def odometry(self, stamp: float, pose: Pose, twist: Floats) -> None:
        """Own motion: base_link in world, twist (6,) m/s and rad/s in own axes."""
        self.recent.odometry((stamp, pose, twist))
        if self.pilot is not None:
            self.pilot.odometry(stamp, pose, twist)

    def read(self, reading: DockReading, now: float) -> None:
        """Readings of the own ports, and sights."""
        self.recent.read(reading)
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

    def fired(self, on_times: Floats) -> None:
        """Time that each thruster has been open since the start, (n,) s."""
        before, self._on_times = self._on_times, on_times
        if self.pilot is not None and before is not None and (on_times >= before).all():
            self.pilot.fired(on_times - before)
            self.report.meters(plume=self.pilot.plume_impulse)

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
        self._another_port()
        if order.own_port in {port.name for port in self._vehicle.ports}:
            self._fly(order, partner)
            self._replay(order, now)
        answer = machine.dock(order, now, patient=patient)
        if not answer.accepted:
            self.pilot = None
            return answer
        self.nonce = self._nonces()
        self.report.started(order, self._new_id(), now)
        return answer

    def adopt(self, order: Order, partner: DockState, *, closed: bool, now: float) -> None:
        """Take over a docking that is found in the hardware. closed: the power contacts are."""
        self._another_port()
        self.nonce = self._nonces()
        self.report.docking_id = self._new_id()
        self.machine.adopt(order, closed=closed, now=now)
        self._fly(order, partner)
        self._replay(order, now)
        self.machine.resume(now)

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
        self.report.follow(now)
        self.report.watch(self.edge, self._gear, self.reading, now)
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

    # --------------------------------------------------------------------------------------------------------------

    def _fly(self, order: Order, partner: DockState | None) -> None:
        """Have a pilot, if the partner's port is known."""
        offer = None if partner is None else partner.offer(order.partner_port)
        if partner is None or offer is None:
            return
        own = self._vehicle.port(order.own_port)
        port = Port(name=offer.port, position=offer.position, axis=offer.axis, radius=own.radius, length=own.length)
        self.pilot = Pilot(self._vehicle, own, port, markers={one.port: one.position for one in partner.offers})
        self.report.meters(plume=math.nan if self._on_times is None else 0.0)
        if self._mass is not None:
            self.pilot.body(self._mass)
        if self._authority is not None:
            self.pilot.authority(self._authority)

    def _replay(self, order: Order, now: float) -> None:
        pilot = self.pilot
        assert pilot is not None
        for motions, reading in self.recent.series():
            for motion in motions:
                pilot.odometry(*motion)
            if reading is not None:
                self._take(reading, order, now)
                sample = pilot.sample(now)
                if sample is not None:
                    self.machine.observe(sample, now)

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
        reading = self.recent.port(port)
        return reading is not None and is_mated(reading)

    def _another_port(self) -> None:
        self._gear, self.reading = Switchgear(self._vehicle), None
        self.report.another_port()

    def _new_id(self) -> str:
        return f"{self._body}-{self._nonces()[-12:]}"

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


def still(thrusters: int) -> Steering:
    """No thrust at all."""
    return Steering(bounds=np.zeros(thrusters), bounds_reason="docked", touching=True)
