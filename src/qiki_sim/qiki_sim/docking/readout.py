"""Readings of the docking sensors of all bodies, late where a vehicle's are."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from qiki_sim.docking.camera import Camera
from qiki_sim.docking.ports import PortNoise, read_port
from qiki_sim.sensors import Sensors
from qiki_vehicle.port_hardware import DockReading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qiki_sim.bodies import RigidBodies
    from qiki_sim.docking.hardware import DockHardware
    from qiki_sim.docking.joint import Joint
    from qiki_sim.docking.power import PowerNetwork

    Key = tuple[str, str]


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
        self._late: dict[str, deque[DockReading]] = {
            name: deque() for name, one in hardware.items() if one.vehicle.sensors.dock.delay > 0.0
        }

    def remember(self, now_us: int) -> None:
        """Keep the readings of the bodies whose sensors are late until they are due."""
        for body, history in self._late.items():
            delay_us = round(self._hardware[body].vehicle.sensors.dock.delay * 1e6)
            history.append(self._measure(body, now_us))
            while len(history) > 1 and round(history[1].stamp * 1e6) <= now_us - delay_us:
                history.popleft()

    def read(self, body: str, now_us: int) -> DockReading | None:
        """Docking sensors of a body now; None while they give nothing."""
        if self._cameras[body].lost(now_us):
            return None
        history = self._late.get(body)
        return self._measure(body, now_us) if history is None else history[0]

    def _measure(self, body: str, now_us: int) -> DockReading:
        one = self._hardware[body]
        sights = self._cameras[body].sights(self._bodies.poses(tuple(self._hardware)), now_us)
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
        return DockReading(now_us * 1e-6, tuple(ports), sights)
