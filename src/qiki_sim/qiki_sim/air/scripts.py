"""Section `intruders` of a scenario: radios of scripted bodies."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from qiki_vehicle.files import Integer, Name, NonNegative, Number, Positive, Section, Vector

if TYPE_CHECKING:
    from qiki_sim.air.geometry import Place

LARGEST_FRAME = 1280
"""Bytes of a radio frame."""
LARGEST_EIRP = 100.0  # dBm
_NUMBERS = struct.Struct("<3d")

_Power = Annotated[Number, Field(ge=-LARGEST_EIRP, le=LARGEST_EIRP)]


class _Script(Section):
    body: Name  # one of `bodies`
    at: NonNegative = 0.0  # s, begin
    until: Positive | None = None  # s, end; default: never
    eirp: _Power = 30.0  # dBm, radiated power

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.at:
            raise ValueError(f"until {self.until} s; allowed: after at ({self.at} s)")
        return self

    def works(self, time_ns: int) -> bool:
        """True while the script holds."""
        return self.at <= time_ns * 1e-9 < (math.inf if self.until is None else self.until)


class Overwrite(Section):
    """Three float64 numbers, little-endian, in a repeated frame."""

    byte: Annotated[Integer, Field(ge=0, le=LARGEST_FRAME - _NUMBERS.size)]  # where they begin
    value: Literal["position", "velocity"]  # the body's own, in world
    offset: Vector = (0.0, 0.0, 0.0)  # m or m/s, added

    @property
    def end(self) -> int:
        """Byte after the last."""
        return self.byte + _NUMBERS.size


class Repeat(_Script):
    """Frames of a bot as they arrive at the body, transmitted again: at once, later, or altered."""

    kind: Literal["repeat"]
    of: Name  # one of `bots`
    delay: Annotated[NonNegative, Field(le=3600.0)] = 0.0  # s, from arrival
    length: Annotated[Integer, Field(ge=1, le=LARGEST_FRAME)] | None = None  # only frames of so many bytes
    overwrite: tuple[Overwrite, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for index, one in enumerate(self.overwrite):
            if self.length is None or one.end > self.length:
                raise ValueError(
                    f"overwrite[{index}].byte {one.byte}; allowed: with a length, and up to 24 bytes before its end"
                )
        return self

    def takes(self, sender: str, frame: bytes) -> bool:
        """True for the frames that are repeated."""
        return sender == self.of and self.length in (None, len(frame))

    def altered(self, frame: bytes, place: Place) -> bytes:
        """The frame as the body transmits it at a place."""
        content = bytearray(frame)
        for one in self.overwrite:
            numbers = getattr(place, one.value) + one.offset
            _NUMBERS.pack_into(content, one.byte, *numbers.tolist())
        return bytes(content)


class Jam(_Script):
    """Noise: a receiver loses the frames that arrive weaker than it."""

    kind: Literal["jam"]


Intruder = Annotated[Repeat | Jam, Field(discriminator="kind")]
