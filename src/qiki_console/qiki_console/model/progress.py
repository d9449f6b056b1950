"""Progress of a procedure: outcome of each task, as values, as lines and as a table."""

from dataclasses import dataclass, field
from enum import StrEnum

from rich.table import Table
from rich.text import Text

from qiki_console.model.procedure import Plan, Task


class Outcome(StrEnum):
    """End of a task or procedure; see qiki_events."""

    EXECUTED = "EXECUTED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    CANCELED = "CANCELED"


_STYLES = {Outcome.EXECUTED: "green", Outcome.CANCELED: "yellow"}


@dataclass(frozen=True)
class Ended:
    """Outcome of a task, its reason (empty: none), and the time that it took (s)."""

    outcome: Outcome
    reason: str = ""
    elapsed: float = 0.0


@dataclass
class Progress:
    """State of a procedure that runs; read by the display while it changes.

    Attributes:
        plan: the procedure.
        ended: tasks that have ended, by their place.
        running: place of the task under way, empty between tasks.
        detail: last line about it.
    """

    plan: Plan
    ended: dict[str, Ended] = field(default_factory=dict)
    running: str = ""
    detail: str = ""

    def table(self) -> Table:
        """All steps; tasks of a failure only where they were needed."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        main = {step.task.place for step in self.plan.steps}
        for task in self.plan.tasks:
            if task.place in main or task.place in self.ended or task.place == self.running:
                table.add_row(*self._row(task))
        return table

    def _row(self, task: Task) -> tuple[Text, Text, Text]:
        if (ended := self.ended.get(task.place)) is not None:
            style = _STYLES.get(ended.outcome, "bold red")
            note = f"{ended.elapsed:.1f} s  {ended.reason}"
            return Text(ended.outcome, style=style), Text(task.text), Text(note.strip())
        if task.place == self.running:
            return Text("running", style="bold"), Text(task.text, style="bold"), Text(self.detail)
        return Text("·", style="dim"), Text(task.text, style="dim"), Text("")


def summary(plan: Plan, ended: Ended, executed: int) -> str:
    """The end of a procedure in one line."""
    reason = f": {ended.reason}" if ended.reason else ""
    return f"{plan.name}: {ended.outcome}, {executed} of {len(plan.steps)} steps, {ended.elapsed:.1f} s{reason}"


def line(task: Task, ended: Ended) -> str:
    """The end of a task in one line."""
    reason = f": {ended.reason}" if ended.reason else ""
    return f"{ended.outcome}  {task.place}  {task.text}  {ended.elapsed:.1f} s{reason}"
