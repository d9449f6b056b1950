"""The file in which settings of operators outlive the process, kill -9 included. It is not synced."""

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import model_validator

from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.settings import Settings, Statement
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.table import Condition
from qiki_vehicle import ConfigurationError
from qiki_vehicle.files import Fraction, Integer, Name, Number, Section, UnitQuaternion, Vector, load


class _Statement(Section):
    thruster: Integer
    condition: Condition
    level: Fraction


class _Content(Section):
    format: Literal[1]
    vehicle: str
    thrusters: Integer
    stamp: Number
    mode: Mode
    attitude_mode: AttitudeMode
    target: UnitQuaternion | None
    health: tuple[_Statement, ...]
    modulator: Name | None = None
    turn: Vector | None = None  # rad/s in world, of the target
    turned_from: Number = 0.0  # s, ROS time at which it was the target

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.target is not None) != (self.attitude_mode is AttitudeMode.HOLD):
            raise ValueError(f"target: {self.target}; allowed: a quaternion in HOLD, null in other attitude modes")
        if self.turn is not None and self.target is None:
            raise ValueError(f"turn: {self.turn}; allowed: null but in HOLD")
        if self.mode is Mode.MANUAL_OVERRIDE and self.attitude_mode is not AttitudeMode.OFF:
            raise ValueError(f"attitude_mode: {self.attitude_mode.value}; allowed in MANUAL_OVERRIDE: off")
        named = [one.thruster for one in self.health]
        if len(set(named)) < len(named) or not all(0 <= index < self.thrusters for index in named):
            raise ValueError(f"health: thrusters {named}; allowed: 0 to {self.thrusters - 1}, each once")
        return self


class Kept(NamedTuple):
    """Content of the file.

    Attributes:
        settings: `turning` is in ROS time here, and for `SettingsFile.write`.
        stamp: s, ROS time at which they were kept.
        is_outdated: later settings could not be written.
    """

    settings: Settings
    stamp: float
    is_outdated: bool


class SettingsFile:
    """The file of one vehicle.

    Args:
        path: of a `.json` file; its folder is made when it is written.
        array: thrusters, whose number and geometry identify the vehicle.
    """

    def __init__(self, path: Path, array: ThrusterArray) -> None:
        self.path = path
        self._outdated = path.with_suffix(".outdated.json")
        self._thrusters = len(array)
        geometry = (array.positions, array.directions, array.f_max)
        self._vehicle = sha256(b"".join(values.tobytes() for values in geometry)).hexdigest()[:16]

    def read(self) -> Kept | None:
        """The settings kept last; None: there are none.

        Raises:
            ConfigurationError: the file cannot be read, is no such file, or belongs to another vehicle.
        """
        is_outdated = not self.path.exists() and self._outdated.exists()
        path = self._outdated if is_outdated else self.path
        if not (is_outdated or path.exists()):
            return None
        content = load(path, _Content)
        for field, allowed in (("thrusters", self._thrusters), ("vehicle", self._vehicle)):
            if (value := getattr(content, field)) != allowed:
                raise ConfigurationError(f"{path}: {field} = {value!r}; allowed: {allowed!r}, of this vehicle")
        health = tuple(Statement(one.thruster, one.condition, one.level) for one in content.health)
        turning = None if content.turn is None else (content.turn, content.turned_from)
        settings = Settings(content.mode, content.attitude_mode, content.target, health, content.modulator, turning)
        return Kept(settings, content.stamp, is_outdated)

    def write(self, settings: Settings, stamp: float) -> None:
        """Keep settings, all or nothing: a process that ends meanwhile leaves the ones before.

        Raises:
            OSError: they could not be written; those before are marked as outdated.
        """
        content: dict[str, Any] = {
            "format": 1,
            "vehicle": self._vehicle,
            "thrusters": self._thrusters,
            "stamp": stamp,
            "mode": settings.mode.value,
            "attitude_mode": settings.attitude_mode.value,
            "target": settings.target,
            "modulator": settings.modulator,
            "turn": None if settings.turning is None else settings.turning[0],
            "turned_from": 0.0 if settings.turning is None else settings.turning[1],
            "health": [one._asdict() | {"condition": one.condition.value} for one in settings.health],
        }
        fresh = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(content), encoding="utf-8")
            fresh.replace(self.path)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.replace(self._outdated) if self.path.exists() else self._outdated.touch()
            raise
        with suppress(OSError):
            self._outdated.unlink(missing_ok=True)
