"""Supervision of one power edge: ground, pre-charge, close, soft start, limits, opening, weld check."""

import math
from dataclasses import dataclass
from enum import StrEnum

from qiki_vehicle import Vehicle


class EdgeState(StrEnum):
    """State of an edge's switchgear."""

    OPEN = "OPEN"
    GROUND = "GROUND"
    PRECHARGE = "PRECHARGE"
    SOFT_START = "SOFT_START"
    CLOSED = "CLOSED"
    POWER_DOWN = "POWER_DOWN"
    OPENING = "OPENING"
    FAULT = "FAULT"
    HANDOVER = "HANDOVER"
    """Closed still, until another edge has taken over; then it opens."""


class EdgeFault(StrEnum):
    """Cause of an automatic opening, or of a contact that does not open."""

    NONE = "NONE"
    GROUND = "GROUND"
    PRECHARGE = "PRECHARGE"
    OVERVOLTAGE = "OVERVOLTAGE"
    UNDERVOLTAGE = "UNDERVOLTAGE"
    OVERCURRENT = "OVERCURRENT"
    BACKFEED = "BACKFEED"
    OVERTEMPERATURE = "OVERTEMPERATURE"
    RESISTANCE = "RESISTANCE"
    SENSOR = "SENSOR"
    CURRENT_REMAINS = "CURRENT_REMAINS"
    WELDED = "WELDED"


@dataclass(frozen=True)
class EdgeReading:
    """Measurements at an edge.

    Attributes:
        source_volts: V on the feeding side of the contacts.
        bus_volts: V behind them.
        current: A, positive in the direction of feeding.
        temperature: degC, of the port.
        ground: the ground contact is closed.
    """

    source_volts: float
    bus_volts: float
    current: float
    temperature: float
    ground: bool


@dataclass(frozen=True)
class EdgeCommand:
    """Wanted state of the switchgear.

    Attributes:
        ground, precharge, main: contacts that are closed.
        current_limit: A, of the electronic limiter; 0: no power is converted.
    """

    ground: bool = False
    precharge: bool = False
    main: bool = False
    current_limit: float = 0.0


_ACTIVE = (EdgeState.PRECHARGE, EdgeState.SOFT_START, EdgeState.CLOSED)


class EdgeSupervisor:
    """Order of closing and opening of one edge, with its limits.

        supervisor = EdgeSupervisor(vehicle)
        command = supervisor.step(True, reading, now)       # each cycle; `True`: the edge is wanted closed

    A limit exceeded in one reading, or a reading that is no finite number, powers down at once, and the contacts open
    once no current flows. A fault stays until `reset`; welded contacts need a repair and a new supervisor.
    `now` in s, finite; a clock set back restarts the state's timer.

    Args:
        closed: the contacts are found closed, after a restart: they stay so while wanted.
    """

    def __init__(self, vehicle: Vehicle, *, closed: bool = False) -> None:
        self._rules, self._undock = vehicle.bridge, vehicle.docking.undock
        self._latency = vehicle.docking.approach.latency
        self._volts_min = vehicle.avionics.voltage_min
        self._trip = vehicle.thermal.nodes["DOCK_BRIDGE"].trip
        self.state = EdgeState.CLOSED if closed else EdgeState.OPEN
        self.fault = EdgeFault.NONE
        self._since = self._now = self._charging = -math.inf
        self._main = closed
        self._is_dark = True
        self._capacitance, self._fed, self._taken = self._rules.capacitance, True, False

    @property
    def precharge_time(self) -> float:
        """s, within which pre-charge has to reach its share: so many time constants R C of all that is behind the edge.

        It counts from the first reading with volts: the contacts close later than they are commanded, at some moment
        after the last reading without.
        """
        rules = self._rules
        return rules.precharge_time_constants * rules.precharge_resistance * self._capacitance

    def reset(self) -> bool:
        """Leave FAULT for OPEN; false: there is none, or contacts may be welded and carry power."""
        if self.state is not EdgeState.FAULT or self.fault in (EdgeFault.WELDED, EdgeFault.CURRENT_REMAINS):
            return False
        self.state, self.fault = EdgeState.OPEN, EdgeFault.NONE
        return True

    def step(
        self,
        close: bool,
        reading: EdgeReading,
        now: float,
        *,
        capacitance: float | None = None,
        fed: bool = True,
        taken: bool = False,
    ) -> EdgeCommand:
        """Take one reading in, and give the wanted state of the switchgear.

        capacitance: F behind the edge; None: that of one body.
        fed: a source feeds the island; without one, low volts are no fault of the edge.
        taken: other edges feed both ends; then volts behind open contacts show no weld.

        Raises:
            ValueError: `now` is not finite, or `capacitance` is not finite and positive.
        """
        if not math.isfinite(now):
            raise ValueError(f"now: {now} s; allowed: a finite number")
        self._capacitance = self._rules.capacitance if capacitance is None else capacitance
        if not (math.isfinite(self._capacitance) and self._capacitance > 0.0):
            raise ValueError(f"capacitance: {capacitance} F; allowed: finite, above 0 F")
        self._fed, self._taken = fed, taken
        if now < self._now:
            self._since = now
        self._now = now
        if self.state in _ACTIVE:
            found = self._exceeded(reading)
            if found is not EdgeFault.NONE:
                self._enter(EdgeState.POWER_DOWN, found)
            elif not close:
                self._enter(EdgeState.POWER_DOWN)
            else:
                self._close(reading)
        elif self.state in (EdgeState.POWER_DOWN, EdgeState.OPENING):
            self._open(reading)
        elif self.state is EdgeState.GROUND:
            self._ground(close, reading)
        elif self.state is EdgeState.OPEN and close:
            self._enter(EdgeState.GROUND)
        return self._command()

    def _ground(self, close: bool, reading: EdgeReading) -> None:
        if not close:
            self._enter(EdgeState.OPEN)
        elif reading.ground:
            self._enter(EdgeState.PRECHARGE)
        elif self._now - self._since > self._undock.contacts_timeout:
            self._enter(EdgeState.FAULT, EdgeFault.GROUND)

    def _close(self, reading: EdgeReading) -> None:
        passed = self._now - self._since
        if self.state is EdgeState.PRECHARGE:
            charged = reading.bus_volts >= self._rules.precharge_share * reading.source_volts
            if charged and reading.source_volts >= self._volts_min:
                self._enter(EdgeState.SOFT_START)
            elif self._is_dark and passed < self._latency:
                self._charging, self._is_dark = self._now, reading.bus_volts <= self._undock.volts_max
            elif self._now - max(self._charging, self._since) >= self.precharge_time:
                self._enter(EdgeState.POWER_DOWN, EdgeFault.PRECHARGE)
        elif self.state is EdgeState.SOFT_START and passed >= self._rules.soft_start:
            self._enter(EdgeState.CLOSED)

    def _open(self, reading: EdgeReading) -> None:
        late = self._now - self._since > self._undock.contacts_timeout
        if self.state is EdgeState.POWER_DOWN:
            # Not a number is not "none".
            if abs(reading.current) <= self._undock.current_max:
                self._enter(EdgeState.OPENING, self.fault)
            elif late:
                self._enter(EdgeState.FAULT, EdgeFault.CURRENT_REMAINS)
        elif self._is_dead(reading):
            self._enter(EdgeState.OPEN if self.fault is EdgeFault.NONE else EdgeState.FAULT, self.fault)
        elif late:
            self._enter(EdgeState.FAULT, EdgeFault.WELDED)

    def _is_dead(self, reading: EdgeReading) -> bool:
        """Neither volts, as far as they come through these contacts, nor current."""
        volts = 0.0 if self._taken else abs(reading.bus_volts)
        return volts <= self._undock.volts_max and abs(reading.current) <= self._undock.current_max

    def _exceeded(self, reading: EdgeReading) -> EdgeFault:
        rules = self._rules
        values = (reading.source_volts, reading.bus_volts, reading.current, reading.temperature)
        closed = self.state is EdgeState.CLOSED
        low = self._fed and closed and reading.bus_volts < self._volts_min
        # Behind a bad contact converters collapse and come back; between two of it the volts look right.
        drop = abs(reading.source_volts - reading.bus_volts)
        found = {
            EdgeFault.SENSOR: not all(map(math.isfinite, values)),
            EdgeFault.OVERCURRENT: reading.current > rules.current_max,
            EdgeFault.BACKFEED: reading.current < -rules.back_current_max,
            EdgeFault.OVERVOLTAGE: max(reading.source_volts, reading.bus_volts) > rules.volts_max,
            EdgeFault.UNDERVOLTAGE: low,
            EdgeFault.RESISTANCE: closed and drop > rules.drop_max,
            EdgeFault.OVERTEMPERATURE: reading.temperature > self._trip,
            EdgeFault.GROUND: not reading.ground,
        }
        return next((fault for fault, holds in found.items() if holds), EdgeFault.NONE)

    def _enter(self, state: EdgeState, fault: EdgeFault = EdgeFault.NONE) -> None:
        self.state, self.fault, self._since, self._is_dark = state, fault, self._now, True
        # Main contacts that were closed stay so until no current flows.
        if state is not EdgeState.POWER_DOWN and fault is not EdgeFault.CURRENT_REMAINS:
            self._main = state in (EdgeState.SOFT_START, EdgeState.CLOSED)

    def _command(self) -> EdgeCommand:
        limit = self._rules.current_max
        if self.state is EdgeState.SOFT_START:
            limit *= min((self._now - self._since) / self._rules.soft_start, 1.0)
        return {
            EdgeState.OPEN: EdgeCommand(),
            EdgeState.GROUND: EdgeCommand(ground=True),
            EdgeState.PRECHARGE: EdgeCommand(ground=True, precharge=True),
            EdgeState.SOFT_START: EdgeCommand(ground=True, main=True, current_limit=limit),
            EdgeState.CLOSED: EdgeCommand(ground=True, main=True, current_limit=limit),
            # The contacts stay as they were until no current flows; pre-charge ends by itself.
            EdgeState.POWER_DOWN: EdgeCommand(ground=True, main=self._main),
            EdgeState.OPENING: EdgeCommand(ground=True),
            EdgeState.FAULT: EdgeCommand(ground=True, main=self._main),
        }[self.state]
