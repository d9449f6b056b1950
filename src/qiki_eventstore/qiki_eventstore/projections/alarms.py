"""Which alarms are active: folded over `<bot>/*`, or over `*` for the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from qiki_eventstore.events import RecordedEvent
from qiki_eventstore.projections.fold import Fold


@dataclass(frozen=True)
class Alarm:
    """An alarm that was raised.

    Attributes:
        stream: in which it was raised.
        alarm: its identity in that stream.
        severity: INFO, WARNING, CRITICAL, or UNKNOWN.
        text: for people, as raised last.
        raised: event time, ns, at which it was raised first.
        times: how often it was raised while active.
        acknowledged_by: operator; empty: nobody.
        value: raised last with; None: unknown.
        limit: of its rule; None: unknown.
        cleared: event time, ns; None: it is active.
    """

    stream: str
    alarm: str
    severity: str
    text: str
    raised: int
    times: int
    acknowledged_by: str
    value: float | None
    limit: float | None
    cleared: int | None = None


@dataclass(frozen=True)
class Alarms:
    """The alarms that are active, in the order of raising, and counts of all so far.

    Attributes:
        active: those that are active.
        last_cleared: the alarm that was cleared last.
        raised: alarms that became active.
        cleared: alarms that were cleared.
        changed: event time, ns, of the last change.
    """

    active: tuple[Alarm, ...] = ()
    last_cleared: Alarm | None = None
    raised: int = 0
    cleared: int = 0
    changed: int | None = None


def _find(state: Alarms, event: RecordedEvent, data: Mapping[str, Any]) -> Alarm | None:
    return next((one for one in state.active if (one.stream, one.alarm) == (event.stream, data["alarm"])), None)


def _raised(state: Alarms, event: RecordedEvent, data: Mapping[str, Any]) -> Alarms:
    before = _find(state, event, data)
    fresh = {name: data[name] for name in ("severity", "text", "value", "limit")}
    if before is None:
        alarm = Alarm(event.stream, data["alarm"], raised=event.time, times=1, acknowledged_by="", **fresh)
        return replace(state, active=(*state.active, alarm), raised=state.raised + 1, changed=event.time)
    return _replaced(state, before, replace(before, times=before.times + 1, **fresh), event)


def _acknowledged(state: Alarms, event: RecordedEvent, data: Mapping[str, Any]) -> Alarms:
    before = _find(state, event, data)
    if before is None:
        return state
    return _replaced(state, before, replace(before, acknowledged_by=data["operator"]), event)


def _cleared(state: Alarms, event: RecordedEvent, data: Mapping[str, Any]) -> Alarms:
    before = _find(state, event, data)
    if before is None:
        return state
    return Alarms(
        active=tuple(one for one in state.active if one is not before),
        last_cleared=replace(before, cleared=event.time),
        raised=state.raised,
        cleared=state.cleared + 1,
        changed=event.time,
    )


def _replaced(state: Alarms, before: Alarm, after: Alarm, event: RecordedEvent) -> Alarms:
    active = tuple(after if one is before else one for one in state.active)
    return replace(state, active=active, changed=event.time)


ALARMS: Final = Fold(
    "alarms",
    1,
    Alarms,
    {"alarm.raised": _raised, "alarm.acknowledged": _acknowledged, "alarm.cleared": _cleared},
)
