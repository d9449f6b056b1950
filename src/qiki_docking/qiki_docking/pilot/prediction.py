"""Prediction of the contact: the seven quantities at contact with their deviations, from now on."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qiki_docking.contact import UNITS, ContactBox, PortMotion
from qiki_docking.pilot.navigation import Deviations
from qiki_vehicle.docking import Docking

Floats = npt.NDArray[np.float64]


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

    @property
    def certain(self) -> bool:
        """The contact is certain to be inside of the box."""
        return all(margin >= 0.0 for margin in self.margins.values())


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

    def predict(self, motion: PortMotion, known: Deviations, across: tuple[Floats, Floats] | None = None) -> Prediction:
        """The contact that follows from a motion.

        across: (3,) m offset and (3,) m/s its change (`Fix.across`); None: the change is taken to point outward.
        """
        steer, residue = self._rules.guidance, self._rules.guidance.prediction
        seconds = self._until(motion)
        decay = math.exp(-seconds / steer.closing_response)
        closing = steer.closing + (motion.closing - steer.closing) * decay
        if across is None:
            across = (np.array([motion.lateral_offset]), np.array([motion.lateral_rate]))
        place, slide = _damped(steer.gain, steer.response, seconds)
        offset = float(np.linalg.norm(place[0] * across[0] + place[1] * across[1]))
        sliding = float(np.linalg.norm(slide[0] * across[0] + slide[1] * across[1]))
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
        # Errors of the filter stay for the whole way; those that the modulator leaves are corrected with the law's lag.
        drifted = known.velocity * min(seconds, 1.0 / steer.gain)
        left = residue.velocity * min(seconds, steer.response)
        rate = math.hypot(known.rate, residue.rate * (1.0 - turned))
        angle = math.hypot(known.angle, rate * free)
        deviations = {
            "closing": speed,
            "lateral_rate": speed,
            "tilt_rate": rate,
            "roll_rate": rate,
            "lateral_offset": math.hypot(known.position, drifted, left),
            "tilt": angle,
            "roll": angle,
        }
        return self._at_contact(seconds, expected, deviations)

    def drift(self, motion: PortMotion, known: Deviations, across: tuple[Floats, Floats] | None = None) -> Prediction:
        """The contact that follows if no thruster fires any more; `across` as in `predict`.

        Nothing is corrected, and no pulse leaves an error: what is not known of the motion grows with the time. The
        bodies move uniformly; the partner's turning bends the way by a few millimetres on half a metre.
        """
        seconds = max(motion.range, 0.0) / max(motion.closing, self._rules.contact_box.closing_min)
        if across is None:
            across = (np.array([motion.lateral_offset]), np.array([motion.lateral_rate]))
        expected = replace(
            motion,
            range=0.0,
            lateral_offset=float(np.linalg.norm(across[0] + seconds * across[1])),
            lateral_rate=float(np.linalg.norm(across[1])),
            tilt=motion.tilt + motion.tilt_rate * seconds,
            roll=abs(motion.roll) + abs(motion.roll_rate) * seconds,
            roll_rate=abs(motion.roll_rate),
        )
        angle = math.hypot(known.angle, known.rate * seconds)
        deviations = {
            "closing": known.velocity,
            "lateral_rate": known.velocity,
            "tilt_rate": known.rate,
            "roll_rate": known.rate,
            "lateral_offset": math.hypot(known.position, known.velocity * seconds),
            "tilt": angle,
            "roll": angle,
        }
        return self._at_contact(seconds, expected, deviations)

    def _at_contact(self, seconds: float, expected: PortMotion, deviations: dict[str, float]) -> Prediction:
        margins, sigmas = self._box.judge(expected).margins, self._rules.guidance.prediction.sigmas
        return Prediction(
            seconds, expected, deviations, {name: margins[name] - sigmas * deviations[name] for name in UNITS}
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


def _damped(gain: float, response: float, seconds: float) -> tuple[Floats, Floats]:
    """(2,) shares of offset and rate in the offset after a time, and in the rate: x'' + x' / T + (g / T) x = 0."""
    half, square = 0.5 / response, 0.25 / response**2 - gain / response
    fade = math.exp(-half * seconds)
    root = math.sqrt(abs(square)) * seconds
    cosine, sine = (math.cosh(root), math.sinh(root)) if square > 0.0 else (math.cos(root), math.sin(root))
    sine = sine / root * seconds if root > 1e-9 else seconds
    place = fade * np.array([cosine + half * sine, sine])
    rate = fade * np.array([(square - half * half) * sine, cosine - half * sine])
    return place, rate
