"""`./qiki up`: starts the fleet, waits for its first telemetry and names the next steps."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TypedDict

from workspace.distribution import Distribution
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.progress import TAIL_LINES, say

FLEET = "fleet.launch.yaml"
SILENCE_LIMIT = 60.0  # s until the lack of telemetry is reported


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


def running(layout: Layout) -> int | None:
    """Process id of the launch that the last `up` started, None where it has ended."""
    try:
        pid, started = (int(word) for word in _pid_file(layout).read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return None
    return pid if _start_time(pid) == started else None


def refuse_while_running(layout: Layout, verb: str) -> None:
    """Raises WorkspaceError while a graph of this checkout runs, however it was started."""
    pid = running(layout)
    if pid is None and not _run_folder_taken(layout):
        return
    process = f" (process {pid})" if pid is not None else ""
    raise WorkspaceError(f"{verb}: a graph of this checkout is running{process}; end it with ./qiki down")


def up(distribution: Distribution, env: dict[str, str], arguments: Sequence[str], *, detach: bool, began: float) -> int:
    """Start the graph; returns the exit code of its launch, or with `detach` 0 once the graph speaks.

    `began`: time.monotonic() at the user's command. Raises WorkspaceError when a graph of this checkout runs, or
    when a detached one ends before it speaks.
    """
    layout = distribution.layout
    refuse_while_running(layout, "up")
    log = layout.logs / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    say(f"starting {' '.join([FLEET, *arguments])} …")
    with log.open("w", encoding="utf-8") if detach else nullcontext() as output:
        # A session or group of its own: Ctrl-C reaches this process alone, which passes it on once.
        launch = subprocess.Popen(
            launch_command(distribution, arguments), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT if detach else None, env=env, cwd=layout.root,
            start_new_session=detach, process_group=None if detach else 0,
        )  # fmt: skip
    _pid_file(layout).write_text(f"{launch.pid} {_start_time(launch.pid)}\n", encoding="utf-8")
    _pass_signals_on(launch)
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
            return launch.wait()
    finally:
        probe.kill()
        probe.wait()
    if detach:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        raise WorkspaceError("\n  | ".join([f"The graph ended at once. The end of {log}:", *tail]))
    return launch.returncode


def stop(distribution: Distribution) -> int:
    """End a graph that ROS's own launch runs, as Ctrl-C would."""
    pid = running(distribution.layout)
    if pid is None:
        say("nothing is running")
        return 0
    os.kill(pid, signal.SIGINT)
    while running(distribution.layout) is not None:
        time.sleep(0.1)
    return 0


def _announce(probe: "subprocess.Popen[str]", seconds: float, *, detached: bool) -> None:
    answer = probe.communicate()[0]
    if probe.returncode == 0:
        found: Found = json.loads(answer)
        print(guidance(found, seconds - found["settling"], detached=detached), flush=True)
    else:
        say(f"no telemetry for {SILENCE_LIMIT:.0f} s; see ./qiki ps and ./qiki logs")


def _pass_signals_on(launch: "subprocess.Popen[bytes]") -> None:
    def handler(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            launch.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _has_children(pid: int) -> bool:
    """True if a process started others, and where the kernel has no list of them."""
    lists = list(Path(f"/proc/{pid}/task").glob("*/children"))
    with suppress(OSError):
        return not lists or any(path.read_text(encoding="ascii").strip() for path in lists)
    return True


def _pid_file(layout: Layout) -> Path:
    return layout.state / "up.pid"


def _run_folder_taken(layout: Layout) -> bool:
    """True while a process of `qiki_launch` holds the run folder's lock."""
    try:
        with (layout.run / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _start_time(pid: int) -> int | None:
    """Start of a process in clock ticks since boot, None where it is gone; distinguishes a reused process id."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
