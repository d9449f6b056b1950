"""Processes of a run whose supervisor is gone: found through the state file, and stopped."""

import contextlib
import os
import signal
import time

from qiki_launch.run.identity import boot_id, session_members
from qiki_launch.run.run_state import ProcessRecord, RunState

_DEATH = 10.0
"""s that the kernel gets, at least, to end a process after SIGKILL: longer than ever needed, but not without an end."""
_POLL = 0.05
"""s between two looks at processes that were signalled to stop."""


def find_orphans(state: RunState) -> list[ProcessRecord]:
    """Records of the run of which a process still lives: the node itself, or something that it started."""
    if state.boot != boot_id():
        return []
    return [record for record in state.processes if record.identity and session_members(record.identity)]


def stop_orphans(state: RunState) -> list[ProcessRecord]:
    """Stop the remaining processes of a run, in reverse order of start and all at once: SIGINT, SIGTERM, SIGKILL.

    Returns the records that were stopped.
    """
    orphans = find_orphans(state)[::-1]
    if not orphans:
        return []
    term = max(record.sigterm_timeout for record in orphans)
    kill = max(record.sigkill_timeout for record in orphans)
    for number, timeout in ((signal.SIGINT, term), (signal.SIGTERM, kill), (signal.SIGKILL, max(kill, _DEATH))):
        _signal(orphans, number)
        deadline = time.monotonic() + timeout
        while find_orphans(state) and time.monotonic() < deadline:
            time.sleep(_POLL)
        if not find_orphans(state):
            break
    return orphans


def _signal(records: list[ProcessRecord], number: signal.Signals) -> None:
    for record in records:
        for member in session_members(record.identity) if record.identity else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member.pid, number)
