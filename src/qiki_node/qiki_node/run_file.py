"""The nodes that a run should have, from the state file that the launch runner keeps. No ROS in here.

The file is written by `qiki_launch` (`run_state.py` there); under an ordinary ROS 2 there is none.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qiki_node.regular import read_regular

_FOLDER = "QIKI_RUN_DIR"
_DEFAULT = ".qiki/run"
_FORMAT = 1
_TOPICS = "topics.json"
_PORTS = "ports.json"
_TRACKS = "tracks.json"
_GONE, _STOPPED = ("X", "Z"), ("T", "t")
"""States of a process, as in proc(5)."""


@dataclass(frozen=True)
class RunFile:
    """A run that was started and not stopped.

    Attributes:
        nodes: full names, sorted.
        domain: ROS_DOMAIN_ID of its supervisor, None if unknown.
        gone: nodes without a process.
        frozen: nodes whose process is stopped, as by SIGSTOP: discovery does not find them.
    """

    nodes: tuple[str, ...]
    domain: int | None = None
    gone: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """First parts of the names of nodes that are not global: the bots.

        A body that has a docking node alone, such as a station, is none."""
        names = [name.split("/") for name in self.nodes if name.count("/") > 1]
        return tuple(sorted({space for _, space, *rest in names if rest != ["docking"]} - {"qiki"}))


def read_run_file(environment: Mapping[str, str] = os.environ) -> RunFile | None:
    """The run of this run directory; None where none was started, or it was stopped, or the file cannot be read."""
    try:
        data = json.loads(read_regular(run_folder(environment) / "state.json"))
        if data["format"] != _FORMAT or data["phase"] == "stopped" or data["boot"] != _boot():
            return None
        states = {_full_name(process["command"]): _state(process.get("identity")) for process in data["processes"]}
        named = {name: state for name, state in states.items() if name}
        return RunFile(
            tuple(sorted(named)),
            _domain(data["supervisor"]),
            frozenset(name for name, state in named.items() if state in _GONE),
            frozenset(name for name, state in named.items() if state in _STOPPED),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_topics(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names of the topics that were last seen in this run directory's graph, none if they are not known."""
    try:
        names = json.loads(read_regular(run_folder(environment) / _TOPICS))
        return sorted(str(name) for name in names)
    except (OSError, ValueError, TypeError):
        return []


def keep_topics(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> None:
    """Keep the names of the graph's topics for `read_topics`; nothing where no run was started."""
    _keep(_TOPICS, sorted(names), environment)


def read_ports(environment: Mapping[str, str] = os.environ) -> dict[str, list[str]]:
    """Names of the docking ports by body, as they were last seen in this run directory's graph."""
    return _read_lists(_PORTS, environment)


def keep_ports(body: str, names: Iterable[str], environment: Mapping[str, str] = os.environ) -> None:
    """Keep the names of a body's docking ports for `read_ports`; nothing where no run was started."""
    _keep_list(_PORTS, body, names, environment)


def read_tracks(environment: Mapping[str, str] = os.environ) -> dict[str, list[str]]:
    """Ids of the tracks by bot, as they were last shown in this run directory."""
    return _read_lists(_TRACKS, environment)


def keep_tracks(bot: str, ids: Iterable[str], environment: Mapping[str, str] = os.environ) -> None:
    """Keep the ids of a bot's tracks for `read_tracks`; nothing where no run was started."""
    _keep_list(_TRACKS, bot, ids, environment)


def _read_lists(file: str, environment: Mapping[str, str]) -> dict[str, list[str]]:
    try:
        known = json.loads(read_regular(run_folder(environment) / file))
        return {str(body): [str(name) for name in names] for body, names in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _keep_list(file: str, body: str, names: Iterable[str], environment: Mapping[str, str]) -> None:
    before = _read_lists(file, environment)
    if before.get(body) != (known := list(names)):
        _keep(file, {**before, body: known}, environment)


def _keep(name: str, value: object, environment: Mapping[str, str]) -> None:
    folder = run_folder(environment)
    fresh = folder / f"{name}.{os.getpid()}"
    with suppress(OSError):
        if (folder / "state.json").exists():
            fresh.write_text(json.dumps(value), encoding="utf-8")
            fresh.replace(folder / name)


def run_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the run: QIKI_RUN_DIR, else `.qiki/run`."""
    return Path(environment.get(_FOLDER) or _DEFAULT)


def domain_id(environment: Mapping[str, str] = os.environ) -> int:
    """The ROS domain of this process.

    Raises:
        ValueError: ROS_DOMAIN_ID is none; names the allowed ones.
    """
    text = environment.get("ROS_DOMAIN_ID", "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and int(text) <= 232):
        raise ValueError(f"ROS_DOMAIN_ID: {text!r} is not allowed; allowed: 0 to 232")
    return int(text)


def _full_name(command: list[str]) -> str | None:
    """Name of the node that a command line starts, None where it is left to the program or hidden."""
    given = dict(word.split(":=", 1) for word in command if word.startswith(("__node:=", "__ns:=")))
    name = given.get("__node", "")
    return f"{given.get('__ns', '').rstrip('/')}/{name}" if name and not name.startswith("_") else None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _state(identity: Mapping[str, Any] | None) -> str:
    """State of a process as in proc(5), X for one that is not there."""
    if identity is None:
        return "X"
    try:
        fields = Path(f"/proc/{identity['pid']}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "X"
    # A pid may have been given to another process.
    return fields[0] if int(fields[19]) == identity["start_ticks"] else "X"


def _domain(supervisor: Mapping[str, Any]) -> int | None:
    process = Path(f"/proc/{supervisor['pid']}")
    try:
        if _state(supervisor) == "X":
            return None
        variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        return domain_id(dict(variable.partition("=")[::2] for variable in variables))
    except (OSError, ValueError, IndexError):
        return None
