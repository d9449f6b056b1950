"""`./qiki up`: starts the fleet, waits for its first telemetry and names the next steps."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TextIO, TypedDict

from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.progress import TAIL_LINES, say

FLEET = "fleet.launch.yaml"
SILENCE_LIMIT = 60.0  # s until the lack of telemetry is reported
PATIENCE = 60.0  # s that ROS's own launch gets to stop its nodes; it needs 10 s for one that heeds no signal
_KILLED = 2.0  # s between SIGTERM and SIGKILL to what is left then


class Found(TypedDict):
    """Output of first_telemetry.py."""

    bots: list[str]
    nodes: list[str]
    topics: int
    settling: float


def scenario_file(layout: Layout, name: str) -> Path:
    """The scenario file `name` means: a path, or a name below launch/config/scenarios.

    Raises WorkspaceError with the known names.
    """
    folder = layout.root / "launch" / "config" / "scenarios"
    for candidate in (folder / f"{name}.yaml", Path(name)):
        with suppress(OSError):  # a name that is too long for a file
            if candidate.is_file():
                return candidate.resolve()
    known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml"))) or "none"
    raise WorkspaceError(f"up: no scenario {name!r}; known scenarios: {known}; a path to a file works too")


def launch_arguments(layout: Layout, words: Iterable[str]) -> list[str]:
    """Launch arguments `name:=value` from the words after `up`; a bare word is the scenario."""
    arguments: list[str] = []
    for word in words:
        if word.startswith("-"):
            raise WorkspaceError(f"up: unknown option {word}; see ./qiki --help")
        if ":=" in word:
            arguments.append(word)
        elif any(argument.startswith("scenario:=") for argument in arguments):
            raise WorkspaceError(f"up: a second scenario {word!r}; other arguments are written name:=value")
        else:
            arguments.append(f"scenario:={scenario_file(layout, word)}")
    return arguments


def launch_command(distribution: Distribution, arguments: Sequence[str]) -> list[str]:
    """The command that runs the fleet's launch file: ROS's own launch where it is installed, else ours."""
    if not distribution.wheels:
        return ["ros2", "launch", "qiki_bringup", FLEET, *arguments]
    layout = distribution.layout
    return [
        str(layout.venv_python),
        "-P",
        "-m",
        "qiki_launch",
        "launch",
        str(layout.root / "launch" / FLEET),
        *arguments,
    ]


def guidance(found: Found, seconds: float, *, detached: bool) -> str:
    """The next steps for the user, with the names of the running bots; `seconds`: from command to first telemetry."""
    bot = found["bots"][0]
    stop = "./qiki down" if detached else "Ctrl-C here, or ./qiki down"
    return f"""
QIKI is up: first telemetry after {seconds:.1f} s.
  Bots    {", ".join(found["bots"])}
  Nodes   {", ".join(found["nodes"])}; {found["topics"]} topics

  Watch   ./qiki status                        the fleet at a glance
          ./qiki topics list                   every topic; echo, hz and info look into one
          ./qiki topics echo /{bot}/odom
  Fly     ./qiki thrust {bot} --force 200 0 0 --for 2
  World   ./qiki sim pause | resume | reset | speed | fault
  Look    ./qiki ps, ./qiki logs -f            processes and their output
  Stop    {stop}
"""


def running(layout: Layout, run: Path | None = None) -> int | None:
    """Process id of the launch that `up` started in a run folder (default: that of `layout`), None where it ended."""
    try:
        with _lock_file(run or layout.run).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except (OSError, ValueError):
        pass
    return None


def refuse_while_running(layout: Layout, verb: str) -> None:
    """Raises WorkspaceError while a graph of this checkout runs, in whichever run folder and however it was started."""
    for run in dict.fromkeys([layout.run, *_run_folders(layout)]):
        pid = running(layout, run)
        if pid is not None or _taken(run / "lock"):
            raise _already(verb, run, pid)


def up(distribution: Distribution, env: dict[str, str], arguments: Sequence[str], *, detach: bool, began: float) -> int:
    """Start the graph; returns the exit code of its launch, or with `detach` 0 once the graph speaks.

    `began`: time.monotonic() at the user's command. Raises WorkspaceError when a graph runs in the run folder, when
    that cannot be used, or when a detached graph ends before it speaks.
    """
    layout = distribution.layout
    signals = _Signals()
    log = layout.run / "up.log"
    with _locked(layout) as lock:
        say(f"starting {' '.join([FLEET, *arguments])} …")
        with log.open("w", encoding="utf-8") if detach else nullcontext() as output:
            # A session or group of its own: Ctrl-C reaches this process alone, which passes it on once. The lock is
            # held for as long as the launch lives.
            launch = subprocess.Popen(
                launch_command(distribution, arguments), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT if detach else None, env=env, pass_fds=[lock.fileno()],
                start_new_session=detach, process_group=None if detach else 0,
            )  # fmt: skip
        lock.truncate(0)
        lock.write(f"{launch.pid}\n")
        lock.flush()
    signals.pass_on_to(launch)
    # Not before the nodes: the launch first clears the shared memory that dead processes left.
    while launch.poll() is None and not _has_children(launch.pid):
        time.sleep(0.02)
    probe = subprocess.Popen(
        [layout.venv_python, "-P", Path(__file__).with_name("first_telemetry.py"), str(SILENCE_LIMIT)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=env, process_group=0,
    )  # fmt: skip
    try:
        while probe.poll() is None and launch.poll() is None:
            time.sleep(0.05)
        if launch.poll() is None:
            _announce(probe, time.monotonic() - began, detached=detach)
            if detach:
                return 0
            launch.wait()
    finally:
        probe.kill()
        probe.wait()
    _end_group(launch.pid)
    if detach:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        raise WorkspaceError("\n  | ".join([f"The graph ended at once. The end of {log}:", *tail]))
    return launch.returncode


def stop(distribution: Distribution) -> int:
    """End a graph that ROS's own launch runs, as Ctrl-C would, and all that it leaves."""
    layout = distribution.layout
    pid = running(layout)
    if pid is None:
        say(f"nothing is running in {layout.run}")
        return 0
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    while running(layout) == pid and time.monotonic() < deadline:
        time.sleep(0.1)
    _end_group(pid)
    return 0


class _Signals:
    """Passes signals on to a launch, also those that came before it was started.

    Always as SIGINT: `ros2 launch` ends at once on SIGTERM and leaves its nodes behind. SIGHUP that the starter has us
    ignore (nohup) stays ignored.
    """

    def __init__(self) -> None:
        self._launch: subprocess.Popen[bytes] | None = None
        self._came = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)

    def pass_on_to(self, launch: "subprocess.Popen[bytes]") -> None:
        self._launch = launch
        if self._came:
            launch.send_signal(signal.SIGINT)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._launch is None:
            self._came = True
        else:
            self._launch.send_signal(signal.SIGINT)


@contextmanager
def _locked(layout: Layout) -> Iterator[TextIO]:
    """The lock file of the run folder, locked; a process that inherits it keeps the lock."""
    run = layout.run
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = _lock_file(run).open("a+", encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"up: the run folder {run} cannot be used: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already("up", run, running(layout)) from None
        if _taken(run / "lock"):
            raise _already("up", run, None)
        _remember(layout, run)
        yield lock


def _already(verb: str, run: Path, pid: int | None) -> WorkspaceError:
    process = f" (process {pid})" if pid is not None else ""
    return WorkspaceError(
        f"{verb}: a graph of this checkout is running{process} in {run}; end it with ./qiki down, "
        "or choose another QIKI_RUN_DIR and ROS_DOMAIN_ID for a second one"
    )


def _end_group(group: int) -> None:
    """End what a launch has left of its process group: SIGTERM, after a while SIGKILL."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + _KILLED
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.05)
        os.killpg(group, signal.SIGKILL)


def _announce(probe: "subprocess.Popen[str]", seconds: float, *, detached: bool) -> None:
    answer = probe.communicate()[0]
    if probe.returncode == 0:
        found: Found = json.loads(answer)
        print(guidance(found, seconds - found["settling"], detached=detached), flush=True)
    else:
        say(f"no telemetry for {SILENCE_LIMIT:.0f} s; see ./qiki ps and ./qiki logs")


def _has_children(pid: int) -> bool:
    """True if a process started others, and where the kernel has no list of them."""
    lists = list(Path(f"/proc/{pid}/task").glob("*/children"))
    with suppress(OSError):
        return not lists or any(path.read_text(encoding="ascii").strip() for path in lists)
    return True


def _lock_file(run: Path) -> Path:
    """Locked while a launch of `up` lives, whose process id it holds."""
    return run / "up.lock"


def _taken(lock: Path) -> bool:
    """True while another process holds a lock file, such as that of `qiki_launch` in its run folder."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _remember(layout: Layout, run: Path) -> None:
    """Keep the run folders in which this checkout's graphs run, for those who look from another."""
    kept = [folder for folder in _run_folders(layout) if folder != run and running(layout, folder) is not None]
    layout.state.mkdir(parents=True, exist_ok=True)
    (layout.state / "run-folders.json").write_text(json.dumps([str(folder) for folder in [*kept, run]]))


def _run_folders(layout: Layout) -> list[Path]:
    with suppress(OSError, ValueError):
        return [Path(folder) for folder in json.loads((layout.state / "run-folders.json").read_text())]
    return []
