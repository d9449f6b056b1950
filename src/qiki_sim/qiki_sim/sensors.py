"""Sensors of a bot: the truth with noise, or nothing while a sensor is lost.

A sample depends on seed, bot, sensor and time alone, so reading more or less often changes nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qiki_sim.readings import Motion
from qiki_vehicle import quaternion

if TYPE_CHECKING:
    from qiki_sim.faults import FaultBook
    from qiki_sim.readings import EnergyReading, StoreReading, ThermalReading
    from qiki_vehicle.sensors import Noise

_NOISY = (
    "odom",
    "energy",
    "thermal",
    "battery",
    "supercap",
    "dock",
    "dock/ports",
    "dock/dropout",
    "radar",
    "radar/clutter",
    "rf",
)


class Sensors:
    """The sensors of one bot. Each method returns None while a dropout fault holds for that sensor."""

    def __init__(self, seed: int, bot: str, noise: Noise, faults: FaultBook) -> None:
        self._noise = noise
        self._faults = faults
        entropy = (seed, zlib.crc32(bot.encode()))
        self._streams: dict[str, tuple[np.random.Generator, Any]] = {}
        for number, name in enumerate(_NOISY):
            key = np.random.SeedSequence((*entropy, number)).generate_state(2, np.uint64)
            bits = np.random.Philox(key=key)
            self._streams[name] = np.random.Generator(bits), bits.state

    def lost(self, sensor: str) -> bool:
        """True while the sensor reports nothing."""
        return self._faults.dropped(sensor)

    def odom(self, truth: Motion, time_us: int) -> Motion | None:
        if self.lost("odom"):
            return None
        noise, factor = self._noise, self._faults.noise("odom")
        sigmas = noise.position, noise.orientation, noise.velocity, noise.angular_velocity
        draw = self.generator("odom", time_us).standard_normal((4, 3))
        draw *= np.array([[_sigma(factor, sigma)] for sigma in sigmas])
        turn = quaternion.from_rotation_vector(draw[1])
        return Motion(
            position=truth.position + draw[0],
            orientation=quaternion.product(truth.orientation, turn),
            velocity=truth.velocity + draw[2],
            angular_velocity=truth.angular_velocity + draw[3],
        )

    def energy(self, truth: EnergyReading, time_us: int) -> EnergyReading | None:
        if self.lost("energy"):
            return None
        draw = self.generator("energy", time_us).standard_normal(3)
        soc = self.sigma("energy", self._noise.soc)
        supercap = min(max(truth.supercap_soc + soc * draw[0], 0.0), 1.0)
        battery = min(max(truth.battery_soc + soc * draw[1], 0.0), 1.0)
        voltage = truth.bus_voltage + self.sigma("energy", self._noise.bus_voltage) * draw[2]
        return replace(truth, supercap_soc=supercap, battery_soc=battery, bus_voltage=max(voltage, 0.0))

    def thermal(self, truth: ThermalReading, time_us: int) -> ThermalReading | None:
        if self.lost("thermal"):
            return None
        draw = self.generator("thermal", time_us).standard_normal(len(truth.names))
        sigma = self.sigma("thermal", self._noise.temperature)
        return replace(truth, temperature=truth.temperature + sigma * draw)

    def store(self, sensor: str, truth: StoreReading, time_us: int) -> StoreReading | None:
        """`sensor` is battery or supercap."""
        if self.lost(sensor):
            return None
        draw = self.generator(sensor, time_us).standard_normal(2)
        soc = min(max(truth.soc + self.sigma("energy", self._noise.soc) * draw[0], 0.0), 1.0)
        return replace(
            truth, soc=soc, temperature=truth.temperature + self.sigma("thermal", self._noise.temperature) * draw[1]
        )

    def sigma(self, sensor: str, nominal: float) -> float:
        """Standard deviation of a sample, with the noise fault that may hold for the sensor."""
        return _sigma(self._faults.noise(sensor), nominal)

    def generator(self, sensor: str, time_us: int, lane: int = 0) -> np.random.Generator:
        """The stream of a sensor at that time: its generator with the counter set, faster than a new one.

        lane: of independent streams at the same time.
        """
        generator, state = self._streams[sensor]
        state["state"]["counter"][:] = 0, time_us, lane, 0
        generator.bit_generator.state = state
        return generator


def _sigma(factor: float | None, nominal: float) -> float:
    if factor is None:
        return nominal
    return nominal * factor if nominal > 0.0 else factor
