"""The lifecycle state that clients ordered last, for the next process of the same node. No ROS in here.

A supervisor that starts a node again (respawn of a launch) must not undo a client's order: a node that was deactivated
and then dies must not come back active. A new launch is an order of its own: so only a process with the same parent,
which is the launch, takes the state.
"""

import json
import os
from pathlib import Path

from qiki_node.regular import read_regular


class OrderedState:
    """A file with one state.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starter = _starter()
        self._kept = ""

    def read(self) -> str:
        """Label of the state; empty where none was ordered under this parent.

        Raises:
            ValueError: the file is damaged, or cannot be read.
        """
        try:
            data = json.loads(read_regular(self.path))
            self._kept = str(data["state"]) if data["starter"] == self._starter else ""
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path} cannot be read: {error!r}") from error
        return self._kept

    def keep(self, state: str) -> None:
        """Keep a state.

        Raises:
            OSError: it cannot be written.
        """
        if state == self._kept:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps({"state": state, "starter": self._starter}), encoding="utf-8")
        fresh.replace(self.path)
        self._kept = state


def _starter() -> str:
    """Identity of the parent process: boot, pid and start in clock ticks after boot."""
    parent = os.getppid()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        ticks = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):  # it has just ended
        return f"unknown parent of {os.getpid()}"
    return f"{boot} {parent} {ticks}"
