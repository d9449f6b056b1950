"""Identity of a process: a pid alone may have been given to another process since.

A process is known by its pid and the time it started, in clock ticks after boot: unlike a wall time this does not move
when the clock is set.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Identity:
    """A process: its pid and its start in clock ticks since boot."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The process that has this pid now; None where there is none, or only its exit status is left (zombie)."""
        fields = _stat(pid)
        return None if fields is None else cls(pid, int(fields[19]))

    def is_alive(self) -> bool:
        """True while this very process runs."""
        return Identity.of(self.pid) == self

    def age(self) -> float:
        """s since it started."""
        uptime = float((_PROC / "uptime").read_text().split()[0])
        return max(0.0, uptime - self.start_ticks / _TICKS_PER_SECOND)


def boot_id() -> str:
    """Identifies the boot: ticks and pids of another boot mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def session_members(leader: Identity) -> list[Identity]:
    """Living processes of the session that a process was started to lead, itself included.

    Empty where the pid now leads another process's session. While a session has members its number is not given to
    a new process, so members whose leader is gone are its own.
    """
    now = Identity.of(leader.pid)
    if now is not None and now != leader:
        return []
    members = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None and int(fields[3]) == leader.pid and int(fields[19]) >= leader.start_ticks:
                members.append(Identity(int(entry.name), int(fields[19])))
    return members


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on (state, parent, group, session, …)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may itself contain them and spaces.
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields
