"""Modes and states, with the numbers that messages and events carry."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Mode(IntEnum):
    """Mode of a transponder.

    SILENT receives and transmits nothing: on the air it is OFF. SPOOF transmits a configured false identity.
    """

    OFF = 0
    ON = 1
    SILENT = 2
    SPOOF = 3

    @property
    def transmits(self) -> bool:
        """Frames leave the bot, and power is drawn."""
        return self in (Mode.ON, Mode.SPOOF)


class Allegiance(IntEnum):
    """Result of identification."""

    UNSPECIFIED = 0
    FRIEND = 1
    FOE = 2
    UNKNOWN = 3


class ObjectType(IntEnum):
    """Kind of a tracked body, as far as evidence says."""

    UNSPECIFIED = 0
    DRONE = 1
    SHIP = 2
    STATION = 3
    ASTEROID = 4
    DEBRIS = 5


class Status(IntEnum):
    """Life of a track."""

    UNSPECIFIED = 0
    NEW = 1
    TRACKED = 2
    LOST = 3
    COASTING = 4


class Band(IntEnum):
    """Band of a track's range. Identity exists in SR only."""

    UNKNOWN = 0
    SR = 1
    LR = 2


class SpoofState(IntEnum):
    """Verdict on a claimed identity of a track."""

    UNKNOWN = 0
    TRUSTED = 1
    UNVERIFIED = 2
    SUSPECT = 3
    SPOOF = 4


@dataclass(frozen=True)
class Occurrence:
    """A change worth an event: type and payload of `qiki_events`."""

    type: str
    payload: Mapping[str, Any]
