"""The report of a body's allocator to the flight lead of its assembly."""

from dataclasses import dataclass

import numpy as np

from qiki_allocator.docked.members import MemberReport, PortFace
from qiki_allocator.flight.controller import Controller
from qiki_allocator.modulation.valves import ValveTiming
from qiki_vehicle import Vehicle


@dataclass(frozen=True)
class Fixture:
    """Properties of a body that do not change: name, hull and ports, and the timing of its valves."""

    body: str
    hull_radius: float
    ports: tuple[PortFace, ...]
    timing: ValveTiming

    @classmethod
    def of(cls, body: str, vehicle: Vehicle) -> "Fixture":
        """Those of a vehicle."""
        valves = vehicle.valves
        timing = ValveTiming(valves.min_on, valves.min_off, valves.max_burn, valves.cooldown)
        ports = tuple(PortFace(port.name, port.position, port.axis) for port in vehicle.ports)
        return cls(body, vehicle.hull.circumradius, ports, timing)


def report(now: float, fixture: Fixture, controller: Controller) -> MemberReport:
    """The report of a controller at `now`, s."""
    drive = controller.drive
    hard = drive.limits(now)
    array, own = drive.array, controller.motion.own
    return MemberReport(
        body=fixture.body,
        time=now,
        lead=controller.lead,
        array=array.with_com(own.com),
        watts=drive.meter.power / array.f_max,
        timing=fixture.timing,
        mass=own,
        hull_radius=fixture.hull_radius,
        ports=fixture.ports,
        health=drive.health,
        bounds=np.clip(np.asarray(hard.limits.bounds, dtype=float) / array.f_max, 0.0, 1.0),
        names=hard.limits.names or ("",) * len(array),
        power=float(hard.limits.by_bus(1)[0]),
        gate=hard.energy.gate,
        reason=hard.energy.reason,
    )
