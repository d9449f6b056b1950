"""Changes of the environment by `source install/local_setup.bash`, computed once after a build and stored as JSON.

Sourcing it takes about a second with each start; applying the stored change takes none.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workspace.distribution import prepend
from workspace.errors import WorkspaceError

# Bash sets these by itself.
_SHELL = ("_", "PWD", "OLDPWD", "SHLVL")


@dataclass(frozen=True)
class Change:
    """`paths`: entries put in front of search paths. `values`: variables set as they are."""

    paths: dict[str, list[str]]
    values: dict[str, str]

    def applied(self, base: Mapping[str, str]) -> dict[str, str]:
        env = dict(base)
        for name, entries in self.paths.items():
            env[name] = prepend(entries, base.get(name, ""))
        return env | self.values

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"paths": self.paths, "values": self.values}, indent=1), encoding="utf-8")


def load(path: Path) -> Change:
    """Raises WorkspaceError when `path` is missing or unreadable."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Change(paths=stored["paths"], values=stored["values"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{path}: {error}. Repair it with ./qiki build") from error


def sourced(script: Path, base: Mapping[str, str]) -> dict[str, str]:
    """The environment that bash has after sourcing `script` in `base`, all variables."""
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", 'source "$1" >&2 && env -0', "bash", str(script)],
        env=dict(base), capture_output=True, check=False,
    )  # fmt: skip
    if result.returncode != 0:
        raise WorkspaceError(f"source {script}: {result.stderr.decode(errors='replace').strip()}")
    pairs = (item.split("=", 1) for item in result.stdout.decode(errors="surrogateescape").split("\0") if item)
    return {name: value for name, value in pairs if name not in _SHELL}


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    """The change from `before` to `after`; only search paths may change, other variables only appear."""
    paths: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    for name, value in after.items():
        old = before.get(name)
        if value == old or name in _SHELL:
            continue
        if old is not None or name.endswith("PATH"):
            known = set((old or "").split(os.pathsep))
            paths[name] = [entry for entry in value.split(os.pathsep) if entry and entry not in known]
        else:
            values[name] = value
    return Change(paths, values)


def compute(script: Path, base: Mapping[str, str]) -> Change:
    """The change that sourcing `script` makes, independent of what else the caller's environment holds.

    Also where the caller has sourced it already: what lies beside the script is then not taken for the caller's own.
    """
    needed = ("PATH", "HOME", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "LD_LIBRARY_PATH")
    small = {name: _without(script.parent, base[name]) for name in needed if name in base}
    return difference(small, sourced(script, small))


def _without(folder: Path, entries: str) -> str:
    """A search path without the entries in `folder`."""
    return os.pathsep.join(entry for entry in entries.split(os.pathsep) if not Path(entry).is_relative_to(folder))
