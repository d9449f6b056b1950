"""Flight without thrust between corrections."""

import numpy as np
import numpy.typing as npt

from qiki_vehicle.guidance import Coasting

Floats = npt.NDArray[np.float64]


class Coast:
    """Hysteresis between coasting and correcting.

    A correction aims below the largest speed allowed, so that the bot can coast while that falls with the distance. It
    begins when velocity, attitude or rate leave their band, and ends when all are back in a share of it.
    """

    def __init__(self, rules: Coasting) -> None:
        self._rules = rules
        self._coasting = self._turning = False
        self._kept: Floats | None = None

    def correct(self) -> None:
        """End the coasting, for a motion without it."""
        self._coasting, self._turning, self._kept = False, True, None

    def missing(self, most: Floats, moving: Floats) -> Floats:
        """(3,) m/s to the velocity that a correction aims at. most, moving: (3,) m/s, allowed and present."""
        return (1.0 - self._rules.share) * most - moving

    def holds(self, missing: Floats, most: Floats, away: Floats, turning: Floats, *, near: bool) -> bool:
        """No thrust is needed now. away: (3,) rad from the target attitude; turning: (3,) rad/s against it."""
        rules = self._rules
        bands = rules.near if near else rules.far
        share = 1.0 if self._coasting else rules.back
        slack = max(bands.velocity, rules.share * float(np.linalg.norm(most)))
        angle = float(np.linalg.norm(away))
        # A turn to the target goes on until it is reached; else a correction leaves the attitude as it is.
        self._turning = angle > (rules.back if self._turning else 1.0) * bands.angle
        self._coasting = (
            float(np.linalg.norm(missing)) <= share * slack
            and float(np.linalg.norm(turning)) <= share * bands.rate
            and not self._turning
        )
        if self._coasting or self._turning:
            self._kept = None
        return self._coasting

    def kept(self, away: Floats) -> Floats:
        """(3,) rad from the target attitude, at which a correction holds the bot."""
        if self._turning:
            return np.zeros(3)
        if self._kept is None:
            self._kept = away
        return self._kept
