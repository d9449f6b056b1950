"""Radio channel between the bots: carries bytes and never reads them.

Free-space loss between isotropic antennas, the flight time of light, fading of the strength, and a direction of
arrival that is measured with an error. Bodies hide nothing, and frames that arrive together do not disturb each other
[A]. Noise of a reception depends on seed, receiver, sender and the sender's running number of the frame.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qiki_sim.air.geometry import LIGHT, Place, across, angles
from qiki_sim.air.scripts import LARGEST_EIRP, LARGEST_FRAME, Jam, Repeat
from qiki_sim.valves import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from qiki_sim.sensors import Sensors
    from qiki_vehicle.radio import Radio

    Floats = NDArray[np.float64]

REMEMBERED_NS = 5_000_000_000
"""A reception can be answered for so long [A]."""
WAITING = 1000
"""Receptions of a bot that wait to be taken; beyond, the oldest is lost."""


@dataclass(frozen=True)
class Transmission:
    """A frame to transmit now.

    frame: 1 to 1280 bytes. eirp: dBm. answers: number of the reception that it answers; 0: none.
    """

    frame: bytes
    eirp: float
    answers: int = 0


@dataclass(frozen=True)
class Reception:
    """A frame as it arrived.

    time: ns. number: of the receiver, from 1. strength: dBm. bearing, elevation: rad, of arrival, in base_link.
    round_trip: s, of an own transmission and this answer to it; NaN: it answers none.
    """

    time: int
    number: int
    frame: bytes
    strength: float
    bearing: float
    elevation: float
    round_trip: float


class _Way(NamedTuple):
    """Flight of a question so far: its asker, and s."""

    asker: str
    seconds: float


@dataclass(frozen=True)
class _Emission:
    """A frame that leaves `source`.

    stream: sender, or the script that repeats it. number: of the sender's frame. way: of the frame itself from its
    sender. question: of the frame that it answers.
    """

    time: int
    source: str
    stream: str
    number: int
    frame: bytes
    eirp: float
    way: _Way
    question: _Way | None


class _Arrival(NamedTuple):
    time: int
    stream: str
    number: int
    receiver: str
    reception: Reception
    way: _Way


@dataclass
class _Receiver:
    config: Radio
    sensors: Sensors
    received: int = 0
    sent: int = 0
    waiting: deque[Reception] = field(default_factory=lambda: deque(maxlen=WAITING))
    answerable: dict[int, tuple[int, _Way]] = field(default_factory=dict)
    """Of receptions that can be answered: time and way."""


class RadioChannel:
    """All radios of a world."""

    def __init__(
        self,
        radios: Mapping[str, tuple[Radio, Sensors]],
        scripts: Sequence[Repeat | Jam],
        loss: float,
        place: Callable[[str, int], Place],
        is_powered: Callable[[str], bool],
    ) -> None:
        """radios: of the bots. loss: share of the receptions that are lost. place(body, ns): at that time."""
        self._radios = {name: _Receiver(*parts) for name, parts in radios.items()}
        self._repeats = [(f"intruders[{i}]", one) for i, one in enumerate(scripts) if isinstance(one, Repeat)]
        self._jams = [one for one in scripts if isinstance(one, Jam)]
        self._loss, self._place, self._is_powered = loss, place, is_powered
        self._repeated: list[tuple[int, str, int, _Emission, Repeat]] = []
        self._arriving: list[_Arrival] = []

    def transmit(self, bot: str, transmission: Transmission, time: int) -> bool:
        """Transmit at a time, ns. Without power nothing leaves: False.

        Raises:
            CommandError: the transmission is refused; nothing has changed.
        """
        radio = self._radios[bot]
        _check(transmission)
        question = None
        _forget(radio, time)
        if transmission.answers:
            if transmission.answers not in radio.answerable:
                last = f"{REMEMBERED_NS / 1e9:g} s"
                raise CommandError(
                    f"answers = {transmission.answers}; allowed: 0, or the number of a reception of the last {last}"
                )
            question = radio.answerable[transmission.answers][1]
        if not self._is_powered(bot):
            return False
        radio.sent += 1
        frame, eirp, way = bytes(transmission.frame), float(transmission.eirp), _Way(bot, 0.0)
        emission = _Emission(time, bot, bot, radio.sent, frame, eirp, way, question)
        self._plan_repeats(emission)
        self._emit(emission)
        return True

    def _plan_repeats(self, emission: _Emission) -> None:
        for stream, script in self._repeats:
            if not script.takes(emission.source, emission.frame):
                continue
            seconds, strength, _ = self._path(emission, script.body)
            arrival = emission.time + _nanoseconds(seconds)
            if script.works(arrival) and strength >= self._radios[emission.source].config.sensitivity:
                again = replace(
                    emission,
                    time=arrival + _nanoseconds(script.delay),
                    source=script.body,
                    stream=stream,
                    eirp=script.eirp,
                    way=_Way(emission.source, seconds + script.delay),
                )
                heapq.heappush(self._repeated, (again.time, stream, again.number, again, script))

    def _path(self, emission: _Emission, receiver: str) -> tuple[float, float, Floats]:
        """Flight in s, mean strength in dBm, unit vector (3,) towards the source in the receiver's base_link."""
        start, end = self._place(emission.source, emission.time), self._place(receiver, emission.time)
        line = (start.position - end.position) @ end.axes
        distance = math.hypot(*line.tolist())
        frequency = self._radios[emission.way.asker].config.frequency
        return distance / LIGHT, emission.eirp - free_space_loss(distance, frequency), line / max(distance, 1e-9)

    def _emit(self, emission: _Emission) -> None:
        for name, radio in self._radios.items():
            if name == emission.source:
                continue
            seconds, mean, sight = self._path(emission, name)
            generator = radio.sensors.generator("rf", emission.number, zlib.crc32(emission.stream.encode()))
            noise, chance = generator.standard_normal(4), generator.random()
            strength = mean + radio.config.strength * float(noise[0])
            floor = max(radio.config.sensitivity, self._jamming(name, emission.time, radio.config.frequency))
            if strength < floor or chance < self._loss:
                continue
            bearing, elevation = _direction(sight, radio.config.direction * noise[1:3])
            way = _Way(emission.way.asker, emission.way.seconds + seconds)
            trip = math.nan
            if emission.question is not None and emission.question.asker == name:
                trip = emission.question.seconds + way.seconds + radio.config.round_trip * float(noise[3])
            time = emission.time + _nanoseconds(seconds)
            reception = Reception(time, 0, emission.frame, strength, bearing, elevation, trip)
            arrival = _Arrival(time, emission.stream, emission.number, name, reception, way)
            heapq.heappush(self._arriving, arrival)

    def _jamming(self, receiver: str, time: int, frequency: float) -> float:
        """dBm, of all jammers together."""
        total = 0.0
        for jam in self._jams:
            if jam.works(time):
                apart = self._place(jam.body, time).position - self._place(receiver, time).position
                total += 10.0 ** (0.1 * (jam.eirp - free_space_loss(float(np.linalg.norm(apart)), frequency)))
        return 10.0 * math.log10(total) if total > 0.0 else -math.inf

    def advance(self, time: int) -> None:
        """Transmit again what is due, and deliver what has arrived up to a time, ns."""
        while self._repeated and self._repeated[0][0] <= time:
            *_, emission, script = heapq.heappop(self._repeated)
            frame = script.altered(emission.frame, self._place(script.body, emission.time))
            self._emit(replace(emission, frame=frame))
        while self._arriving and self._arriving[0].time <= time:
            arrival = heapq.heappop(self._arriving)
            radio = self._radios[arrival.receiver]
            if not self._is_powered(arrival.receiver):
                continue
            radio.received += 1
            radio.waiting.append(replace(arrival.reception, number=radio.received))
            _forget(radio, time)
            radio.answerable[radio.received] = (arrival.time, arrival.way)

    def take(self, bot: str) -> list[Reception]:
        """Receptions of a bot since the last time, in the order of their arrival."""
        waiting = self._radios[bot].waiting
        taken = list(waiting)
        waiting.clear()
        return taken


def _direction(sight: Floats, error: Floats) -> tuple[float, float]:
    """Bearing and elevation of a unit vector (3,) seen with an error (2,) in rad, across the line of sight."""
    east, up = across(sight)
    bearing, elevation = angles(sight + error[0] * east + error[1] * up)
    return float(bearing), float(elevation)


def free_space_loss(distance: float, frequency: float) -> float:
    """dB between isotropic antennas; none nearer than a wavelength over 4 pi."""
    return max(0.0, 20.0 * math.log10(max(4.0 * math.pi * distance * frequency / LIGHT, 1e-9)))


def _check(transmission: Transmission) -> None:
    length = len(transmission.frame)
    if not 1 <= length <= LARGEST_FRAME:
        raise CommandError(f"frame of {length} bytes; allowed: 1 to {LARGEST_FRAME}")
    # NaN is refused, too.
    if not -LARGEST_EIRP <= transmission.eirp <= LARGEST_EIRP:
        raise CommandError(f"eirp = {transmission.eirp}; allowed: {-LARGEST_EIRP:g} to {LARGEST_EIRP:g} dBm")


def _forget(radio: _Receiver, time: int) -> None:
    """Drop what can no more be answered."""
    for number, (arrived, _) in tuple(radio.answerable.items()):
        if arrived >= time - REMEMBERED_NS:
            break
        del radio.answerable[number]


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
