"""Readings of the twin as the flight core takes them, rounded as on the graph.

The same values that `qiki_sim.ros` and `qiki_allocator.ros` put into messages and take out of them: time in whole
nanoseconds, float32 where the message has float32.
"""

from typing import Any

import numpy as np

from qiki_allocator.health.readings import MotionReading, ValveReading
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_allocator.modulation import ledger
from qiki_sim import readings
from qiki_sim.readings import Health
from qiki_sim.valves import ValveCommand

CONDITIONS = {
    Health.OK: Condition.OK,
    Health.STUCK_CLOSED: Condition.DEAD,
    Health.STUCK_OPEN: Condition.STUCK_OPEN,
}


def clock(time_us: int) -> float:
    """s, reading of a clock at simulated time."""
    return time_us * 1000 * 1e-9


def stamp(time_us: int) -> float:
    """s of a message's stamp."""
    seconds, rest = divmod(time_us, 1_000_000)
    return seconds + rest * 1000 * 1e-9


def valve_command(command: ledger.ValveCommand) -> ValveCommand:
    """A command of the flight core for the twin's valves."""
    seconds, nanoseconds = divmod(round(command.start * 1e9), 1_000_000_000)
    return ValveCommand(
        stamp=seconds + nanoseconds * 1e-9,
        window=_float32(command.window),
        open_time=command.open_time.astype(np.float32),
        close_time=command.close_time.astype(np.float32),
    )


def motion(time: float, reading: readings.Motion) -> MotionReading:
    """Odometry; `time` s of its stamp."""
    return MotionReading(time, reading.orientation, reading.velocity, reading.angular_velocity)


def valve_report(time: float, reading: readings.ValveReading) -> ValveReading:
    """Report of the valves; `time` s of its stamp."""
    return ValveReading(
        time,
        reading.on_time,
        tuple(CONDITIONS[health] for health in reading.health),
        forced_closed=reading.watchdog or _float32(reading.working_mass) <= 0.0,
        is_empty=_float32(reading.working_mass) <= 0.0,
        is_open=reading.open,
        late_edges=reading.late_edges,
        commands=reading.commands,
    )


def energy(time: float, reading: readings.EnergyReading) -> EnergyReading:
    """Energy telemetry; `time` s of its stamp."""
    return EnergyReading(
        time, _float32(reading.supercap_soc), _float32(reading.continuous_power), tripped=reading.tripped
    )


def temperatures(reading: readings.ThermalReading) -> dict[str, float]:
    """degC by node."""
    return dict(zip(reading.names, reading.temperature.astype(np.float32).tolist(), strict=True))


def _float32(value: Any) -> float:
    return float(np.float32(value))
