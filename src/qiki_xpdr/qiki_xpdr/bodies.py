"""Bodies that dock: where they are, by their docking and by the own port cameras; those of the own assembly."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from qiki_vehicle import quaternion
from qiki_vehicle.pose import Pose, mated
from qiki_xpdr.geometry import Own

Triple = tuple[float, float, float]

RECENT: Final = 2.0
"""s for which a docking state counts; bodies publish theirs at 5 Hz at least."""
_NOWHERE: Final = (math.nan, math.nan, math.nan)
_FARTHEST: Final = 1e9


@dataclass(frozen=True)
class Port:
    """A docking port.

    Attributes:
        position: m in base_link, centre of the face. axis: unit vector outward.
        holder: body that is docked to it; empty: none.

    Raises:
        ValueError: naming field, value and what is allowed.
    """

    position: Triple
    axis: Triple
    holder: str = ""

    def __post_init__(self) -> None:
        if not all(abs(x) <= _FARTHEST for x in self.position):
            raise ValueError(f"position: {self.position}; allowed: three finite numbers, m")
        if not abs(math.hypot(*self.axis) - 1.0) <= 1e-3:
            raise ValueError(f"axis: {self.axis}; allowed: a unit vector")


@dataclass(frozen=True)
class Dock:
    """State of a body's docking.

    Attributes:
        stamp: s. ports: by name. partner, own_port, partner_port: of its docking, while it is docked; empty: it is not.
        station: it publishes no odometry.
    """

    body: str
    stamp: float
    ports: Mapping[str, Port] = field(default_factory=dict)
    partner: str = ""
    own_port: str = ""
    partner_port: str = ""
    station: bool = False


@dataclass(frozen=True)
class Body:
    """A known body.

    Attributes:
        position: m, world; NaN: unknown. docked: part of the own assembly. age: s since the state it follows from.
    """

    name: str
    position: Triple
    docked: bool
    station: bool
    age: float


@dataclass(frozen=True)
class _Sight:
    position: Triple
    stamp: float


class Bodies:
    """Docking states of all bodies, the own one among them, and sights of their ports.

        bodies.take(dock)
        bodies.see("station", "A", pose, own, stamp)
        bodies.known(own, now)

    Args:
        own: name of the own body. forget: s after which a state and a sight are forgotten.
    """

    def __init__(self, own: str, forget: float) -> None:
        self._own, self._forget = own, forget
        self._docks: dict[str, Dock] = {}
        self._sights: dict[str, _Sight] = {}

    def take(self, dock: Dock) -> None:
        """Take the state of a body's docking, in place of the one before."""
        self._docks[dock.body] = dock

    def see(self, body: str, port: str, pose: Pose, own: Own, stamp: float) -> None:
        """Take a sight of a port: its face's centre, with the axes of its body's base_link, in the own base_link.

        Without the body's docking state the place of the port on it is unknown, and the sight is not used.

        Raises:
            ValueError: no orientation.
        """
        dock = self._docks.get(body)
        if dock is None or port not in dock.ports:
            return
        turn = quaternion.unit("orientation", pose.orientation)
        centre = pose.position - quaternion.rotate(turn, dock.ports[port].position)
        x, y, z = (own.position + own.axes @ centre).tolist()
        if max(abs(x), abs(y), abs(z)) <= _FARTHEST:
            self._sights[body] = _Sight((x, y, z), stamp)

    def assembly(self, now: float) -> dict[str, Pose]:
        """Pose in the own base_link of each body of the own assembly, the own one left out.

        Both ends of a docking must show it: the claim of another body alone makes it no part.
        """
        docks = {name: dock for name, dock in self._docks.items() if abs(now - dock.stamp) <= RECENT}
        found, edge = {self._own: Pose()}, [self._own]
        while edge:
            name = edge.pop()
            for partner, port, other in _mates(name, docks):
                if partner not in found:
                    inner = mated(docks[name].ports[port], docks[partner].ports[other])
                    found[partner] = found[name].then(inner)
                    edge.append(partner)
        del found[self._own]
        return found

    def known(self, own: Own | None, now: float) -> tuple[Body, ...]:
        """All other bodies that dock, by name. own: now; None: unknown."""
        self._docks = {name: one for name, one in self._docks.items() if abs(now - one.stamp) <= self._forget}
        self._sights = {name: one for name, one in self._sights.items() if abs(now - one.stamp) <= self._forget}
        assembly = self.assembly(now)
        made = []
        for name, dock in sorted(self._docks.items()):
            if name == self._own:
                continue
            sight, pose = self._sights.get(name), assembly.get(name)
            position, stamp = (_NOWHERE, dock.stamp) if sight is None else (sight.position, sight.stamp)
            if pose is not None and own is not None:
                x, y, z = (own.position + own.axes @ pose.position).tolist()
                position, stamp = (x, y, z), dock.stamp
            made.append(Body(name, position, pose is not None, dock.station, max(now - stamp, 0.0)))
        return tuple(made)


def _mates(name: str, docks: Mapping[str, Dock]) -> list[tuple[str, str, str]]:
    """Partner, own port and the partner's port of each docking of a body, that both ends show."""
    found = []
    if (own := docks.get(name)) is None:
        return []
    for other in docks.values():
        for active, passive in ((own, other), (other, own)):
            if active.partner != passive.body or active is passive:
                continue
            port, face = active.ports.get(active.own_port), passive.ports.get(active.partner_port)
            if port is None or face is None or active.body not in (face.holder, passive.partner):
                continue
            ports = active.own_port, active.partner_port
            found.append((other.body, *(ports if active is own else ports[::-1])))
    return found
