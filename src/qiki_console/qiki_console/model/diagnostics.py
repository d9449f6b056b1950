"""Newest diagnostics, by node and component."""

from collections.abc import Mapping
from dataclasses import dataclass

from qiki_console.model.names import SIMULATOR
from qiki_console.model.snapshot import OLD, Simulator


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

    @property
    def nodes(self) -> frozenset[str]:
        """Full names of the nodes whose diagnostics have come."""
        return frozenset(self._entries)

    def age(self, node: str, wall: float) -> float | None:
        """Wall time since a node's newest diagnostics (s), None if none have come."""
        newest = self._newest(node)
        return None if newest is None else wall - newest

    def problems(self, node: str) -> tuple[str, ...]:
        """Components of a node that are not OK by its newest diagnostics, however old: `component: message`."""
        newest = self._newest(node)
        return tuple(
            f"{component}: {entry.message}"
            for component, entry in sorted(self._entries.get(node, {}).items())
            # A component that the node no longer reports is not among its newest.
            if entry.level > 0 and newest is not None and newest - entry.received <= OLD
        )

    def _newest(self, node: str) -> float | None:
        return max((entry.received for entry in self._entries.get(node, {}).values()), default=None)

    def simulator(self, wall: float) -> Simulator:
        """Time values of the simulator's diagnostics; None for those that are missing or old."""
        entry = self._entries.get(SIMULATOR, {}).get("simulation")
        if entry is None or wall - entry.received > OLD:
            return Simulator(None, None, None)
        return Simulator(
            time=_number(entry.values.get("time")),
            real_time_factor=_number(entry.values.get("real_time_factor")),
            paused=_yes(entry.values.get("paused")),
            scenario=entry.values.get("scenario"),
        )


def _yes(text: str | None) -> bool | None:
    return {"True": True, "False": False}.get(text or "")


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
