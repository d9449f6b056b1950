"""Prediction of the contact: the seven quantities at contact with their deviations, from now on."""

import math
from dataclasses import dataclass, replace

from qiki_docking.contact import UNITS, ContactBox, PortMotion
from qiki_docking.pilot.navigation import Deviations
from qiki_vehicle.docking import Docking


@dataclass(frozen=True)
class Prediction:
    """Motion at contact.

    Attributes:
        time: s until contact.
        motion: expected at it.
        deviations: standard deviation of each of the seven quantities, by name.
        margins: of the contact box, in the order of `contact.UNITS`, less the standard deviations that are asked for;
            negative: not certain to be inside.
    """

    time: float
    motion: PortMotion
    deviations: dict[str, float]
    margins: dict[str, float]


class Predictor:
    """Contact as guidance brings it about: errors across the axis and the closing speed decay as its law makes them.

    Across the axis the law is x'' = -x' / T - (g / T) x. What the modulator leaves of velocity and rate counts as a
    deviation; of what the filter does not know, the error of a rate grows with the time to contact.

    Attributes:
        inside: the prediction lies in the box. Once it has left it, it has to come back to a share of it.
    """

    def __init__(self, rules: Docking, natural_frequency: float) -> None:
        """natural_frequency: rad/s, of the attitude loop."""
        self._rules, self._attitude = rules, natural_frequency
        self._box = ContactBox(rules.contact_box)
        self.inside = True

    def reset(self) -> None:
        """A new closing begins."""
        self.inside = True

    def predict(self, motion: PortMotion, known: Deviations) -> Prediction:
        """The contact that follows from a motion."""
        steer, residue = self._rules.guidance, self._rules.guidance.prediction
        seconds = self._until(motion)
        decay = math.exp(-seconds / steer.closing_response)
        closing = steer.closing + (motion.closing - steer.closing) * decay
        offset, sliding = _damped(motion.lateral_offset, motion.lateral_rate, steer.gain, steer.response, seconds)
        turned = math.exp(-self._attitude * seconds)
        # The control has no say in the time that it takes to act.
        free = min(seconds, 1.0 / self._attitude)
        expected = replace(
            motion,
            range=0.0,
            closing=closing,
            lateral_offset=offset,
            lateral_rate=sliding,
            tilt=motion.tilt * turned + motion.tilt_rate * free,
            tilt_rate=motion.tilt_rate,
            roll=abs(motion.roll) * turned + abs(motion.roll_rate) * free,
            roll_rate=abs(motion.roll_rate),
        )
        speed = math.hypot(known.velocity, residue.velocity * (1.0 - decay))
        reach = min(seconds, steer.response / 2.0 + 1.0 / steer.gain)
        rate = math.hypot(known.rate, residue.rate * (1.0 - turned))
        angle = math.hypot(known.angle, rate * free)
        deviations = {
            "closing": speed,
            "lateral_rate": speed,
            "tilt_rate": rate,
            "roll_rate": rate,
            "lateral_offset": math.hypot(known.position, speed * reach),
            "tilt": angle,
            "roll": angle,
        }
        margins = self._box.judge(expected).margins
        return Prediction(
            seconds,
            expected,
            deviations,
            {name: margins[name] - residue.sigmas * deviations[name] for name in UNITS},
        )

    def watch(self, prediction: Prediction) -> bool:
        """Judge a prediction; see `inside`."""
        back = 1.0 - self._rules.guidance.prediction.back
        widths = {name: high - max(low, 0.0) for name, (low, high) in self._box.limits.items()}
        spare = {name: 0.0 if self.inside else back * widths[name] for name in UNITS}
        self.inside = all(prediction.margins[name] >= spare[name] for name in UNITS)
        return self.inside

    def _until(self, motion: PortMotion) -> float:
        """s until the range is closed, with the closing speed on its way to the wanted one."""
        steer = self._rules.guidance
        if motion.range <= 0.0:
            return 0.0
        seconds = motion.range / steer.closing
        for _ in range(4):
            decay = math.exp(-seconds / steer.closing_response)
            way = steer.closing * seconds + (motion.closing - steer.closing) * steer.closing_response * (1.0 - decay)
            speed = steer.closing + (motion.closing - steer.closing) * decay
            seconds = max(seconds - (way - motion.range) / max(speed, 0.1 * steer.closing), 0.0)
        return seconds


def _damped(place: float, speed: float, gain: float, response: float, seconds: float) -> tuple[float, float]:
    """Size of offset and speed after a time, taking the speed to point outward: x'' + x' / T + (g / T) x = 0."""
    half, square = 0.5 / response, 0.25 / response**2 - gain / response
    fade = math.exp(-half * seconds)
    if square > 1e-12:
        root = math.sqrt(square)
        cosine, sine = math.cosh(root * seconds), math.sinh(root * seconds) / root
    elif square < -1e-12:
        root = math.sqrt(-square)
        cosine, sine = math.cos(root * seconds), math.sin(root * seconds) / root
    else:
        cosine, sine = 1.0, seconds
    start = speed + half * place
    moved = fade * (place * cosine + start * sine)
    return abs(moved), abs(fade * (start * cosine + square * place * sine) - half * moved)
