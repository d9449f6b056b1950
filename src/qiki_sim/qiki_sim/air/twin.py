"""Radars and radio of a world."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from qiki_sim.air.geometry import Place
from qiki_sim.air.radar import RadarReading, RadarSensor
from qiki_sim.air.radio import RadioChannel, Reception, Transmission
from qiki_sim.shapes import Dodecahedron

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from qiki_sim.bodies import RigidBodies
    from qiki_sim.bot import Bot
    from qiki_sim.scenario import Scenario
    from qiki_sim.sensors import Sensors

    Floats = NDArray[np.float64]

RADAR, TRANSPONDER = "radar", "transponder"
"""Loads of the avionics bus; the radar is a sensor, too."""


class AirTwin:
    """Nothing is computed but for a frame that is read and a transmission that is made."""

    def __init__(
        self, scenario: Scenario, bodies: RigidBodies, bots: Mapping[str, Bot], sensors: Mapping[str, Sensors]
    ) -> None:
        self._bodies, self._bots, self._sensors = bodies, bots, sensors
        self._now_us = 0
        file = scenario.file
        self._radars = {
            name: RadarSensor(bot.vehicle.radar, sensors[name], file.environment.clutter_range)
            for name, bot in bots.items()
        }
        self._areas = {
            bot.name: Dodecahedron(kind="dodecahedron", circumradius=vehicle.hull.circumradius).area
            for bot, vehicle in zip(file.bots, scenario.vehicles, strict=True)
        }
        self._areas.update({body.name: body.rcs or body.shape.area for body in file.bodies})
        self._radio = RadioChannel(
            {name: (bot.vehicle.radio, sensors[name]) for name, bot in bots.items()},
            file.intruders,
            file.environment.radio_loss,
            self._place,
            partial(self._is_powered, load=TRANSPONDER),
        )

    def _is_powered(self, bot: str, load: str) -> bool:
        return self._bots[bot].avionics.supplied(load)

    def _place(self, body: str, time_ns: int) -> Place:
        now_ns = self._now_us * 1000
        return Place.of(self._bodies.motion(body, self._now_us * 1e-6), (now_ns - time_ns) * 1e-9)

    def frame(self, bot: str, time_us: int) -> RadarReading | None:
        """Radar frame of a bot now; None without power, or while the sensor is lost."""
        if not self._is_powered(bot, RADAR) or self._sensors[bot].lost(RADAR):
            return None
        self._now_us = time_us
        others = [name for name in self._bodies.names if name != bot]
        places = [self._place(name, time_us * 1000) for name in others]
        return self._radars[bot].frame(
            self._place(bot, time_us * 1000),
            np.array([place.position for place in places]).reshape(-1, 3),
            np.array([place.velocity for place in places]).reshape(-1, 3),
            np.array([self._areas[name] for name in others]),
            time_us,
        )

    def transmit(self, bot: str, transmission: Transmission, time_us: int) -> None:
        """Transmit now; without power nothing leaves.

        Raises:
            CommandError: the transmission is refused; nothing has changed.
        """
        self._now_us = time_us
        if self._radio.transmit(bot, transmission, time_us * 1000):
            hardware = self._bots[bot]
            hardware.avionics.use(TRANSPONDER, 2.0 / hardware.vehicle.transponder.claim_rate)

    def advance(self, time_us: int) -> None:
        """Deliver what has arrived."""
        self._now_us = time_us
        self._radio.advance(time_us * 1000)

    def receptions(self, bot: str) -> list[Reception]:
        """Take the receptions of a bot since the last time."""
        return self._radio.take(bot)
