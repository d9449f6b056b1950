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
from typing import ClassVar

from workspace.errors import WorkspaceError

TAIL_LINES = 25
STOP_LIMIT = 3.0  # s for a process group to end before it gets a stronger signal
QUIET_INTERVAL = 5.0  # s between two lines where there is no terminal
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def say(text: str) -> None:
    """A line for the user on standard error; standard output is for the result of a command."""
    print(f"qiki: {text}", file=sys.stderr, flush=True)


class Ticker:
    """Progress of a step: its title, its present item, seconds elapsed. Steps that run at once share a moving line."""

    _running: ClassVar[list["Ticker"]] = []
    _frame: ClassVar[int] = 0

    def __init__(self, title: str) -> None:
        self.title = title
        self.item = ""
        self.started = time.monotonic()
        self._shown = ""
        self._said = 0.0
        self._live = sys.stderr.isatty()
        self._running.append(self)
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
        Ticker._frame = (Ticker._frame + 1) % len(FRAMES)
        running = " | ".join(f"{one.title}  {one.elapsed:3.0f} s  {one.item}" for one in self._running)
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r\x1b[2K" + f"{FRAMES[Ticker._frame]} {running}"[:width])
        sys.stderr.flush()

    def done(self, outcome: str) -> None:
        self._running.remove(self)
        if self._live:
            sys.stderr.write("\r\x1b[2K")
        say(f"{self.title}: {outcome} ({self.elapsed:.0f} s)")


class Step:
    """A running command as a visible step; its output goes to `log`.

    `item` picks from a line of output what the step is busy with, None = no news.
    """

    def __init__(
        self,
        title: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path,
        item: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.log = log
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._item = item
        self._file = log.open("w", encoding="utf-8")
        self._file.write(f"$ {' '.join(command)}\n")
        self._file.flush()
        self.ticker = Ticker(title)
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace", env=dict(env), cwd=cwd, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                self._file.write(line)
                self._file.flush()
                self.tail.append(line.rstrip())
                self.ticker.item = self._item(line) or self.ticker.item

    def wait(self, seconds: float) -> int | None:
        """The exit code, None where it runs longer than `seconds`."""
        if self._reader.ident is None:
            self._reader.start()
        self.ticker.tick()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll()

    def end(self) -> None:
        """End what still runs: nothing that the step started outlives it."""
        stop_group(self._process)
        if self._reader.ident is not None:  # else interrupted before it started
            self._reader.join()
        self._file.close()


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
    """Run `command` as a visible step and return its exit code; see `Step`.

    Raises WorkspaceError with the end of the output when the command fails and `check` is set.
    """
    started: list[Step] = []

    def start() -> Step:
        started.append(Step(title, command, log=log, env=env, cwd=cwd, item=item))
        return started[0]

    (code,) = run_steps([start], at_once=1)
    if code != 0 and check:
        end = [f"  | {line}" for line in started[0].tail]
        raise WorkspaceError("\n".join([f"{title}: exit code {code}. The end of {log}:", *end]))
    return code


def run_steps(starts: Sequence[Callable[[], Step]], *, at_once: int) -> list[int]:
    """Run steps, so many at once, and return their exit codes. `starts` start one each."""
    codes = [0] * len(starts)
    waiting = deque(enumerate(starts))
    running: dict[int, Step] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, start = waiting.popleft()
                running[number] = start()
            for number, step in list(running.items()):
                code = step.wait(0.1 / at_once)
                if code is not None:
                    codes[number] = code
                    del running[number]
                    step.end()
                    step.ticker.done("done" if code == 0 else f"exit code {code}")
    except BaseException:
        for step in running.values():
            step.ticker.done("interrupted")
        raise
    finally:
        for step in running.values():
            step.end()
    return codes


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
