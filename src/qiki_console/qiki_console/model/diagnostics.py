"""Newest diagnostics, by node and component."""

from collections.abc import Mapping
from dataclasses import dataclass

from qiki_console.model.names import SIMULATOR
from qiki_console.model.snapshot import Simulator

_OLD = 4.0
"""s of wall time after which diagnostics (1 Hz) count as outdated."""


@dataclass(frozen=True)
class _Entry:
    level: int
    message: str
    values: Mapping[str, str]
    received: float


class DiagnosticsBook:
    """The newest status of every component of every node. Times are wall times in s."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, _Entry]] = {}

    def note(self, name: str, level: int, message: str, values: Mapping[str, str], received: float) -> None:
        """Keep a status whose name is `node: component`, the node without its leading slash."""
        node, _, component = name.partition(": ")
        self._entries.setdefault(f"/{node}", {})[component] = _Entry(level, message, values, received)

    def knows(self, node: str) -> bool:
        """True if a diagnostic of this node (by full name) has come."""
        return node in self._entries

    def problems(self, node: str, wall: float) -> tuple[str, ...]:
        """Components of a node that are not OK, `component: message`; nothing from old diagnostics."""
        entries = self._entries.get(node, {})
        return tuple(
            f"{component}: {entry.message}"
            for component, entry in sorted(entries.items())
            if entry.level > 0 and wall - entry.received <= _OLD
        )

    def simulator(self, wall: float) -> Simulator:
        """Time values of the simulator's diagnostics; None for those that are missing or old."""
        entry = self._entries.get(SIMULATOR, {}).get("simulation")
        if entry is None or wall - entry.received > _OLD:
            return Simulator(None, None, None)
        return Simulator(
            time=_number(entry.values.get("time")),
            real_time_factor=_number(entry.values.get("real_time_factor")),
            paused=entry.message == "paused",
            scenario=entry.values.get("scenario"),
        )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
