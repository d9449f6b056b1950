"""Segments of a thrust profile, and their check before they are flown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qiki_allocator.allocation.answers import AXES, checked_wrench
from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.checks import RefusalError, require

_ROUNDING = 1e-6
"""1, by which a wrench may exceed what the thrusters can give: a group's own wrench is allowed."""


class ProfileError(RefusalError):
    """A profile is refused; the text names field, value and allowed range."""


@dataclass(frozen=True, kw_only=True)
class ProfileConfig:
    """Limits on profiles.

    Attributes:
        max_segments: >= 1.
        max_duration: s, of the whole profile, > 0.
        max_gap: s, > 0, longest time without a control cycle, after which the valves are closed and the profile is not
            flown any more.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    max_segments: int
    max_duration: float
    max_gap: float

    def __post_init__(self) -> None:
        require("max_segments", self.max_segments, "", 1)
        require("max_duration", self.max_duration, "s", 0.0, above=True)
        require("max_gap", self.max_gap, "s", 0.0, above=True)


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment of a profile.

    Attributes:
        wrench: (6,) N, N m at level 1: the wrench commanded, or that of a group at full thrust.
        level: 0 to 1.
        ramp: s, time over which the level is reached, 0 to `duration`.
        duration: s, ramp included, > 0.
    """

    wrench: Floats
    level: float
    ramp: float
    duration: float


def check_segments(
    segments: Sequence[Segment], config: ProfileConfig, authority: tuple[Floats, Floats] | None = None
) -> None:
    """Refuse a profile that cannot be flown as written.

    Args:
        authority: (6,) least and largest N and N m of each axis that the thrusters can give; None: any.

    Raises:
        ProfileError: naming field, value and allowed range.
    """
    if not 1 <= len(segments) <= config.max_segments:
        raise ProfileError(f"segments: {len(segments)}; allowed: 1 to {config.max_segments}")
    for i, segment in enumerate(segments):
        name = f"segments[{i}]"
        if not (math.isfinite(segment.duration) and segment.duration > 0.0):
            raise ProfileError(f"{name}.duration: {segment.duration} s; allowed: finite, above 0 s")
        if not 0.0 <= segment.level <= 1.0:
            raise ProfileError(f"{name}.level: {segment.level}; allowed: 0 to 1")
        if not 0.0 <= segment.ramp <= segment.duration:
            raise ProfileError(f"{name}.ramp: {segment.ramp} s; allowed: 0 to duration ({segment.duration:g} s)")
        wrench = np.asarray(segment.wrench, dtype=float)
        if authority is not None and wrench.shape == (6,) and np.isfinite(wrench).all():
            _check_authority(f"{name}.wrench", wrench * segment.level, *authority)
            continue
        try:
            checked_wrench(wrench)
        except ValueError as error:
            field = f"{name}." if str(error).startswith("wrench:") else f"{name}.wrench."
            raise ProfileError(f"{field}{error}") from None
    total = math.fsum(segment.duration for segment in segments)
    if total > config.max_duration:
        raise ProfileError(f"segments: {total:g} s in all; allowed: at most {config.max_duration:g} s")


def _check_authority(name: str, wrench: Floats, least: Floats, most: Floats) -> None:
    room = 1.0 + _ROUNDING
    bad = (wrench < least * room) | (wrench > most * room)
    if bad.any():
        axis = int(np.argmax(bad))
        unit = "N" if axis < 3 else "N m"
        raise ProfileError(
            f"{name}.{AXES[axis]}: {wrench[axis]:g} {unit}; allowed: {least[axis]:.6g} to {most[axis]:.6g} {unit}, "
            "which the thrusters can give"
        )
