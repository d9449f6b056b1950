"""What a bot's agent is: folded over `<bot>/*` or `<bot>/agent`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.projections.fold import Fold


@dataclass(frozen=True)
class AgentState:
    """What the agent is. None: not known yet.

    Attributes:
        mode: its mode.
        reason: why.
        safe_mode: whether it is in safe mode.
        safe_mode_reason: reason code with which it entered or left safe mode last.
        nodes: state in the lifecycle of each node that it manages.
        changed: event time, ns, of the last change.
    """

    mode: str | None = None
    reason: str = ""
    safe_mode: bool | None = None
    safe_mode_reason: str = ""
    nodes: Mapping[str, str] = field(default_factory=dict)
    changed: int | None = None


def _mode_changed(state: AgentState, event: RecordedEvent, data: Mapping[str, Any]) -> AgentState:
    return replace(state, mode=data["mode"], reason=data["reason"], changed=event.time)


def _safe_mode(state: AgentState, event: RecordedEvent, data: Mapping[str, Any]) -> AgentState:
    entered = event.type == "agent.safe_mode_entered"
    return replace(state, safe_mode=entered, safe_mode_reason=data["reason_code"], changed=event.time)


def _lifecycle_changed(state: AgentState, event: RecordedEvent, data: Mapping[str, Any]) -> AgentState:
    return replace(state, nodes={**state.nodes, data["node"]: data["state"]}, changed=event.time)


AGENT_STATE: Final = Fold(
    "agent",
    1,
    AgentState,
    {
        "agent.mode_changed": _mode_changed,
        "agent.safe_mode_entered": _safe_mode,
        "agent.safe_mode_left": _safe_mode,
        "agent.lifecycle_changed": _lifecycle_changed,
    },
)
