"""Emergency release in two steps: arm, then release with the code."""

import math

from qiki_docking.reasons import Reason


class Arming:
    """Codes of the arming.

    Args:
        time: s for which it stays armed.
    """

    def __init__(self, time: float) -> None:
        self.time = time
        self._code, self._since = 0, -math.inf
        self._armed = False

    def arm(self, now: float) -> int:
        """Code that the release has to repeat."""
        self._code += 1
        self._since, self._armed = now, True
        return self._code

    def disarm(self) -> None:
        """Void the code."""
        self._armed = False

    def use(self, code: int, now: float) -> Reason:
        """Void the arming; `NONE`: the code was right and in time."""
        armed, self._armed = self._armed, False
        if not armed:
            return Reason.NOT_ARMED
        if not 0.0 <= now - self._since <= self.time:
            return Reason.ARM_EXPIRED
        return Reason.NONE if code == self._code else Reason.WRONG_ARM_CODE
