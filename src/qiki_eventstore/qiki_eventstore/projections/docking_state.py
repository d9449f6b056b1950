"""Whether and how a bot is docked: folded over `<bot>/*` or `<bot>/docking`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.projections.fold import Fold


@dataclass(frozen=True)
class DockingState:
    """State of the docking machine and of the bridge. None: not known yet.

    Attributes:
        state: of the docking machine.
        reason: why.
        port: of the bot; empty: none.
        partner: whom it docks to; empty: nobody.
        partner_port: of the partner.
        failed_attempts: since the beginning.
        last_failure: reason code of the last failed attempt.
        bridge: state of the bridge.
        bridge_profile: POWER, DATA, FULL; empty: none.
        changed: event time, ns, of the last change.
    """

    state: str | None = None
    reason: str = ""
    port: str = ""
    partner: str = ""
    partner_port: str = ""
    failed_attempts: int = 0
    last_failure: str = ""
    bridge: str | None = None
    bridge_profile: str = ""
    changed: int | None = None


def _state_changed(state: DockingState, event: RecordedEvent, data: Mapping[str, Any]) -> DockingState:
    fields = ("state", "reason", "port", "partner", "partner_port")
    return replace(state, **{name: data[name] for name in fields}, changed=event.time)


def _attempt_failed(state: DockingState, event: RecordedEvent, data: Mapping[str, Any]) -> DockingState:
    failed = state.failed_attempts + 1
    return replace(state, failed_attempts=failed, last_failure=data["reason_code"], changed=event.time)


def _bridge_changed(state: DockingState, event: RecordedEvent, data: Mapping[str, Any]) -> DockingState:
    return replace(state, bridge=data["state"], bridge_profile=data["profile"], changed=event.time)


DOCKING_STATE: Final = Fold(
    "docking",
    1,
    DockingState,
    {
        "docking.state_changed": _state_changed,
        "docking.attempt_failed": _attempt_failed,
        "docking.bridge_changed": _bridge_changed,
    },
)
