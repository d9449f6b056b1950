"""The watchdog of a process: it ends one whose executor does not turn, so that a supervisor starts it again. No ROS."""

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

from qiki_node.log import write_fatal
from qiki_node.turns import Turns

EXIT_STUCK = 70
"""Exit code of a process whose executor did not turn (EX_SOFTWARE of sysexits.h)."""

LIMIT = 10.0
"""s without a turn after which the process ends."""

_TICK = 0.5
"""s of sleep between two looks."""

_LAST_RESORT = 30.0
"""s of processor time without a look after which SIGPROF ends the process: code in C that keeps the interpreter to
itself keeps the watchdog from looking too."""

_LAST_WORDS = 3.0
"""s that the stacks may take to be written."""


class Watchdog:
    """Counts its own looks without a turn of the executor: after enough of them in a row it ends the process.

    Time that passes while the process is stopped (SIGSTOP) or the machine is suspended makes no looks, and so does not
    count. Neither does a transition, which may last: waiting for another writer of a store, sealing: see `Turns.busy`.

    Args:
        turns: of the executor.
        end: called once, when there has been no turn.
    """

    def __init__(self, turns: Turns, end: Callable[[], None], limit: float = LIMIT) -> None:
        self._turns, self._end = turns, end
        self._looks = max(round(limit / _TICK), 1)
        self._seen = turns.count
        self._missed = 0
        self._over = threading.Event()

    def start(self) -> None:
        """Look every half second, in a thread, until `close`."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def look(self) -> bool:
        """Look once; True if the executor has not turned for too many looks."""
        exempt = self._turns.busy and not self._turns.stopping  # a hook that hangs must not outlive the order to end
        if exempt or self._turns.count != self._seen:
            self._seen, self._missed = self._turns.count, 0
            return False
        self._missed += 1
        return self._missed >= self._looks

    def _run(self) -> None:
        faulthandler.register(signal.SIGPROF, all_threads=True, chain=True)
        signal.setitimer(signal.ITIMER_PROF, _LAST_RESORT)
        while not self._over.wait(_TICK):
            if self.look():
                self._end()
                return
            signal.setitimer(signal.ITIMER_PROF, _LAST_RESORT)
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def end_stuck_process(node: str, *, as_json: bool) -> None:
    """Write the stacks of all threads to standard error and end this process at once with `EXIT_STUCK`."""
    text = f"the executor has not turned for {LIMIT:g} s: the process ends"
    # SIGALRM ends it where standard error takes nothing: the stuck thread may hold its lock, its reader may sleep.
    signal.setitimer(signal.ITIMER_REAL, _LAST_WORDS)
    try:
        if as_json:
            frames = sys._current_frames()
            stacks = {one.name: "".join(traceback.format_stack(frames[one.ident or 0])) for one in _running(frames)}
            write_fatal(text, node, stacks)
        else:
            sys.stderr.write(f"{node}: {text}; stacks of all threads:\n")
            faulthandler.dump_traceback(sys.stderr, all_threads=True)
        sys.stderr.flush()
    finally:
        os._exit(EXIT_STUCK)


def _running(frames: dict[int, FrameType]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.ident in frames]
