"""Report of the docking that a body does itself: its events, and the record of its means."""

import math
from dataclasses import replace

from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.bridge.values import Edge
from qiki_docking.machine import DockingMachine
from qiki_docking.phases import Phase
from qiki_docking.record import Means, Record
from qiki_docking.switchgear import Switchgear
from qiki_docking.values import Occurrence, Order
from qiki_vehicle.port_hardware import PortReading


class DockingReport:
    """Follows machine, meters and switchgear. `now` in s.

    Args:
        machine: its events are taken into the report.
        record: of the docking `docking_id`; None: unknown.

    Attributes:
        docking_id: of the docking under way or the last one; empty: none.
        record: of the docking under way, so far; None: there is none.
    """

    def __init__(self, machine: DockingMachine, docking_id: str, record: Record | None) -> None:
        self._machine, self.docking_id = machine, docking_id
        # Of another docking it is of no use.
        self.record = record if record is not None and record.docking_id == docking_id else None
        self._means = Means()
        self._phase = machine.phase
        self._edge_state = EdgeState.OPEN
        self._occurrences: list[Occurrence] = []

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call, in their order."""
        self._collect()
        taken, self._occurrences = self._occurrences, []
        return taken

    def meters(
        self, *, working_mass: float | None = None, energy: float | None = None, plume: float | None = None
    ) -> None:
        """Working mass left, kg, energy of thrust so far, J, and impulse into the partner, N s; NaN: unknown."""
        given = {"working_mass": working_mass, "energy": energy, "plume": plume}
        self._means = replace(self._means, **{name: value for name, value in given.items() if value is not None})

    def another_port(self) -> None:
        """From now on the switchgear is that of another port, and open."""
        self._edge_state = EdgeState.OPEN

    def started(self, order: Order, docking_id: str, now: float) -> None:
        """Begin the record of an accepted order."""
        self.docking_id = docking_id
        self.record = Record(docking_id, False, order, self._means)
        payload = {"docking_id": docking_id, "partner": order.partner, "partner_port": order.partner_port}
        payload |= {"own_port": order.own_port, "profile": order.profile.value}
        self._occurrences.append(Occurrence("docking.started", now, payload))

    def follow(self, now: float) -> None:
        """Report a change of the machine, each cycle."""
        state, before = self._machine.state, self._phase
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

    def watch(self, edge: Edge | None, gear: Switchgear, reading: PortReading | None, now: float) -> None:
        """Report a change of the switchgear. reading: of its port."""
        before, state = self._edge_state, gear.state
        if edge is None or state is before:
            return
        self._edge_state = state
        payload = {
            "docking_id": self.docking_id,
            "edge": edge.name,
            "port": edge.a_port,
            "partner": edge.b,
            "partner_port": edge.b_port,
            "profile": edge.profile.value,
            "state": state.value,
            "before": before.value,
            "fault": gear.fault,
        }
        if reading is not None:
            measured = {"volts": reading.inner_volts, "current": reading.current, "temperature": reading.temperature}
            payload |= {name: value for name, value in measured.items() if math.isfinite(value)}  # type: ignore[misc]
        self._occurrences.append(Occurrence("bridge.edge_changed", now, payload))

    def _collect(self) -> None:
        for occurrence in self._machine.take_occurrences():
            payload = {**occurrence.payload, "docking_id": self.docking_id}
            self._occurrences.append(replace(occurrence, payload=payload))
            if occurrence.type == "docking.contact_judged" and self.record is not None:
                margins = occurrence.payload["margins"]
                self.record.margins = {name: value for name, value in margins.items() if value is not None}
                self.record.contact = occurrence.payload["text"]
