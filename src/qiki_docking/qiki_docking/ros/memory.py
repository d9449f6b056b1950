"""State of docking before a restart: from the event store, or from a file where no store answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qiki_docking.bridge.values import Role
from qiki_docking.record import Record
from qiki_docking.ros.host import Host
from qiki_docking.values import PHASE_CHANGED, State, rebuilt
from qiki_events import REGISTRY
from qiki_msgs.srv import QueryEvents
from qiki_node import stamps

SERVICE: Final = "/qiki/eventstore/query"
BEGINS: Final = ("simulator.scenario_loaded", "simulator.reset")
"""Events with which a world begins: states from before are of another one."""

_ROLE_CHANGED: Final = "bridge.role_changed"
_AGAIN: Final = 1.0  # s of steady time after which a query is repeated
_AHEAD: Final = 1.0  # s, by which a state may lie ahead of the clock; beyond it is of another run
_UNBOUNDED: Final = -(2**63)


@dataclass(frozen=True)
class Remembered:
    """State and role before a restart.

    Attributes:
        state: None: there is none.
        docking_id: of it; empty: none.
        role: ordered last; None: never.
        source: of this knowledge, for log and diagnostics.
        record: report so far of the docking under way; None: unknown.
        operator: attitude mode and modulator that the operator had before docking; None: unknown.
    """

    state: State | None = None
    docking_id: str = ""
    role: Role | None = None
    source: str = "nothing"
    record: Record | None = None
    operator: tuple[int, str] | None = None


class Memory:
    """Asks once for the state before; `look` gives it as soon as it is known.

    The newest change of phase in the store counts, unless a world began after it or its time lies in the future: then
    it is of another run. Own events that the store has not acknowledged come first: the caller waits for them.

    Args:
        stream: of the own events.
        file: None: no file.
        patience: s of steady time for the store.
        clock: s, steady.
    """

    def __init__(self, node: Host, stream: str, file: Path | None, patience: float, clock: Callable[[], float]) -> None:
        self._node, self._stream, self._file = node, stream, file
        self._clock = clock
        self._until = clock() + patience
        self._client = node.create_client(QueryEvents, SERVICE)
        self._answers: dict[str, Any] = {}  # the newest event of each kind, None: there is none
        self._asked: dict[str, float] = {}
        self.unwritten = ""
        """Reason why the file cannot be written; empty: it can."""

    def look(self, *, settled: bool) -> Remembered | None:
        """The state before; None: not known yet, look again. settled: no own event waits for the store.

        Raises:
            ValueError: the newest event, or the file, holds no state. Nothing is assumed then.
        """
        wanted = {"phase": (PHASE_CHANGED,), "role": (_ROLE_CHANGED,), "world": BEGINS}
        if settled and self._client.service_is_ready():
            for name, types in wanted.items():
                self._ask(name, types)
        if set(self._answers) == set(wanted):
            return self._of_store()
        return self._of_file() if self._clock() >= self._until else None

    def keep(self, known: Remembered, now: float) -> None:
        """Write the file. `now`: s, ROS time."""
        if self._file is None or known.state is None or known.role is None:
            return
        content = {"format": 1, "time": now, "state": known.state.as_payload(), "docking_id": known.docking_id}
        content |= {"role": known.role.value, "operator": known.operator}
        content["record"] = None if known.record is None else known.record.as_payload()
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(content))
            fresh.replace(self._file)
        except OSError as error:
            if not self.unwritten:
                self._node.log.error("the state of docking cannot be kept", reason=str(error))
            self.unwritten = str(error)
        else:
            self.unwritten = ""

    def _ask(self, name: str, types: tuple[str, ...]) -> None:
        now = self._clock()
        if name in self._answers or now - self._asked.get(name, -_AGAIN) < _AGAIN:
            return
        self._asked[name] = now
        streams = [] if name == "world" else [self._stream]
        request = QueryEvents.Request(types=list(types), streams=streams, limit=1, backwards=True)
        request.start = request.recorded_start = _UNBOUNDED
        self._client.call_async(request).add_done_callback(lambda done: self._answered(name, done))

    def _answered(self, name: str, done: Any) -> None:
        response = done.result()
        if response is None or not response.success:
            return
        self._answers[name] = next(iter(response.events), None)

    def _of_store(self) -> Remembered:
        began = self._answers["world"]
        position = -1 if began is None else began.position

        def valid(name: str) -> Mapping[str, Any] | None:
            found = self._answers[name]
            if found is None or found.position < position or stamps.seconds(found.time) > self._now() + _AHEAD:
                return None
            return REGISTRY.decode(found.type, found.schema_version, found.content_type, found.payload.tobytes())

        phase, role = valid("phase"), valid("role")
        docking_id = "" if phase is None else phase["docking_id"]
        try:
            kept = self._of_file()
        except ValueError as error:
            self._node.log.warning("the report so far is lost", reason=str(error))
            kept = Remembered()
        same = bool(docking_id) and kept.docking_id == docking_id
        return Remembered(
            None if phase is None else rebuilt([(PHASE_CHANGED, phase)]),
            docking_id,
            None if role is None else Role(role["role"]),
            "event store",
            kept.record if same else None,
            kept.operator if same else None,
        )

    def _of_file(self) -> Remembered:
        if self._file is None or not self._file.exists():
            return Remembered(source="nothing: no event store answers, and no state is kept in a file")
        try:
            content = json.loads(self._file.read_text())
            time, role = float(content["time"]), Role(content["role"])
            state = State.from_payload(content["state"])
            if time > self._now() + _AHEAD:
                return Remembered(source=f"nothing: {self._file} is of another run")
            # Files of former versions have neither.
            record, operator = content.get("record"), content.get("operator")
            return Remembered(
                state,
                str(content["docking_id"]),
                role,
                str(self._file),
                None if record is None else Record.from_payload(record),
                None if operator is None else (int(operator[0]), str(operator[1])),
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self._file}: no state of docking: {error}") from error

    def _now(self) -> float:
        return self._node.time.now() + self._node.time.ahead
