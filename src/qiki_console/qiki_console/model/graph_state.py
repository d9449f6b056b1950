"""The newest data of every bot and node, from which snapshots are taken."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qiki_console.model.diagnostics import DiagnosticsBook
from qiki_console.model.snapshot import (
    MISSING,
    NO_ANSWER,
    OLD,
    UNKNOWN,
    Bot,
    Datum,
    Node,
    Now,
    Simulator,
    Snapshot,
)

LIMITS = {"motion": 0.5, "power": 1.0, "hottest": 1.0, "thrusters": 1.0, "mass": 3.0, "allocation": 1.0,
          "docking": 1.0, "bridge": 2.0}  # fmt: skip
"""Data of a bot (attributes of `Bot`), each with its age in s from which it is stale: several periods of its topic."""

_EXPLAINED = 1.5
"""s after which data that lack are not waited for where a stopped, absent or inactive node explains them."""

_SILENT = 2.0
"""s after which a node that neither answers nor publishes its diagnostics (1 Hz) is not waited for."""

_UNHEARD = (MISSING, NO_ANSWER, UNKNOWN)


@dataclass(frozen=True)
class Sample:
    """A message received at a wall time (s). `read` gives its value, None if it has none, and its stamp (s).

    Most samples are replaced before a snapshot is taken, so they are read only then.
    """

    received: float
    read: Callable[[], tuple[Any, float]]


@dataclass
class GraphState:
    """Filled by the callbacks of messages and by looks at the graph, read by `snapshot`.

    Attributes:
        begun: wall time from which messages are received (s).
        wanted: full names of the nodes that the run should have, None if no run is known. Then it is those whose
            diagnostics have come once.
        bots: names.
        gone: wanted nodes without a process, frozen: those whose process is stopped; both as far as known.
        states: lifecycle state by full name of every node on the graph; None for a node without one.
        diagnosing: nodes that publish diagnostics.
        published: data that something publishes, by bot and name.
        clocks: publishers of /clock.
        diagnostics: what they published.
        clock: newest /clock.
        samples: newest messages, by bot and name of the datum.
    """

    begun: float = 0.0
    wanted: tuple[str, ...] | None = None
    gone: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()
    bots: list[str] = field(default_factory=list)
    states: Mapping[str, str | None] = field(default_factory=dict)
    diagnosing: frozenset[str] = frozenset()
    published: frozenset[tuple[str, str]] = frozenset()
    clocks: tuple[str, ...] = ()
    diagnostics: DiagnosticsBook = field(default_factory=DiagnosticsBook)
    clock: Sample | None = None
    samples: dict[tuple[str, str], Sample] = field(default_factory=dict)

    def settled(self, wall: float) -> bool:
        """True if waiting longer than until a wall time (s) would show no more of this graph: it is whole, or what it
        lacks has been silent for long enough to be known as that."""
        snapshot, waited = self.snapshot(wall), wall - self.begun
        explained = (self.gone | self.frozen) - {name for name, state in self.states.items() if state == "active"}
        nodes = {name: node for name, node in snapshot.nodes.items() if name not in explained}
        if waited > _SILENT and any(node.state == NO_ANSWER and node.silent for node in nodes.values()):
            return True  # a node that hangs neither answers nor publishes, and others may lack its data
        if not nodes or any(node.silent or node.state in _UNHEARD for node in nodes.values()):
            return False
        inactive = any(node.state not in (None, "active") for node in nodes.values())
        if (explained or inactive) and waited > _EXPLAINED:
            return True
        some_bot = bool(self.bots) or self.wanted is not None
        return not explained and some_bot and not any(bot.lacking(snapshot.now) for bot in snapshot.bots)

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
        heard = self.diagnostics.nodes
        names = {*self.states, *heard, *(self.wanted or ())}
        if self.wanted is not None:
            # One that another user stopped: its diagnostics came, but the run does not have it.
            gone = {name for name in heard if (self.diagnostics.age(name, wall) or 0.0) > OLD}
            names -= gone - {*self.states, *self.wanted}
        return Snapshot(
            now,
            Simulator(simulated, simulator.real_time_factor, simulator.paused, simulator.scenario),
            {name: self._node(name, wall) for name in sorted(names)},
            tuple(self._bot(name) for name in sorted(self.bots)),
            self.clocks,
        )

    def _node(self, name: str, wall: float) -> Node:
        age = self.diagnostics.age(name, wall)
        diagnosed = name in self.diagnosing or age is not None
        problems = self.diagnostics.problems(name)
        if name in self.frozen and self.states.get(name, NO_ANSWER) == NO_ANSWER:
            return Node(NO_ANSWER, ("process: stopped", *problems), age, diagnosed)
        if name not in self.states:
            state: str | None = UNKNOWN if age is not None and age <= OLD else MISSING
        else:
            state = self.states[name]
            if state is None and diagnosed and name in (self.wanted or ()) and wall - self.begun <= OLD:
                state = UNKNOWN  # the service of its lifecycle may not be discovered yet
        return Node(state, problems, age, diagnosed)

    def _bot(self, bot: str) -> Bot:
        data: dict[str, Datum[Any]] = {}
        for name, limit in LIMITS.items():
            sample = self.samples.get((bot, name))
            if sample is not None:
                value, stamp = sample.read()
                if value is not None:
                    data[name] = Datum(value, stamp, sample.received, limit)
        valueless = {name for name in LIMITS if (bot, name) in self.samples and name not in data}
        # A bot needs no docking node.
        published = frozenset(
            name
            for name in LIMITS
            if (bot, name) in self.published or (self.wanted is None and name not in ("docking", "bridge"))
        )
        return Bot(bot, expected=published - valueless, **data)
