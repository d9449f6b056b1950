"""Events of the docking machine."""

from qiki_docking.reasons import Reason
from qiki_docking.values import PHASE_CHANGED, Occurrence, State

_APART = 1.0
"""s; a refusal that comes again sooner belongs to the same stream of commands."""


class MachineEvents:
    """Events of the docking machine that have not been taken yet. `now`: s."""

    def __init__(self) -> None:
        self._refused: dict[tuple[object, ...], float] = {}
        self._occurrences: list[Occurrence] = []

    def take(self) -> list[Occurrence]:
        """Events since the last call."""
        taken, self._occurrences = self._occurrences, []
        return taken

    def emit(self, type: str, payload: dict[str, object], now: float) -> None:
        """Add an event."""
        self._occurrences.append(Occurrence(type, now, payload))

    def changed(self, old: State, new: State, trigger: str, now: float) -> None:
        """Report a change of the state."""
        changed = {
            "from": old.phase.value,
            "from_step": old.step,
            "trigger": trigger,
            "text": new.reason.meaning,
        }
        self.emit(PHASE_CHANGED, {**new.as_payload(), **changed}, now)

    def refused(self, order: str, reason: Reason, text: str, now: float) -> None:
        """Report a refusal: a command that is repeated is refused each time, and reported once until it pauses."""
        self._refused = {one: last for one, last in self._refused.items() if abs(now - last) < _APART}
        is_first = (order, reason, text) not in self._refused
        self._refused[order, reason, text] = now
        if is_first:
            self.emit("docking.refused", {"order": order, "reason": int(reason), "text": text}, now)
