"""The newest data of every bot and node, from which snapshots are taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qiki_console.model.diagnostics import DiagnosticsBook
from qiki_console.model.names import SIMULATOR
from qiki_console.model.snapshot import Bot, Datum, Node, Now, Simulator, Snapshot

NO_ANSWER = "no answer"
"""State of a node that did not answer the question for its lifecycle state."""

LIMITS = {"motion": 0.5, "power": 1.0, "hottest": 1.0, "thrusters": 1.0, "mass": 3.0, "allocation": 1.0}
"""Data of a bot (attributes of `Bot`), each with its age in s from which it is stale: several periods of its topic."""


@dataclass(frozen=True)
class Sample:
    """A message received at a wall time (s). `read` gives its value, None if it has none, and its stamp (s).

    Most samples are replaced before a snapshot is taken, so they are read only then.
    """

    received: float
    read: Callable[[], tuple[Any, float]]


@dataclass
class GraphState:
    """Filled by the callbacks of messages, read by `snapshot`."""

    bots: list[str] = field(default_factory=list)
    states: Mapping[str, str | None] = field(default_factory=dict)
    """Lifecycle state by full name of every node on the graph; None for a node without one."""
    diagnostics: DiagnosticsBook = field(default_factory=DiagnosticsBook)
    clock: Sample | None = None
    samples: dict[tuple[str, str], Sample] = field(default_factory=dict)
    """By bot and name of the datum."""

    @property
    def reported(self) -> bool:
        """True if every datum of every bot, and the simulator's diagnostics, have come."""
        complete = all((bot, name) in self.samples for bot in self.bots for name in LIMITS)
        return complete and self.diagnostics.knows(SIMULATOR)

    def complete(self, wall: float) -> bool:
        """True if a snapshot at a wall time lacks nothing that a graph has."""
        answered = all(state != NO_ANSWER for state in self.states.values())
        return answered and bool(self.bots) and not self.snapshot(wall).missing and self.reported

    def snapshot(self, wall: float) -> Snapshot:
        """The graph as known at a wall time (s)."""
        clock = self.clock
        simulated = clock.read()[1] if clock else None
        simulator = self.diagnostics.simulator(wall)
        now = Now(
            wall=wall,
            simulated=simulated,
            silence=wall - clock.received if clock else float("inf"),
            paused=simulator.paused,
        )
        nodes = {name: Node(state, self.diagnostics.problems(name, wall)) for name, state in self.states.items()}
        return Snapshot(
            now,
            Simulator(simulated, simulator.real_time_factor, simulator.paused, simulator.scenario),
            nodes,
            tuple(self._bot(name) for name in sorted(self.bots)),
        )

    def _bot(self, bot: str) -> Bot:
        data: dict[str, Datum[Any]] = {}
        for name, limit in LIMITS.items():
            sample = self.samples.get((bot, name))
            if sample is not None:
                value, stamp = sample.read()
                if value is not None:
                    data[name] = Datum(value, stamp, sample.received, limit)
        return Bot(bot, **data)
