"""Execution of a procedure: commands, waits, time limits, failures, events."""

import shlex
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import click
from uuid_utils.compat import uuid7

from qiki_console.graph.interruption import Interruption
from qiki_console.graph.operator_log import OperatorLog
from qiki_console.graph.store_events import GraphEvents
from qiki_console.graph.task_clock import TaskClock
from qiki_console.graph.telemetry import Waiting
from qiki_console.model.command_id import one_command
from qiki_console.model.procedure import Events, Plan, PlannedStep, Task
from qiki_console.model.progress import Ended, Outcome
from qiki_node.session import Session

STANDSTILL = 30.0
"""s of wall time without progress of simulated time after which a task is given up."""

_LOOK = 0.25
"""s of wall time between two reports about a wait."""

_NEW_WORLD = (("sim", "load"), ("sim", "reset"))
"""Commands with which the world begins again: earlier events do not count."""


class Display(Protocol):
    """Display of the progress."""

    def begin(self, task: Task) -> None:
        """A task begins."""

    def note(self, line: str) -> None:
        """Something about the task under way."""

    def state(self, text: str) -> None:
        """The state of a wait, which replaces the one before."""

    def end(self, task: Task, ended: Ended) -> None:
        """A task has ended."""


class ProcedureRun:
    """One run of a procedure; to be used in the main thread.

    Args:
        session: of the run; verbs have their own.
        plan: the procedure.
        perform: carries out the words of a command and returns once it is executed; raises click's exceptions.
        operator: name, for the events.
        display: shows the progress.
    """

    def __init__(
        self, session: Session, plan: Plan, perform: Callable[[Sequence[str]], None], operator: str, display: Display
    ) -> None:
        self._session = session
        self._plan = plan
        self._perform = perform
        self._operator = operator
        self._display = display
        self._clock = TaskClock(session)
        self._log = OperatorLog(session, f"operator/{operator}", self._clock.now, display.note)
        self._id = str(uuid7())
        self._interruption = Interruption()
        self._since = time.time_ns()

    def run(self) -> tuple[Ended, int]:
        """The end of the procedure, and the number of steps that were executed. Ctrl-C ends the step under way, carries
        out the tasks of its failure and stops."""
        self._clock.wait(self._session.discovery)
        begun, plan = self._clock.now(), self._plan
        started = {"name": plan.name, "file": plan.path.name, "steps": len(plan.steps), "arguments": plan.arguments}
        self._log.emit("procedure.started", {"procedure_id": self._id, **started}, self._id)
        executed, worst = 0, Ended(Outcome.EXECUTED)
        with self._interruption:
            for step in plan.steps:
                ended, stop = self._step(step)
                executed += ended.outcome is Outcome.EXECUTED
                if ended.outcome is not Outcome.EXECUTED:
                    worst = Ended(ended.outcome, f"{step.task.place}: {ended.reason}")
                if stop:
                    break
        result = Ended(worst.outcome, worst.reason, self._clock.now() - begun)
        payload: dict[str, Any] = {
            "name": plan.name,
            "outcome": result.outcome,
            "reason": result.reason,
            "executed": executed,
        }
        payload |= {"procedure_id": self._id, "elapsed": result.elapsed}
        self._log.emit("procedure.ended", payload, self._id)
        return result, executed

    def _step(self, step: PlannedStep) -> tuple[Ended, bool]:
        """The end of a step and of its failure; True if nothing may follow."""
        if self._interruption.by_operator:  # between two steps: this one has not begun
            return Ended(Outcome.CANCELED, "interrupted before it began"), True
        ended = self._task(step.task)
        if ended.outcome is Outcome.EXECUTED:
            return ended, False
        for task in step.failure:
            # Each is tried, whatever becomes of the others; a second Ctrl-C ends them.
            if self._task(task).outcome is Outcome.CANCELED:
                break
        return ended, ended.outcome is Outcome.CANCELED or not step.goes_on

    def _task(self, task: Task) -> Ended:
        self._interruption.forget()
        self._display.begin(task)
        with one_command() as command_id:
            if task.words:
                issued: dict[str, Any] = {"command_id": command_id, "name": task.words[0], "operator": self._operator}
                issued |= {"target": "", "arguments": {"words": list(task.words), "procedure_id": self._id}}
                self._log.emit("operator.command_issued", issued, command_id)
            begun = self._clock.now()
            outcome, reason = self._executed(task)
            ended = Ended(outcome, reason, max(self._clock.now() - begun, 0.0))
        payload: dict[str, Any] = {
            "procedure_id": self._id,
            "command_id": command_id,
            "place": task.place,
            "name": task.name,
        }
        payload |= {"command": shlex.join(task.words), "condition": task.condition}
        payload |= {"outcome": ended.outcome, "reason": ended.reason, "elapsed": ended.elapsed}
        self._log.emit("procedure.step_ended", payload, command_id)
        self._display.end(task, ended)
        return ended

    def _executed(self, task: Task) -> tuple[Outcome, str]:
        expired = self._limit(task)
        if task.words:
            outcome, reason = self._command(task, expired)
            if outcome is not Outcome.EXECUTED:
                return outcome, reason
        # A simulator's command may have set the time back: it began before.
        expired = self._limit(task) if task.words[:1] == ("sim",) else expired
        if task.wait is not None:
            outcome, reason = self._waited(task, expired)
            if outcome is not Outcome.EXECUTED:
                return outcome, reason
        return (Outcome.EXECUTED, "") if task.events is None else self._counted(task.events, expired)

    def _limit(self, task: Task) -> Callable[[], str]:
        """Gives the reason for which a task has to end, empty as long as there is none."""
        clock, begun, restarts = self._clock, self._clock.now(), self._clock.restarts
        # The commands that stop time and set it back.
        own_time = task.words[:1] != ("sim",)

        def reason() -> str:
            if own_time and clock.restarts != restarts:
                return "simulated time jumped back (reset?)"
            if clock.now() - begun > task.timeout:
                return f"not done within {task.timeout:g} s"
            if clock.silence() > max(STANDSTILL, 0.0 if own_time else task.timeout):
                return f"simulated time has stood still for {STANDSTILL:g} s"
            return ""

        return reason

    def _command(self, task: Task, expired: Callable[[], str]) -> tuple[Outcome, str]:
        outcome, reason, interruption = Outcome.CANCELED, "", self._interruption
        if task.words[:2] in _NEW_WORLD:
            self._since = time.time_ns()
        with interruption.verb(expired):
            try:
                self._perform(task.words)
                outcome = Outcome.EXECUTED
            except click.ClickException as error:
                outcome = Outcome.REJECTED if error.exit_code == 2 else Outcome.FAILED
                reason = " ".join(error.format_message().split())
            except click.Abort:
                pass
            except click.exceptions.Exit as error:
                outcome = Outcome.FAILED if error.exit_code else Outcome.EXECUTED
            except OSError as error:
                outcome, reason = Outcome.FAILED, str(error)
        if interruption.limit:
            late = Outcome.TIMEOUT if "within" in interruption.limit else Outcome.FAILED
            return late, "; ".join(filter(None, (interruption.limit, reason)))
        if interruption.by_operator:
            return Outcome.CANCELED, reason or "interrupted"
        return outcome, reason

    def _waited(self, task: Task, expired: Callable[[], str]) -> tuple[Outcome, str]:
        try:
            waiting = Waiting(self._session, self._clock, task)
        except click.ClickException as error:
            return (Outcome.REJECTED if error.exit_code == 2 else Outcome.FAILED), error.message
        try:
            while True:
                self._session.wait_for(lambda: waiting.confirmed or self._interruption.by_operator, _LOOK)
                if self._interruption.by_operator:
                    return Outcome.CANCELED, "interrupted"
                if waiting.confirmed:
                    return Outcome.EXECUTED, ""
                if reason := expired():
                    late = Outcome.TIMEOUT if "within" in reason else Outcome.FAILED
                    return late, f"{reason}: {waiting.reason}"
                self._display.state(waiting.reason)
        finally:
            waiting.end()

    def _counted(self, wanted: Events, expired: Callable[[], str]) -> tuple[Outcome, str]:
        """Wait for a number of events."""
        read = GraphEvents(self._session, self._since)
        while True:
            try:
                found = sum(wanted.fits(event.data) for event in read([wanted.type], wanted.stream, backwards=False))
            except click.ClickException as error:
                return Outcome.FAILED, error.message
            state = f"{found} of {wanted.count} events {wanted.type}"
            if found == wanted.count:
                return Outcome.EXECUTED, ""
            if found > wanted.count:
                return Outcome.FAILED, state
            if reason := expired():
                return (Outcome.TIMEOUT if "within" in reason else Outcome.FAILED), f"{reason}: {state}"
            self._display.state(state)
            if self._session.wait_for(lambda: self._interruption.by_operator, _LOOK):
                return Outcome.CANCELED, "interrupted"
