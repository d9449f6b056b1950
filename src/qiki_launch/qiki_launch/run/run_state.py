"""The run directory: what is running, written by the supervisor and read by the other commands."""

import dataclasses
import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from qiki_launch.errors import RunError
from qiki_launch.run.identity import Identity, boot_id

DEFAULT_FOLDER = Path(".qiki/run")
FOLDER_VARIABLE = "QIKI_RUN_DIR"
_FORMAT = 1

RUNNING = "running"
WAITING = "waiting"
STOPPING = "stopping"
STOPPED = "stopped"
EXITED = "exited"
FAILED = "failed"


@dataclass(frozen=True)
class ProcessRecord:
    """One process of a run. `identity` is that of its latest life; `last_exit` a sentence, empty before the first."""

    name: str
    command: tuple[str, ...]
    log: str
    state: str = WAITING
    identity: Identity | None = None
    restarts: int = 0
    last_exit: str = ""
    last_exit_at: str = ""
    sigterm_timeout: float = 5.0
    sigkill_timeout: float = 5.0


@dataclass(frozen=True)
class RunState:
    """A run: its supervisor and its processes. `phase` is running, stopping or stopped; times are ISO 8601, UTC."""

    supervisor: Identity
    boot: str
    file: str
    arguments: dict[str, str]
    started_at: str
    phase: str
    processes: tuple[ProcessRecord, ...]

    def supervisor_alive(self) -> bool:
        return self.boot == boot_id() and self.supervisor.is_alive()

    def living(self) -> tuple[ProcessRecord, ...]:
        """Processes whose latest life goes on."""
        if self.boot != boot_id():
            return ()
        return tuple(record for record in self.processes if record.identity and record.identity.is_alive())


def ended(state: RunState) -> RunState:
    """State of a run with no process left."""
    processes = tuple(
        record if record.state in (EXITED, FAILED) else dataclasses.replace(record, state=STOPPED, identity=None)
        for record in state.processes
    )
    return dataclasses.replace(state, phase=STOPPED, processes=processes)


def now() -> str:
    """This moment as the state file writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RunFolder:
    """Paths of a run directory, its state file and its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.state_file = self.path / "state.json"
        self.logs = self.path / "log"
        self.parameters = self.path / "params"
        self.events = self.path / "inbox"
        self._lock: TextIO | None = None

    def lock(self) -> None:
        """Take the folder for this process until it ends or calls `unlock`.

        Raises:
            RunError: another supervisor has it, or it cannot be written.
        """
        try:
            for folder in (self.path, self.logs, self.parameters):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a")
        except OSError as error:
            raise RunError(f"run directory {self.path} cannot be used: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.unlock()
            state = self.read()
            running = f" (pid {state.supervisor.pid}, {state.file})" if state else ""
            raise RunError(
                f"a launch{running} is running in {self.path}; stop it with 'down' or choose another --run-dir"
            ) from None

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self) -> RunState | None:
        """The state as last written; None where there is none.

        Raises:
            RunError: the file cannot be understood.
        """
        try:
            if self.state_file.exists() and not self.state_file.is_file():  # a pipe would block
                raise ValueError("is no regular file")
            return _from_data(json.loads(self.state_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{self.state_file} cannot be read: {error!r}") from error

    def write(self, state: RunState) -> None:
        """Replace the state file in one step: a reader sees the old or the new state, whole."""
        fresh = self.state_file.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps({"format": _FORMAT, **dataclasses.asdict(state)}, indent=1), encoding="utf-8")
        fresh.replace(self.state_file)


def _from_data(data: dict[str, Any]) -> RunState:
    if data.pop("format") != _FORMAT:
        raise ValueError(f"format must be {_FORMAT}")
    processes = tuple(
        ProcessRecord(**{**record, "command": tuple(record["command"]), "identity": _identity(record["identity"])})
        for record in data.pop("processes")
    )
    return RunState(**{**data, "supervisor": Identity(**data["supervisor"])}, processes=processes)


def _identity(data: dict[str, int] | None) -> Identity | None:
    return None if data is None else Identity(**data)
