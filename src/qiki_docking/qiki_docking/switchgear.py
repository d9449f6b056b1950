"""Power contacts of the own port that is docked: the machine's request carried out by the supervisor of the edge."""

import math

from qiki_docking.bridge.supervisor import EdgeCommand, EdgeFault, EdgeReading, EdgeState, EdgeSupervisor
from qiki_docking.bridge.values import Outlook
from qiki_docking.phases import Drive
from qiki_docking.readings import UNKNOWN, edge_reading, feeds_inward
from qiki_vehicle import Vehicle
from qiki_vehicle.port_hardware import PortReading


class Switchgear:
    """Contacts of one port, from its readings.

        gear = Switchgear(vehicle)
        gear.read(reading, stamp)                       # each reading
        command = gear.step(Drive.ON, Drive.ON, now)    # each cycle; None: leave the contacts as they are

    Contacts that the first reading shows closed stay as they are until they are commanded: a restart does not drop
    power. Before an edge is powered down it is announced (`state`): first HANDOVER, while another edge takes over, for
    at most `bridge.handover_timeout`; else POWER_DOWN, so that loads behind it are switched off first.
    """

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle = vehicle
        self._none = vehicle.docking.undock.current_max
        self._age, self._blind = vehicle.docking.validity.max_age, vehicle.docking.checks.blind
        self._handover_time = vehicle.bridge.handover_timeout
        self._command: EdgeCommand | None = None
        self._supervisor: EdgeSupervisor | None = None
        self._reading: tuple[float, PortReading] | None = None
        self._wanted: bool | None = None
        self._inward = True
        self._opened = False
        self._leaving: float | None = None
        self._handing: float | None = None
        self._turned = -math.inf

    @property
    def state(self) -> EdgeState:
        """State of the switchgear; one whose loads are being switched off is in POWER_DOWN."""
        if self._supervisor is None:
            return EdgeState.OPEN
        if self._handing is not None and self._leaving is None:
            return EdgeState.HANDOVER
        return EdgeState.POWER_DOWN if self._leaving is not None else self._supervisor.state

    @property
    def fault(self) -> str:
        """Cause of an automatic opening; empty: none."""
        supervisor = self._supervisor
        if self._opened:
            return "OPENED"
        return "" if supervisor is None or supervisor.fault is EdgeFault.NONE else supervisor.fault.value

    def read(self, reading: PortReading, stamp: float) -> None:
        """Take a reading of the port in. `stamp`: s."""
        self._reading = (stamp, reading)
        if self._supervisor is None and reading.contacts_closed is not None:
            self._supervisor = EdgeSupervisor(self._vehicle, closed=reading.contacts_closed)
            self._wanted = None if reading.contacts_closed else False
            self._inward = feeds_inward(reading, self._none)

    def drop(self) -> None:
        """Forget the edge after an emergency release: contacts are commanded open."""
        self._supervisor, self._wanted, self._leaving = EdgeSupervisor(self._vehicle), False, None
        self._handing = None

    def step(
        self,
        power: Drive,
        contacts: Drive,
        now: float,
        outlook: Outlook = Outlook(),  # noqa: B008
    ) -> EdgeCommand | None:
        """Give the wanted state of the contacts; None: as they are. `now`: s."""
        if Drive.OFF in (power, contacts):
            self._wanted = self._opened = False
        elif power is Drive.ON and contacts is Drive.ON:
            self._wanted = True
        supervisor = self._supervisor
        if supervisor is None or self._reading is None or self._wanted is None:
            return None
        stamp, reading = self._reading
        known = now - stamp <= self._age
        if supervisor.state is EdgeState.CLOSED and reading.contacts_closed is False:
            # The partner has released: closing again waits for a new order.
            supervisor = self._supervisor = EdgeSupervisor(self._vehicle)
            self._opened = True
        if self._opened:
            return supervisor.step(False, UNKNOWN, now)
        if self._wanted:
            self._leaving = self._handing = None
        if self._wanted and not known and now - stamp <= self._blind:
            # As the machine: for so long nothing is concluded from readings that do not come.
            return self._command
        if not self._wanted:
            supervisor.reset()
        measured = self._directed(reading, outlook, now) if known else UNKNOWN
        wanted = self._wanted or self._relieving(abs(measured.current), outlook, now)
        # By the time of the measurement: pre-charge is judged by it, and messages come late by changing times.
        self._command = supervisor.step(
            wanted,
            measured,
            stamp if known else now,
            capacitance=outlook.capacitance,
            fed=outlook.fed,
            taken=outlook.taken,
        )
        return self._command

    def _directed(self, reading: PortReading, outlook: Outlook, now: float) -> EdgeReading:
        """The reading in the direction of feeding; while that may change, in the one that flows."""
        assert self._supervisor is not None
        live = self._supervisor.state in (EdgeState.SOFT_START, EdgeState.CLOSED)
        if outlook.inward is None:
            inward = self._inward if self._supervisor.state is not EdgeState.OPEN else feeds_inward(reading, self._none)
        else:
            inward = outlook.inward
        if live and (outlook.turning or inward is not self._inward):
            self._turned = now
        self._inward = inward
        # Readings from before the change are as old as this at most.
        if 0.0 <= now - self._turned <= self._age:
            inward = feeds_inward(reading, self._none)
        return edge_reading(reading, inward)

    def _relieving(self, current: float, outlook: Outlook, now: float) -> bool:
        """Keep the edge until another one feeds, or the loads behind it are off or have had the time to be."""
        assert self._supervisor is not None
        if self._supervisor.state not in (EdgeState.SOFT_START, EdgeState.CLOSED):
            self._leaving = self._handing = None
            return False
        if outlook.handover and self._leaving is None:
            if self._handing is None or now < self._handing:
                self._handing = now
            if now - self._handing <= self._handover_time:
                return True
        if outlook.taken and self._handing is not None:
            # Its limiter takes the current away: the other edge carries it.
            self._leaving = self._handing = None
            return False
        if self._leaving is None or now < self._leaving:
            self._leaving = now
        if current <= self._none or now - self._leaving > self._age:
            self._leaving = self._handing = None
            return False
        return True
