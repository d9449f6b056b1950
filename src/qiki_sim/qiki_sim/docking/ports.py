"""Readings of the port sensors of one body."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from qiki_sim.docking.switchgear import is_closed, is_reversed, switch_ends
from qiki_sim.faults import SENSOR_WRONG, WELDED
from qiki_vehicle.port_hardware import PortReading

if TYPE_CHECKING:
    import numpy as np

    from qiki_sim.docking.hardware import DockHardware
    from qiki_sim.docking.joint import Joint
    from qiki_sim.docking.power import PowerNetwork
    from qiki_sim.sensors import Sensors

WRONG_SLIP = 0.002
"""M by which a slip sensor that is wrong is off."""


class PortNoise:
    """Noise of the port sensors of one body at one time."""

    def __init__(self, sensors: Sensors, time_us: int) -> None:
        self._sensors, self._time_us = sensors, time_us
        self._generator: np.random.Generator | None = None

    def of(self, nominal: float) -> float:
        """A sample of that standard deviation."""
        if self._generator is None:
            self._generator = self._sensors.generator("dock/ports", self._time_us)
        return self._sensors.sigma("dock", nominal) * float(self._generator.standard_normal())


def read_port(
    body: DockHardware, port: str, joint: Joint | None, *, touching: bool, power: PowerNetwork, noise: PortNoise
) -> PortReading:
    """One port's sensors. touching: the faces touch, joined or not."""
    config, hardware = body.vehicle.sensors.dock, body.vehicle.port_hardware
    wrong = body.faults.port(SENSOR_WRONG, port)
    latched = joint is not None and joint.latched
    volts = power.volts_of(body.name)
    own = body.actuators[port]
    closed = own.main or body.faults.port(WELDED, port) is not None
    ground, outer, current, carrier = own.ground, 0.0, 0.0, False
    pull_force = slip_1 = slip_2 = math.nan
    if joint is not None:
        other = joint.other(body.name)
        if joint.mated:
            closed, ground = bool(switch_ends(joint)), is_closed(joint, "ground")
            outer = power.volts_of(other.hardware.name) * (-1.0 if is_reversed(joint) else 1.0)
            current = power.current(joint) * (-1.0 if joint.first.hardware is body else 1.0)
            carrier = any(end.actuators.data for end in joint.ends) and other.hardware.is_alive
        if joint.pull > 0.0:
            pull_force = joint.pull + noise.of(config.force)
            slip_1 = joint.slip + noise.of(config.slip) + (WRONG_SLIP if wrong == 1.0 else 0.0)
            slip_2 = joint.slip + noise.of(config.slip) + (WRONG_SLIP if wrong == 2.0 else 0.0)
    elif own.pull > 0.0:
        pull_force = slip_1 = slip_2 = 0.0
    return _reading(
        port,
        1.0,
        touching,
        joint is not None and any(end.actuators.capture for end in joint.ends),
        latched != (wrong == 1.0),
        latched != (wrong == 2.0),
        joint is not None and joint.mated,
        pull_force,
        slip_1,
        slip_2,
        body.temperature,
        ground,
        closed,
        math.nan if closed else hardware.isolation,
        outer,
        volts,
        current,
        carrier,
    )


_reading = lru_cache(maxsize=256)(PortReading)
"""Fields in their order. A reading hardly changes from one time to the next; finding one costs less than making one."""
