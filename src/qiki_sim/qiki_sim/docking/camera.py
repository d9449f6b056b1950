"""Cameras of the docking ports: ports of other bodies in sight, with noise, outliers and dropouts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qiki_vehicle import Pose, quaternion
from qiki_vehicle.port_hardware import Sight
from qiki_vehicle.quaternion import rotated
from qiki_vehicle.vectors import along, dot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from qiki_sim.docking.hardware import DockHardware
    from qiki_sim.sensors import Sensors

    Floats = NDArray[np.float64]

MOST = 4
"""Sights of each port, the nearest."""


class _Seen(NamedTuple):
    distance: float
    target: str
    port: str
    position: Floats
    orientation: Floats
    quality: float


class Camera:
    """The cameras of one body. A sample depends on seed, body, time and the poses at that time alone."""

    def __init__(
        self,
        hardware: DockHardware,
        sensors: Sensors,
        bodies: Mapping[str, DockHardware],
        is_hidden: Callable[[Floats, Floats, str, str], bool],
    ) -> None:
        """is_hidden(begin, end, own, target): a third body stands between two points of the world, m."""
        self._own, self._sensors, self._bodies, self._is_hidden = hardware, sensors, bodies, is_hidden
        self._config = hardware.vehicle.sensors.dock

    def lost(self, time_us: int) -> bool:
        """The sensors give nothing: by a fault, or in one of the dropouts that the vehicle file has."""
        if self._sensors.lost("dock"):
            return True
        every = self._config.dropout_every
        if every <= 0.0:
            return False
        slot, into = divmod(time_us * 1e-6, every)
        # One dropout in each slot of time, at a random place in it.
        draw = self._sensors.generator("dock/dropout", int(slot)).random(2)
        length = self._config.dropout_min + draw[0] * (self._config.dropout_max - self._config.dropout_min)
        begin = draw[1] * (every - length)
        return bool(begin <= into < begin + length)

    def sights(self, poses: Mapping[str, Pose], time_us: int) -> tuple[Sight, ...]:
        """From the true poses of all bodies with docking hardware, by name."""
        generator = self._sensors.generator("dock", time_us)
        found = []
        for port in self._own.ports.values():
            near = sorted(self._seen(port.name, poses), key=lambda one: (one.distance, one.target, one.port))
            found += [self._measured(port.name, one, generator) for one in near[:MOST]]
        return tuple(found)

    def _seen(self, name: str, poses: Mapping[str, Pose]) -> list[_Seen]:
        config, own, port = self._config, poses[self._own.name], self._own.ports[name]
        turn, place = own.orientation.tolist(), own.position.tolist()
        axis = rotated(turn, port.axis)
        face = along(rotated(turn, port.position), 1.0, place)
        eye = along(face, -self._own.vehicle.port_hardware.camera_setback, axis)
        seen = []
        for target, hardware in self._bodies.items():
            if target == self._own.name:
                continue
            pose = poses[target]
            turned, away = pose.orientation.tolist(), pose.position.tolist()
            for other in hardware.ports.values():
                there = along(rotated(turned, other.position), 1.0, away)
                line = along(there, -1.0, eye)
                distance = math.hypot(*line)
                if not 0.0 < distance <= config.range_max:
                    continue
                off_axis = math.acos(max(-1.0, min(1.0, dot(line, axis) / distance)))
                aslant = math.acos(max(-1.0, min(1.0, -dot(line, rotated(turned, other.axis)) / distance)))
                if max(off_axis, aslant) > config.half_angle:
                    continue
                marker = np.array(there)
                if self._is_hidden(np.array(face), marker, self._own.name, target):
                    continue
                far, slant = distance / config.range_max, max(off_axis, aslant) / config.half_angle
                quality = 1.0 - (1.0 - config.quality_far) * far**2 - (1.0 - config.quality_aslant) * slant**2
                relative = own.inverse().then(Pose(marker, pose.orientation))
                seen.append(
                    _Seen(distance, target, other.name, relative.position, relative.orientation, max(quality, 0.0))
                )
        return seen

    def _measured(self, port: str, seen: _Seen, generator: np.random.Generator) -> Sight:
        config, sigma = self._config, self._sensors.sigma
        draw, chance = generator.standard_normal((2, 3)), float(generator.random())
        spread = math.hypot(sigma("dock", config.position), config.position_share * seen.distance)
        angle = sigma("dock", config.orientation)
        if chance < config.outlier_share:
            spread, angle = spread + config.outlier, angle + 0.1 * config.outlier
        turn = quaternion.from_rotation_vector((angle * draw[1]).tolist())
        return Sight(
            port,
            seen.target,
            seen.port,
            seen.quality,
            seen.position + spread * draw[0],
            quaternion.product(seen.orientation, turn),
        )
