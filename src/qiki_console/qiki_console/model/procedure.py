"""Procedures: the file of one, its steps, and these with the values of its variables.

name: dock_one
variables: {bot: alpha, to: station}
steps:
  - command: dock $bot --to $to
    timeout: 900
    on_failure: [{command: undock $bot}]
  - wait: $bot/docking.phase == BRIDGE
"""

import re
import shlex
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, Strict, Tag, model_validator
from pydantic.types import Discriminator

from qiki_console.model.condition import LONGEST, Condition
from qiki_events import REGISTRY
from qiki_vehicle.files import ConfigurationError, Integer, Name, Number, Section, load

_Text = Annotated[str, Strict(), Field(min_length=1, max_length=LONGEST)]
_Duration = Annotated[Number, Field(gt=0, le=86_400)]
_VALUE = re.compile(r"[\w.:+/-]{1,100}")
"""A variable's value: it must not make two words of one, nor change a condition."""


class Events(Section):
    """Events in the store since the procedure, or the world, began: their type, stream (empty: any), fields of their
    payload, and their number."""

    type: Annotated[str, Strict(), Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", max_length=100)]
    stream: Annotated[str, Strict(), Field(max_length=200)] = ""
    payload: dict[
        Name, Annotated[bool, Strict()] | Integer | Number | Annotated[str, Strict(), Field(max_length=200)]
    ] = Field(default_factory=dict)
    count: Annotated[Integer, Field(ge=0, le=1000)] = 1

    @property
    def text(self) -> str:
        """The same for an operator."""
        fields = "".join(f", {name} {value}" for name, value in self.payload.items())
        return f"{self.count} x {self.type}{f' of {self.stream}' if self.stream else ''}{fields}"

    def fits(self, payload: Mapping[str, Any]) -> bool:
        """True if an event's payload has the values of all fields."""
        return all(payload.get(name) == value for name, value in self.payload.items())


class Action(Section):
    """A command, a condition to wait for, events to wait for, or these in this order."""

    name: Annotated[str, Strict(), Field(max_length=100)] = ""
    command: _Text | None = None
    wait: _Text | None = None
    events: Events | None = None
    timeout: _Duration = 60.0  # s of simulated time, of all together
    samples: Annotated[Integer, Field(ge=1, le=1000)] = 3  # consecutive fresh ones on which the condition holds
    max_age: _Duration = 2.0  # s, of a fresh sample

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.command is None and self.wait is None and self.events is None:
            raise ValueError("neither command nor wait nor events; allowed: at least one of them")
        return self


def _shape(value: object) -> str:
    return "actions" if isinstance(value, list | tuple) else "word"


class Step(Action):
    """A step, and the way on when it fails."""

    on_failure: Annotated[
        Annotated[Literal["stop", "continue"], Tag("word")]
        | Annotated[tuple[Action, ...], Field(min_length=1, max_length=20), Tag("actions")],
        Discriminator(_shape),
    ] = "stop"


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class Procedure(Section):
    """The file of a procedure. A variable without a value has to be given."""

    name: Name
    description: Annotated[str, Strict(), Field(max_length=1000)] = ""
    variables: dict[Name, Annotated[str, Strict(), BeforeValidator(_as_text), Field(max_length=100)] | None] = Field(
        default_factory=dict
    )
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class Task:
    """An action with the values of its variables; times in s. `place` is its field in the file, `words` its command."""

    place: str
    name: str
    words: tuple[str, ...]
    wait: Condition | None
    events: Events | None
    timeout: float
    samples: int
    max_age: float

    @property
    def condition(self) -> str:
        """All that the task waits for, after its command; empty: nothing."""
        return "; ".join(one.text for one in (self.wait, self.events) if one is not None)

    @property
    def text(self) -> str:
        """Name, or else command and condition."""
        wait = f"wait {self.condition}" if self.condition else ""
        return self.name or "; ".join(filter(None, (shlex.join(self.words), wait)))


@dataclass(frozen=True)
class PlannedStep:
    """A step's task, the tasks of its failure, and whether the procedure goes on after that."""

    task: Task
    failure: tuple[Task, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True)
class Plan:
    """A procedure that is ready to run."""

    name: str
    path: Path
    arguments: Mapping[str, str]
    steps: tuple[PlannedStep, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, those of failures after that of their step."""
        return tuple(task for step in self.steps for task in (step.task, *step.failure))


def read_plan(path: Path, given: Mapping[str, str]) -> Plan:
    """Read a procedure's file and give its variables their values.

    Args:
        path: of the file.
        given: values of variables, beside or instead of those in the file.

    Raises:
        ConfigurationError: file or argument is refused; names file, step, field, value and what is allowed.
    """
    procedure = load(path, Procedure)
    arguments = _arguments(path, procedure, given)
    steps = tuple(_planned(path, f"steps[{index}]", step, arguments) for index, step in enumerate(procedure.steps))
    return Plan(procedure.name, path, arguments, steps)


def _arguments(path: Path, procedure: Procedure, given: Mapping[str, str]) -> dict[str, str]:
    allowed = ", ".join(procedure.variables) or "none, it has no variables"
    for name in given:
        if name not in procedure.variables:
            raise ConfigurationError(f"--set {name}: {path.name} has no such variable; allowed: {allowed}")
    values = {name: given.get(name, value) for name, value in procedure.variables.items()}
    for name, value in values.items():
        if value is None:
            raise ConfigurationError(f"--set {name}: missing, {path.name} gives it no value")
        if not _VALUE.fullmatch(value):
            raise ConfigurationError(
                f"variable {name} = {value!r}: not allowed; allowed: 1 to 100 letters, digits and . : + / - _"
            )
    return {name: value for name, value in values.items() if value is not None}


def _planned(path: Path, place: str, step: Step, arguments: Mapping[str, str]) -> PlannedStep:
    task = _task(path, place, step, arguments)
    if isinstance(step.on_failure, str):
        return PlannedStep(task, goes_on=step.on_failure == "continue")
    failure = (
        _task(path, f"{place}.on_failure[{index}]", action, arguments) for index, action in enumerate(step.on_failure)
    )
    return PlannedStep(task, tuple(failure))


def _task(path: Path, place: str, action: Action, arguments: Mapping[str, str]) -> Task:
    def filled(field: str, text: str) -> str:
        try:
            return string.Template(text).substitute(arguments)
        except KeyError as error:
            reason = f"variable {error.args[0]!r} is not there; allowed: {', '.join(arguments) or 'none'}"
        except ValueError:
            reason = "a $ without the name of a variable; allowed: $name, ${name}, $$ for a dollar sign"
        raise refused(path, place, field, text, reason)

    words: Sequence[str] = ()
    if action.command is not None:
        try:
            # Split first: a value stays one word.
            words = [filled("command", word) for word in shlex.split(action.command)]
        except ConfigurationError:
            raise
        except ValueError as error:
            raise refused(path, place, "command", action.command, str(error)) from error
        if not words:
            raise refused(path, place, "command", action.command, "no verb; allowed: a command of the console")
    wait = None
    if action.wait is not None:
        text = filled("wait", action.wait)
        try:
            wait = Condition.parse(text)
        except ValueError as error:
            raise refused(path, place, "wait", text, str(error)) from error
    events = action.events
    if events is not None:
        if events.type not in REGISTRY.types:
            raise refused(path, place, "events.type", events.type, "no such event; allowed: those of docs/events.md")
        payload = {
            name: filled(f"events.payload.{name}", value) if isinstance(value, str) else value
            for name, value in events.payload.items()
        }
        stream = filled("events.stream", events.stream)
        events = events.model_copy(update={"stream": stream, "payload": payload})
    name = filled("name", action.name)
    return Task(place, name, tuple(words), wait, events, action.timeout, action.samples, action.max_age)


def refused(path: Path, place: str, field: str, value: str, reason: str) -> ConfigurationError:
    """Error about a field of a step."""
    shown = value if len(value) <= 120 else value[:117] + "..."
    return ConfigurationError(f"{path}: {place}.{field} = {shown!r}: {reason}")
