"""Events of the docking machine."""

from qiki_docking.reasons import Reason
from qiki_docking.values import PHASE_CHANGED, Occurrence, State


class MachineEvents:
    """Events of the docking machine that have not been taken yet. `now`: s."""

    def __init__(self) -> None:
        self._refused: tuple[object, ...] = ()
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

    def refused(self, order: str, reason: Reason, text: str, state: State, now: float) -> None:
        """Report a refusal: a command that is repeated each cycle is refused each time, and reported once."""
        if self._refused != (order, reason, state):
            self._refused = (order, reason, state)
            self.emit("docking.refused", {"order": order, "reason": int(reason), "text": text}, now)
