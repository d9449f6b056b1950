"""Bridges at the ports of a body, of both ends, in the network: edges, clearance, shed loads and the power drawn."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from qiki_docking.active import ActiveEnd
from qiki_docking.bridge.sharing import BridgeNetwork, own_loads
from qiki_docking.bridge.values import Edge, Outlook, Role
from qiki_docking.exchange import BridgeEdgeStatus, BridgeStatus
from qiki_docking.passive import Guest, PassivePorts
from qiki_docking.values import Occurrence, Profile
from qiki_vehicle import Vehicle
from qiki_vehicle.port_hardware import DockReading


class OwnBridges:
    """Bridges of the active and the passive ends of one body. `now` in s.

    Args:
        profiles: of bridges that are allowed.

    Attributes:
        network: that they are part of.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        body: str,
        network: BridgeNetwork,
        own: ActiveEnd,
        passive: PassivePorts,
        *,
        profiles: frozenset[Profile],
    ) -> None:
        self.network = network
        self._vehicle, self._body, self._profiles = vehicle, body, profiles
        self._own, self._passive = own, passive
        self._readings: DockReading | None = None
        self._shed: tuple[str, ...] = ()
        self._fed = False
        self._occurrences: list[Occurrence] = []

    def take_occurrences(self) -> list[Occurrence]:
        """Events since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    def read(self, reading: DockReading) -> None:
        """Take readings of the own ports in."""
        self._readings = reading

    def loads(self, battery_soc: float, loads: Mapping[str, bool]) -> None:
        """Take the own loads in: charge of the battery 0..1, avionics loads that are on."""
        if self.network.role is not Role.SOURCE:
            rules = self._vehicle.avionics
            room = rules.dock.power_max - rules.base_power - math.fsum(rules.loads.values())
            charge = max(room, 0.0) if battery_soc < self._vehicle.propulsion.battery.soc_max else 0.0
            off = (name for name, on in loads.items() if not on)
            self.network.loads = own_loads(self._vehicle, charge=charge, off=off)

    def set_role(self, role: Role, now: float) -> str:
        """Change the role of the body; the reason if it is refused, empty: it is not."""
        before, verdict = self.network.role, self.network.set_role(role)
        if not verdict.accepted:
            return verdict.text
        payload = {"role": role.value, "before": before.value}
        self._occurrences.append(Occurrence("bridge.role_changed", now, payload))
        return ""

    def look(self, now: float) -> Outlook:
        """The network around the active end, which adds power where it has to take over."""
        edge = self._own.edge
        if edge is None:
            return Outlook()
        if self.network.relieves(edge.name):
            self._own.machine.relieve(now)
        return self.network.outlook(edge)

    def status(self, now: float) -> BridgeStatus:
        """Own part of the network, with the edges of both ends as they are now."""
        self.network.edges = self._own.edges() + tuple(self._mirrored())
        status = self.network.status(now)
        if status.shed != self._shed:
            payload = {"shed": list(status.shed), "before": list(self._shed)}
            self._occurrences.append(Occurrence("bridge.shed", now, payload))
            self._shed = status.shed
        return status

    def draw(self, status: BridgeStatus, *, confirmed: bool) -> float | None:
        """W that the network serves; None: as it is, until the partners of all bridges are known, e.g. after a restart.

        confirmed: the state of the own docking is that of the hardware.
        """
        # After a restart the island is whole before the partner's part of it shows that: until then nothing is dropped.
        self._fed = self._fed or (confirmed and (status.depth > 0 or not status.edges))
        known = confirmed and self._fed and all(self.network.knows(edge.partner) for edge in status.edges)
        served = math.fsum(status.served) if status.depth else 0.0
        return served if known else None

    def cleared(self, port: str, guest: Guest) -> str:
        """Text of why the bridge of a guest may not close; empty: it may."""
        profile = guest.state.profile
        if profile is None:
            return "no profile"
        resistance = self._vehicle.bridge.resistance
        edge = Edge(guest.state.body, guest.state.own_port, self._body, port, profile, resistance)
        return self.network.clearance(edge)

    def _mirrored(self) -> Iterable[BridgeEdgeStatus]:
        """Bridges of passive ends, as their active ends report them, with the own measurements."""
        readings = {} if self._readings is None else {one.port: one for one in self._readings.ports}
        for port, guest in self._passive.guests.items():
            name = Edge(guest.state.body, guest.state.own_port, self._body, port, Profile.FULL, 1.0).name
            edge, reading = self.network.edge(name), readings.get(port)
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
