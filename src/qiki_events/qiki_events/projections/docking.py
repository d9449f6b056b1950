"""Docking of one body: folded over `<body>/docking`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from qiki_events.projection import StoredEvent
from qiki_events.projections.fold import Fold


@dataclass(frozen=True)
class EndedDocking:
    """The docking that ended last; `report`: fields of its `docking.ended`."""

    ended: int
    report: Mapping[str, Any]


@dataclass(frozen=True)
class DockingState:
    """State of docking. None: not known yet.

    Attributes:
        state: fields of the newest `docking.phase_changed`, which is the whole state of the machine.
        docking_id: of the docking under way or the last one; empty: none.
        started: event time, ns, of it.
        role: SOURCE, SINK, RELAY.
        edges: state of the switchgear of each own bridge that was ever closed.
        shed: loads that are cut, as body/load.
        last: docking that ended last.
        changed: event time, ns, of the last change.
    """

    state: Mapping[str, Any] | None = None
    docking_id: str = ""
    started: int | None = None
    role: str | None = None
    edges: Mapping[str, str] | None = None
    shed: tuple[str, ...] = ()
    last: EndedDocking | None = None
    changed: int | None = None


def _phase_changed(state: DockingState, event: StoredEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, state=data, changed=event.time)


def _started(state: DockingState, event: StoredEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, docking_id=data["docking_id"], started=event.time, changed=event.time)


def _ended(state: DockingState, event: StoredEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, last=EndedDocking(event.time, data), changed=event.time)


def _edge_changed(state: DockingState, event: StoredEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, edges={**(state.edges or {}), data["edge"]: data["state"]}, changed=event.time)


def _shed(state: DockingState, event: StoredEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, shed=tuple(data["shed"]), changed=event.time)


def _role_changed(state: DockingState, event: StoredEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, role=data["role"], changed=event.time)


DOCKING: Final = Fold(
    "docking",
    1,
    DockingState,
    {
        "docking.phase_changed": _phase_changed,
        "docking.started": _started,
        "docking.ended": _ended,
        "bridge.edge_changed": _edge_changed,
        "bridge.shed": _shed,
        "bridge.role_changed": _role_changed,
    },
)
