"""Every command and its verdict: folded over `*`, or over `<bot>/*` for the commands that reached a bot."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import TypeAdapter

from qiki_events.projection import StoredEvent
from qiki_events.projections.fold import Fold
from qiki_events.projections.table import Table

_VERDICTS: Final = {
    "command.executed": "EXECUTED",
    "command.rejected": "REJECTED",
    "command.failed": "FAILED",
    "command.timeout": "TIMEOUT",
}


@dataclass(frozen=True)
class Command:
    """A command. Times are event times in ns, None: not yet, or unknown.

    Attributes:
        command_id: its identity.
        first: position of the first event that names it.
        name: of the command.
        target: bot or node that it addresses.
        operator: its author.
        issued: time of the command.
        accepted: time of its acceptance.
        verdict: EXECUTED, REJECTED, FAILED, TIMEOUT or CANCELED; None: it is open. The first verdict stands.
        ended: time of the verdict.
        reason_code: of the verdict.
        message: of the verdict.
        later_verdicts: that came after the first.
        energy: J that its thrust profile used.
    """

    command_id: str
    first: int
    name: str = ""
    target: str = ""
    operator: str = ""
    issued: int | None = None
    accepted: int | None = None
    verdict: str | None = None
    ended: int | None = None
    reason_code: str = ""
    message: str = ""
    later_verdicts: int = 0
    energy: float | None = None


@dataclass(frozen=True)
class CommandLedger:
    """All commands by their ids."""

    commands: Table[Command] = field(default_factory=Table)

    @property
    def open(self) -> tuple[Command, ...]:
        """Those without a verdict, in the order of their first events."""
        return tuple(command for command in self.in_order if command.verdict is None)

    @property
    def in_order(self) -> tuple[Command, ...]:
        """All, in the order of their first events."""
        return tuple(sorted(self.commands.values(), key=lambda command: (command.first, command.command_id)))


def _command(state: CommandLedger, event: StoredEvent, command_id: str) -> Command:
    return state.commands.get(command_id) or Command(command_id, event.position)


def _with(state: CommandLedger, command: Command) -> CommandLedger:
    return CommandLedger(state.commands.put(command.command_id, command))


def _issued(state: CommandLedger, event: StoredEvent, data: Mapping[str, Any]) -> CommandLedger:
    given = {name: data[name] for name in ("name", "target", "operator")}
    return _with(state, replace(_command(state, event, data["command_id"]), **given, issued=event.time))


def _accepted(state: CommandLedger, event: StoredEvent, data: Mapping[str, Any]) -> CommandLedger:
    return _with(state, replace(_command(state, event, data["command_id"]), accepted=event.time))


def _judged(state: CommandLedger, event: StoredEvent, data: Mapping[str, Any]) -> CommandLedger:
    command = _command(state, event, data["command_id"])
    return _with(state, _ended(command, event, _VERDICTS[event.type], data["reason_code"], data["message"]))


def _ended(command: Command, event: StoredEvent, verdict: str, reason_code: str, message: str) -> Command:
    if command.verdict is not None:
        return replace(command, later_verdicts=command.later_verdicts + 1)
    return replace(command, verdict=verdict, ended=event.time, reason_code=reason_code, message=message)


def _profile_started(state: CommandLedger, event: StoredEvent, data: Mapping[str, Any]) -> CommandLedger:
    command = _command(state, event, data["profile"])
    name, accepted = command.name or "thrust profile", command.accepted
    return _with(state, replace(command, name=name, accepted=event.time if accepted is None else accepted))


def _profile_ended(state: CommandLedger, event: StoredEvent, data: Mapping[str, Any]) -> CommandLedger:
    command = replace(_command(state, event, data["profile"]), energy=data["energy"])
    if command.verdict is None and data["outcome"] is not None:
        command = _ended(command, event, data["outcome"], "", data["reason"])
    return _with(state, command)


class _Commands(Fold[CommandLedger]):
    """Dumps the table as a list."""

    _entries = TypeAdapter(tuple[Command, ...])

    def __init__(self) -> None:
        super().__init__(
            "commands",
            1,
            CommandLedger,
            {
                "operator.command_issued": _issued,
                "command.accepted": _accepted,
                **dict.fromkeys(_VERDICTS, _judged),
                "allocator.profile_started": _profile_started,
                "allocator.profile_ended": _profile_ended,
            },
        )

    def dump(self, state: CommandLedger) -> Mapping[str, Any]:
        return {"commands": self._entries.dump_python(state.in_order, mode="json")}

    def load(self, data: Mapping[str, Any]) -> CommandLedger:
        table = Table[Command]()
        for command in self._entries.validate_python(data["commands"]):
            table = table.put(command.command_id, command)
        return CommandLedger(table)


COMMAND_LEDGER: Final = _Commands()
