"""Long steps: one moving line on a terminal, plain lines elsewhere, the full output in a log file."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from workspace.errors import WorkspaceError

TAIL_LINES = 25
STOP_LIMIT = 3.0  # s for a process group to end before it gets a stronger signal
QUIET_INTERVAL = 5.0  # s between two lines where there is no terminal
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def say(text: str) -> None:
    """A line for the user on standard error; standard output is for the result of a command."""
    print(f"qiki: {text}", file=sys.stderr, flush=True)


class Ticker:
    """Progress of a step: its title, its present item, seconds elapsed."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.item = ""
        self.started = time.monotonic()
        self._frame = 0
        self._shown = ""
        self._said = 0.0
        self._live = sys.stderr.isatty()
        if not self._live:
            say(f"{title} …")

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def tick(self) -> None:
        if not self._live:
            if self.item != self._shown and self.elapsed - self._said >= QUIET_INTERVAL:
                self._shown, self._said = self.item, self.elapsed
                say(f"  {self.item} ({self.elapsed:.0f} s)")
            return
        self._frame = (self._frame + 1) % len(FRAMES)
        line = f"{FRAMES[self._frame]} {self.title}  {self.elapsed:3.0f} s  {self.item}"
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r\x1b[2K{line[:width]}")
        sys.stderr.flush()

    def done(self, outcome: str) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[2K")
        say(f"{self.title}: {outcome} ({self.elapsed:.0f} s)")


def run_step(
    title: str,
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    item: Callable[[str], str | None] = lambda _: None,
    check: bool = True,
) -> int:
    """Run `command` as a visible step and return its exit code; its output goes to `log`.

    `item` picks from a line of output what the step is busy with, None = no news. Raises WorkspaceError with
    the end of the output when the command fails and `check` is set.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    ticker = Ticker(title)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with log.open("w", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n")
        file.flush()
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace", env=dict(env), cwd=cwd, start_new_session=True,
        )  # fmt: skip

        def read() -> None:
            assert process.stdout is not None
            with process.stdout:
                for line in process.stdout:
                    file.write(line)
                    file.flush()
                    tail.append(line.rstrip())
                    ticker.item = item(line) or ticker.item

        reader = threading.Thread(target=read, daemon=True)
        try:
            reader.start()
            while process.poll() is None:
                ticker.tick()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
        except BaseException:
            ticker.done("interrupted")
            raise
        finally:
            stop_group(process)  # nothing that the step started outlives it
            if reader.ident is not None:  # else interrupted before it started
                reader.join()
    code = process.returncode
    if code != 0 and check:
        ticker.done("failed")
        raise WorkspaceError(
            "\n".join([f"{title}: exit code {code}. The end of {log}:", *(f"  | {line}" for line in tail)])
        )
    ticker.done("done" if code == 0 else f"exit code {code}")
    return code


def stop_group(process: "subprocess.Popen[str]") -> None:
    """End a process started in its own session together with its children, which may ignore the first signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not group_lives(process.pid):
            break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + STOP_LIMIT
        while group_lives(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
    process.wait()


def group_lives(group: int) -> bool:
    """True while a process of this group runs; one that ended and was not waited for does not count."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                return True
    return False
