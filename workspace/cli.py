"""The verbs of `./qiki`."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from workspace import checks, graph, results, testing
from workspace.distribution import detect
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.lock import exclusive
from workspace.preparation import is_ready, prepare, workspace_environment
from workspace.progress import say

COMPLETION = "_QIKI_COMPLETE"
"""Environment variable by which a shell asks for completions; `qiki --install-completion` sets the shell up."""

HELP = """\
QIKI: a fleet of small bots with 16 thrusters as a ROS 2 graph.

Run
  ./qiki up [SCENARIO] [NAME:=VALUE …] [--detach]
                              set up what is missing, start station and bots, name the next steps
  ./qiki down                 stop them
  ./qiki ps                   the processes of the running graph
  ./qiki logs [NODE] [-f]     their output; -f follows it

Operate (each takes --help)
{operate}

Develop
  ./qiki test [--long] [--package NAME]
                              all tests and checks with one summary; --long adds soak, fuzz and scale runs;
                              NAME is a package, a folder such as test/workspace, or checks
  ./qiki check                ruff, mypy and import-linter alone
  ./qiki build                set up and build, start nothing
  ./qiki env CMD …            run a command in the workspace's environment (./qiki env bash: a shell)
  ./qiki clean [--all] [--events]
                              remove what was built; --all removes .venv too, --events the stored events;
                              key files of transponders stay

QIKI_PYTHON=/path/to/python3.12 chooses the Python for a new environment. Output of long steps: .qiki/log/.
Where an ordinary ROS 2 is sourced (ROS_DISTRO), it is used instead of the wheels: docs/install.md.
"""


_EVENTS = ("events", "inbox", "outbox")
"""Folders of the run folder that hold events: the store, and events on their way there."""
_KEYS = "xpdr"
"""Folder of the run folder with the transponders' keys, which nothing could bring back."""


def main(root: str, arguments: Sequence[str]) -> int:
    """Run one verb and return the exit code."""
    began = time.monotonic()
    layout = Layout(Path(root))
    signal.signal(signal.SIGTERM, _terminate)
    # A shell lets background jobs ignore Ctrl-C, and every process below would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8 costs a few characters, not the run
    try:
        return _run(layout, list(arguments), began)
    except WorkspaceError as error:
        print(f"qiki: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command goes on where this one stopped")
        return 130


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(143)


def _run(layout: Layout, arguments: list[str], began: float) -> int:
    if COMPLETION in os.environ:
        return _complete(layout)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(operate=_operator_verbs(layout)), end="")
        return 0
    verb, *rest = arguments
    if verb == "up":
        return _up(layout, rest, began)
    if verb in LAUNCHED:
        return _launched(layout, verb, rest)
    if verb in OWN:
        return OWN[verb](layout, rest)
    return _operate(layout, arguments)


def _complete(layout: Layout) -> int:
    """Hand the shell's question over: the console knows its own verbs, the launch runner those of a run."""
    if not layout.environment_file.is_file():
        return 0
    words = os.environ.get("COMP_WORDS", "").split()
    launched = len(words) > 1 and words[1] in LAUNCHED and os.environ.get("COMP_CWORD") != "1"
    env = workspace_environment(detect(layout, os.environ)) | {"QIKI_SCRIPT_VERBS": " ".join(["up", *LAUNCHED, *OWN])}
    return _become(env, [str(layout.venv_python), "-P", "-m", "qiki_launch" if launched else "qiki_console"])


def _operator_verbs(layout: Layout) -> str:
    """The console's own list of its verbs, which stands nowhere else."""
    later = "  the verbs of the operator's console: ./qiki build first, then ./qiki --help lists them"
    if not layout.environment_file.is_file():
        return later
    env = workspace_environment(detect(layout, os.environ)) | {"COLUMNS": "110"}
    command = [str(layout.venv_python), "-P", "-m", "qiki_console", "--help"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout
    rows = shown.partition("Commands:\n")[2].partition("\n\n")[0]
    named = (f"  ./qiki {row[2:]}" if row[2:3].strip() else f"         {row}" for row in rows.splitlines())
    return "\n".join(named) or later


def _up(layout: Layout, rest: list[str], began: float) -> int:
    detach = "--detach" in rest
    words = [word for word in rest if word != "--detach"]
    arguments = graph.launch_arguments(layout, words)  # a mistyped argument is refused before the long work
    distribution = prepare(layout)
    return graph.up(distribution, workspace_environment(distribution), arguments, detach=detach, began=began)


def _launched(layout: Layout, verb: str, rest: list[str]) -> int:
    distribution = detect(layout, os.environ)
    if not distribution.wheels:
        if verb == "down":
            _no_more(verb, rest)
            return graph.stop(distribution)
        raise WorkspaceError(f"{verb}: ROS's own launch runs the graph here; use ros2 node list and ~/.ros/log")
    command = [str(layout.venv_python), "-P", "-m", "qiki_launch", verb, *rest]
    return _become(workspace_environment(distribution), command)


def _operate(layout: Layout, arguments: list[str]) -> int:
    distribution = detect(layout, os.environ)
    env = workspace_environment(distribution)
    if not is_ready(distribution):
        say("sources or requirements changed since the last build; ./qiki build brings them in")
    return _become(env, [str(layout.venv_python), "-P", "-m", "qiki_console", *arguments])


def _build(layout: Layout, rest: list[str]) -> int:
    _no_more("build", rest)
    prepare(layout)
    say("ready; start with ./qiki up")
    return 0


def _check(layout: Layout, rest: list[str]) -> int:
    _no_more("check", rest)
    distribution = prepare(layout, dev=True)
    return _summary([checks.run(layout, workspace_environment(distribution))])


def _env(layout: Layout, rest: list[str]) -> int:
    if not rest:
        raise WorkspaceError("env: which command? For a shell: ./qiki env bash")
    return _become(workspace_environment(prepare(layout)), rest)


def _test(layout: Layout, rest: list[str]) -> int:
    only, long = None, False
    words = iter(rest)
    for word in words:
        if word == "--long":
            long = True
        elif word == "--package" or word.startswith("--package="):
            only = word.partition("=")[2] or next(words, None)
            if not only:
                raise WorkspaceError("test: --package needs a name")
        else:
            raise WorkspaceError(f"test: unknown argument {word!r}; see ./qiki --help")
    selection = testing.select(layout, only)
    distribution = prepare(layout, dev=True)
    with exclusive(layout.state / "lock-test", "its tests"):
        return _summary(testing.run(layout, workspace_environment(distribution), selection, long=long))


def _summary(found: list[results.Result]) -> int:
    print(results.table(found), flush=True)
    return 1 if any(result.failed for result in found) else 0


def _clean(layout: Layout, rest: list[str]) -> int:
    unknown = [word for word in rest if word not in ("--all", "--events")]
    if unknown:
        raise WorkspaceError(f"clean: unknown argument {' '.join(unknown)!r}; see ./qiki --help")
    everything, events = "--all" in rest, "--events" in rest
    graph.refuse_while_running(layout, "clean")
    folders = [layout.build, layout.install, layout.root / "log"] + ([layout.venv] if everything else [])
    with exclusive(layout.state / "lock-setup", "the set-up"):
        folders += _state_to_remove(layout, events=events)
        for path in folders:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    kept = [] if everything else [".venv is kept (--all removes it too)"]
    if not events and any((layout.run / name).exists() for name in _EVENTS):
        kept.append("the stored events are kept (--events removes them)")
    if (layout.run / _KEYS).exists():
        kept.append(f"the key files are kept ({layout.run / _KEYS})")
    say("; ".join(["removed what was built", *kept]))
    return 0


def _state_to_remove(layout: Layout, *, events: bool) -> list[Path]:
    """Contents of .qiki without the lock files, on which another process may be waiting, keys, and the events."""
    if not layout.state.is_dir():
        return []
    found = [path for path in layout.state.iterdir() if not path.name.startswith("lock-") and path != layout.run]
    if layout.run.parent == layout.state and layout.run.is_dir():
        kept = {_KEYS} if events else {_KEYS, *_EVENTS}
        found += [path for path in layout.run.iterdir() if path.name not in kept]
    return found


def _no_more(verb: str, rest: list[str]) -> None:
    if rest:
        raise WorkspaceError(f"{verb}: takes no arguments, got {' '.join(rest)!r}")


def _become(env: dict[str, str], command: list[str]) -> NoReturn:
    """Replace this process by `command`; its exit code, signals and terminal are then its own."""
    program = shutil.which(command[0], path=env["PATH"])
    if program is None:
        raise WorkspaceError(f"{command[0]}: not found")
    if sys.stdout is not None:  # closed by the caller
        sys.stdout.flush()
    os.execve(program, command, env)


LAUNCHED = ("down", "ps", "logs")
OWN: dict[str, Callable[[Layout, list[str]], int]] = {
    "build": _build,
    "check": _check,
    "clean": _clean,
    "env": _env,
    "test": _test,
}
