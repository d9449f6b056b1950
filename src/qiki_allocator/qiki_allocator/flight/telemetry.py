"""Telemetry of the allocator as plain values."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import Allocation
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.limiter import HardLimits


class State(enum.Enum):
    """State of the allocator."""

    IDLE = "idle"
    ACTIVE = "active"
    WATCHDOG = "watchdog"
    STOPPED = "stopped"
    REFUSED = "refused"
    FOLLOWING = "following"


class Activity(enum.Enum):
    """Source of the demand in flight."""

    NONE = "none"
    COMMAND = "command"
    PROFILE = "profile"
    BRAKE = "brake"
    LEVELS = "levels"


class Mode(enum.Enum):
    """Set of thrusters that may be combined."""

    AUTO = "AUTO"
    ADAPTIVE = "ADAPTIVE"
    MANUAL_OVERRIDE = "MANUAL_OVERRIDE"


class CommandWay(NamedTuple):
    """The way of commands to the valves, to tell a late allocator, a lost command and valves that read late apart.

    Attributes:
        commands: sent since the start.
        commands_read, late_edges: as the valves count them, None: unknown.
        lead: s.
        longest_pause: s between two cycles since the last telemetry.
    """

    commands: int
    commands_read: int | None
    late_edges: int | None
    lead: float
    longest_pause: float


@dataclass(frozen=True, eq=False)
class Telemetry:
    """Snapshot of the allocator; see qiki_msgs/Allocation. NaN: there was no solve.

    modulator: in use.
    achieved: (6,) mean wrench of late by the valves' counters; NaN: unknown.
    telemetry_refused: number of messages refused for their stamp or values, by topic.
    """

    state: State
    mode: Mode
    activity: Activity
    attitude_mode: AttitudeMode
    modulator: str
    refusal: str
    refused: int
    commanded: Floats
    allocation: Allocation
    achieved: Floats
    way: CommandWay
    binding: tuple[str, ...]
    limits: HardLimits
    power_now: float
    power_mean: float
    energy: float
    duty: Floats
    firings: npt.NDArray[np.int64]
    solve_time: float
    conditions: tuple[Condition, ...]
    levels: Floats
    uncontrollable: tuple[str, ...]
    authority: Mapping[str, float]
    warnings: tuple[str, ...]
    telemetry_refused: Mapping[str, int] = field(default_factory=dict)
