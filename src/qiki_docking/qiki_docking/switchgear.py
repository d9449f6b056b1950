"""Power contacts of the own port that is docked: the machine's request carried out by the supervisor of the edge."""

from qiki_docking.bridge.supervisor import EdgeCommand, EdgeFault, EdgeState, EdgeSupervisor
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
    power. Before an edge is powered down it is announced (`state`), so that loads behind it are switched off first.
    """

    def __init__(self, vehicle: Vehicle) -> None:
        self._vehicle = vehicle
        self._none = vehicle.docking.undock.current_max
        self._age, self._blind = vehicle.docking.validity.max_age, vehicle.docking.checks.blind
        self._command: EdgeCommand | None = None
        self._supervisor: EdgeSupervisor | None = None
        self._reading: tuple[float, PortReading] | None = None
        self._wanted: bool | None = None
        self._inward = True
        self._opened = False
        self._leaving: float | None = None

    @property
    def state(self) -> EdgeState:
        """State of the switchgear; one whose loads are being switched off is in POWER_DOWN."""
        if self._supervisor is None:
            return EdgeState.OPEN
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

    def step(self, power: Drive, contacts: Drive, now: float) -> EdgeCommand | None:
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
        if self._wanted and not known and now - stamp <= self._blind:
            # As the machine: for so long nothing is concluded from readings that do not come.
            return self._command
        if not self._wanted:
            supervisor.reset()
        if supervisor.state is EdgeState.OPEN:
            self._inward = feeds_inward(reading, self._none)
        measured = edge_reading(reading, self._inward) if known else UNKNOWN
        wanted = self._wanted or self._relieving(abs(measured.current), now)
        # By the time of the measurement: pre-charge is judged by it, and messages come late by changing times.
        self._command = supervisor.step(wanted, measured, stamp if known else now)
        return self._command

    def _relieving(self, current: float, now: float) -> bool:
        """The edge is still kept, until the loads behind it are off, or have had the time to be."""
        assert self._supervisor is not None
        if self._supervisor.state not in (EdgeState.SOFT_START, EdgeState.CLOSED):
            self._leaving = None
            return False
        if self._leaving is None or now < self._leaving:
            self._leaving = now
        if current <= self._none or now - self._leaving > self._age:
            self._leaving = None
            return False
        return True
