"""The bodies of a docked assembly and their thrusters as one array."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_allocator.health.table import ThrusterHealth
from qiki_allocator.limits.energy_gate import Gate
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_allocator.modulation.valves import ValveTiming
from qiki_vehicle import ConfigurationError, MassProperties, Pose, combined, mated

MOST_MEMBERS = 5
"""Bodies of an assembly: cascades are four deep."""


@dataclass(frozen=True)
class PortFace:
    """A docking port: name, centre of its face, m, and unit vector outward, in base_link."""

    name: str
    position: tuple[float, float, float]
    axis: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class MemberReport:
    """One body of an assembly, as its own allocator reports it.

    Attributes:
        body: name.
        time: s, of the report.
        lead: body that it lets fly; empty: none.
        array: n thrusters, in own base_link.
        watts: (n,) W/N.
        timing: of the valves; the shortest times and burns that they allow.
        mass: own mass properties, in own base_link.
        hull_radius: m, of the sphere around the hull.
        ports: where others dock.
        health: of each thruster.
        bounds: (n,) 0..1 of f_max: all hard limits of the moment.
        names: n names of the limits that set the bounds; empty: none.
        power: W that its bus gives the thrusters that can be controlled.
        gate, reason: by the energy in store, and why.
    """

    body: str
    time: float
    lead: str
    array: ThrusterArray
    watts: Floats
    timing: ValveTiming
    mass: MassProperties
    hull_radius: float
    ports: tuple[PortFace, ...]
    health: tuple[ThrusterHealth, ...]
    bounds: Floats
    names: tuple[str, ...]
    power: float
    gate: Gate
    reason: str

    def port(self, name: str) -> PortFace:
        """A port by its name.

        Raises:
            ConfigurationError: there is none.
        """
        for port in self.ports:
            if port.name == name:
                return port
        names = ", ".join(port.name for port in self.ports) or "none"
        raise ConfigurationError(f"port of {self.body}: {name!r}; allowed: {names}")


@dataclass(frozen=True)
class Joint:
    """Two mated ports: `port` of `body`, nearer to the lead, and `partner_port` of `partner`; roll: rad, by `mated`."""

    body: str
    port: str
    partner: str
    partner_port: str
    roll: float = 0.0


def poses(lead: str, joints: Sequence[Joint], reports: Mapping[str, MemberReport]) -> dict[str, Pose]:
    """Pose of each member's base_link in the lead's, the lead first.

    Raises:
        ConfigurationError: a body or port is unknown, used twice, or not joined to those before it.
    """
    found = {lead: Pose()}
    taken: set[tuple[str, str]] = set()
    if len(joints) >= MOST_MEMBERS:
        raise ConfigurationError(f"joints: {len(joints)}; allowed: at most {MOST_MEMBERS - 1}")
    for joint in joints:
        if joint.body not in found:
            raise ConfigurationError(f"joint: {joint.body!r}; allowed: {', '.join(found)}, joined before it")
        if joint.partner in found:
            raise ConfigurationError(f"joint: {joint.partner!r} joined before; allowed: each body once")
        for body, port in ((joint.body, joint.port), (joint.partner, joint.partner_port)):
            if body not in reports:
                raise ConfigurationError(f"member: {body!r} has not reported; allowed: bodies whose allocator runs")
            if (body, port) in taken:
                raise ConfigurationError(f"port of {body}: {port!r} joined before; allowed: each port once")
            taken.add((body, port))
        if not math.isfinite(joint.roll):
            raise ConfigurationError(f"roll of {joint.partner}: {joint.roll} rad; allowed: finite")
        own, other = reports[joint.body].port(joint.port), reports[joint.partner].port(joint.partner_port)
        found[joint.partner] = found[joint.body].then(mated(own, other, joint.roll))
    return found


class Assembly:
    """Thrusters and mass of bodies joined rigidly, in the base_link of the first, the lead.

        pair = Assembly([(alpha, Pose()), (bravo, mated(alpha.port("A"), bravo.port("B")))])
        parts = pair.split(command)  # of 32 valves, to one for each body

    Attributes:
        names: of the members, the lead first.
        array: all thrusters about the common centre of mass; clusters as `bravo.A`.
        watts: (n,) W/N.
        buses: n names of the member whose power bus a thruster draws from.
        body: combined mass properties.
        timing: the strictest of all valves.
    """

    def __init__(self, parts: Sequence[tuple[MemberReport, Pose]]) -> None:
        self._parts = tuple(parts)
        reports = [report for report, _ in self._parts]
        self.names = tuple(report.body for report in reports)
        ends = np.cumsum([len(report.array) for report in reports]).tolist()
        self._slices = {
            report.body: slice(end - len(report.array), end) for report, end in zip(reports, ends, strict=True)
        }
        self.body = self.combined({report.body: report.mass for report in reports})
        self.array = ThrusterArray(
            [pose.point(position) for report, pose in self._parts for position in report.array.positions],
            [pose.vector(direction) for report, pose in self._parts for direction in report.array.directions],
            np.concatenate([report.array.f_max for report in reports]),
            [f"{report.body}.{cluster}" for report in reports for cluster in report.array.clusters],
            self.body.com,
        )
        self.watts = np.concatenate([report.watts for report in reports])
        self.buses = tuple(report.body for report in reports for _ in range(len(report.array)))
        timings = [report.timing for report in reports]
        self.timing = ValveTiming(
            max(timing.min_on for timing in timings),
            max(timing.min_off for timing in timings),
            min(timing.max_burn for timing in timings),
            max(timing.cooldown for timing in timings),
        )

    def __len__(self) -> int:
        return len(self.array)

    @property
    def lead(self) -> str:
        """Name of the lead."""
        return self.names[0]

    @property
    def poses(self) -> dict[str, Pose]:
        """Of each member's base_link in the lead's."""
        return {report.body: pose for report, pose in self._parts}

    def combined(self, masses: Mapping[str, MassProperties]) -> MassProperties:
        """Mass properties of all members, from those of each in its own base_link."""
        return combined((masses[report.body], pose) for report, pose in self._parts)

    def of(self, body: str) -> slice:
        """Indices of a member's thrusters."""
        return self._slices[body]

    def place(self, index: int) -> tuple[str, int]:
        """Member and own index of a thruster."""
        for body, own in self._slices.items():
            if own.start <= index < own.stop:
                return body, index - own.start
        raise IndexError(f"thruster: {index}; allowed: 0 to {len(self) - 1}")

    def split(self, command: ValveCommand) -> dict[str, ValveCommand]:
        """The part of each member's valves."""
        return {
            body: ValveCommand(command.start, command.window, command.open_time[own], command.close_time[own])
            for body, own in self._slices.items()
        }

    def hit_by_plumes(self, half_angle: float) -> tuple[str, ...]:
        """Member whose hull the plume of each thruster meets, for a cone of that half angle, rad; empty: none.

        The hull is the sphere around it; a thruster's own body does not count.
        """
        spread = math.tan(half_angle)
        centres = {report.body: (pose.position, report.hull_radius) for report, pose in self._parts}
        found = []
        for i, own in enumerate(self.buses):
            exit_at, along = self.array.positions[i], -self.array.directions[i]
            found.append(
                next(
                    (
                        body
                        for body, (centre, radius) in centres.items()
                        if body != own and _meets(exit_at, along, centre, radius, spread)
                    ),
                    "",
                )
            )
        return tuple(found)


def _meets(exit_at: Floats, along: Floats, centre: Floats, radius: float, spread: float) -> bool:
    to_centre = centre - exit_at
    ahead = float(to_centre @ along)
    return ahead > 0.0 and float(np.linalg.norm(to_centre - ahead * along)) < radius + ahead * spread
