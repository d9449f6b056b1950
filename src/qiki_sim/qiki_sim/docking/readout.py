"""Readings of the docking sensors of all bodies, late where a vehicle's are."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from qiki_sim.docking.camera import Camera
from qiki_sim.docking.ports import PortNoise, read_port
from qiki_sim.sensors import Sensors
from qiki_vehicle.port_hardware import DockReading, PortReading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qiki_sim.bodies import Configuration, RigidBodies
    from qiki_sim.docking.hardware import DockHardware
    from qiki_sim.docking.joint import Joint
    from qiki_sim.docking.power import PowerNetwork

    Key = tuple[str, str]


class _Moment(NamedTuple):
    """All that a reading of that time needs. Its sights are computed when it is read: few moments are."""

    time_us: int
    places: Configuration
    ports: tuple[PortReading, ...]


class Readout:
    """Cameras and port sensors; reading changes nothing."""

    def __init__(
        self,
        hardware: Mapping[str, DockHardware],
        bodies: RigidBodies,
        power: PowerNetwork,
        joints: Mapping[frozenset[Key], Joint],
        touching: Mapping[tuple[Key, Key], object],
        *,
        seed: int,
    ) -> None:
        """joints, touching: as the twin keeps them."""
        self._hardware, self._bodies, self._power = hardware, bodies, power
        self._joints, self._touching = joints, touching
        self._sensors = {
            name: Sensors(seed, name, one.vehicle.sensors.noise, one.faults) for name, one in hardware.items()
        }
        self._cameras = {
            name: Camera(one, self._sensors[name], hardware, bodies.contacts.is_hidden)
            for name, one in hardware.items()
        }
        self._late: dict[str, tuple[int, deque[_Moment]]] = {
            name: (round(one.vehicle.sensors.dock.delay * 1e6), deque())
            for name, one in hardware.items()
            if one.vehicle.sensors.dock.delay > 0.0
        }

    def remember(self, now_us: int) -> None:
        """Keep the moments of the bodies whose sensors are late until they are due."""
        if not self._late:
            return
        places = self._bodies.configuration()
        for body, (delay_us, history) in self._late.items():
            history.append(_Moment(now_us, places, self._ports(body, now_us)))
            while len(history) > 1 and history[1].time_us <= now_us - delay_us:
                history.popleft()

    def read(self, body: str, now_us: int) -> DockReading | None:
        """Docking sensors of a body now; None while they give nothing.

        Of a late moment all is as it was then, but for the third bodies that hide a port.
        """
        camera = self._cameras[body]
        if camera.lost(now_us):
            return None
        if body in self._late:
            moment = self._late[body][1][0]
        else:
            moment = _Moment(now_us, self._bodies.configuration(), self._ports(body, now_us))
        sights = camera.sights(self._bodies.poses(tuple(self._hardware), moment.places), moment.time_us)
        return DockReading(moment.time_us * 1e-6, moment.ports, sights)

    def _ports(self, body: str, now_us: int) -> tuple[PortReading, ...]:
        one = self._hardware[body]
        noise = PortNoise(self._sensors[body], now_us)
        touching = {key for pair in self._touching for key in pair}
        ports = []
        for port in one.ports:
            joint = next((joint for keys, joint in self._joints.items() if (body, port) in keys), None)
            touches = (body, port) in touching
            if joint is not None:
                travel = one.vehicle.port_hardware.contact_travel
                touches = joint.latched or joint.pair.touches(joint.mating, travel)
            ports.append(read_port(one, port, joint, touching=touches, power=self._power, noise=noise))
        return tuple(ports)
