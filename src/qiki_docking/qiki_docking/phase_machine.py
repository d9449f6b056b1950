"""Phases and the rows of the transition table between them, as the state machine library runs them."""

from collections.abc import Callable
from functools import partial

from transitions import Machine

from qiki_docking.phases import Phase
from qiki_docking.table import RESUME_ROWS, ROWS, Row, Trigger

_KNOWN = frozenset((row.trigger, row.source) for row in ROWS + RESUME_ROWS)


class PhaseMachine:
    """Runs the table, and keeps the phase.

    Args:
        phase: at the start.
        holds: judges a guard by its name.
        take: enters the state that a row leads to; called once all guards of the row hold.
    """

    def __init__(self, phase: Phase, holds: Callable[[str], bool], take: Callable[[Row], None]) -> None:
        self._take = take
        self._table = Machine(
            model=_Model(),
            states=[phase.value for phase in Phase],
            initial=phase.value,
            transitions=[
                {
                    "trigger": row.trigger.value,
                    "source": row.source.value,
                    "dest": None if row.dest is None else row.dest.value,
                    "conditions": [partial(holds, guard) for guard in row.guards],
                    "after": partial(self._enter, row),
                }
                for row in ROWS + RESUME_ROWS
            ],
            auto_transitions=False,
            queued=True,
        )
        self._taken = False

    def fire(self, trigger: Trigger, phase: Phase) -> bool:
        """True if a row of the table was taken: the library's own answer says only that it was queued."""
        self._taken = False
        if (trigger, phase) in _KNOWN:
            self._table.dispatch(trigger.value)
        return self._taken

    def set(self, phase: Phase) -> None:
        """Go on from a phase that no row has led to."""
        self._table.set_state(phase.value)

    def _enter(self, row: Row) -> None:
        self._taken = True
        self._take(row)


class _Model:
    """The state machine library keeps the phase here."""
