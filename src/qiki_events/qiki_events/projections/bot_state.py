"""State and flight of a bot's allocator: folded over `<bot>/*` or `<bot>/allocator`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qiki_events.projection import StoredEvent
from qiki_events.projections.fold import Fold


@dataclass(frozen=True)
class Thruster:
    """`health`: OK, DEAD, STUCK_OPEN or WEAK; `share`: 0..1, of its thrust, that opening it gives."""

    health: str
    share: float


@dataclass(frozen=True)
class Profile:
    """A thrust profile that is flown.

    Attributes:
        command_id: of the command that asked for it.
        started: event time, ns; None: before the allocator's clock was set back or its event stream began.
    """

    command_id: str
    started: int | None


@dataclass(frozen=True)
class EndedProfile:
    """A thrust profile that was flown. `outcome`: EXECUTED, FAILED, CANCELED, TIMEOUT, None if unknown; `ended`: ns."""

    command_id: str
    outcome: str | None
    reason: str
    ended: int


@dataclass(frozen=True)
class Fault:
    """The last finding about thrusters.

    Attributes:
        time: event time, ns.
        finding: text for people.
        source: hardware or motion.
        thrusters: concerned.
        health: theirs; None: nothing is done about it.
    """

    time: int
    finding: str
    source: str
    thrusters: tuple[int, ...]
    health: str | None


@dataclass(frozen=True)
class BotState:
    """State of the allocator. None: not known yet.

    Attributes:
        mode: AUTO, ADAPTIVE, MANUAL_OVERRIDE.
        armed: levels of single thrusters may be commanded.
        gate: STABILISE, HOLD, BOOST.
        gate_reason: reason of the gate; empty if unknown.
        attitude_mode: OFF, DAMP, HOLD.
        modulator: pulse_width, pwpf, bang_bang, impulse_bit.
        thrusters: by index, as far as they are known.
        profile: that is flown.
        last_profile: that was flown last.
        last_fault: found last.
        last_stop: event time, ns, at which the watchdog closed the valves last.
        changed: event time, ns, of the last change.
    """

    mode: str | None = None
    armed: bool | None = None
    gate: str | None = None
    gate_reason: str = ""
    attitude_mode: str | None = None
    modulator: str | None = None
    thrusters: Mapping[int, Thruster] = field(default_factory=dict)
    profile: Profile | None = None
    last_profile: EndedProfile | None = None
    last_fault: Fault | None = None
    last_stop: int | None = None
    changed: int | None = None


def _configured(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    command_id = data["profile"]
    known = state.profile if state.profile and state.profile.command_id == command_id else None
    return replace(
        state,
        mode=data["mode"],
        armed=data["armed"],
        gate=data["gate"],
        gate_reason="",
        attitude_mode=data["attitude_mode"],
        modulator=data["modulator"],
        thrusters={index: Thruster(**thruster) for index, thruster in enumerate(data["health"])},
        profile=None if command_id is None else known or Profile(command_id, None),
        changed=event.time,
    )


def _mode_changed(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    return replace(state, mode=data["mode"], changed=event.time)


def _armed(state: BotState, event: StoredEvent, _data: Mapping[str, Any]) -> BotState:
    return replace(state, armed=event.type == "allocator.armed", changed=event.time)


def _gate_changed(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    return replace(state, gate=data["gate"], gate_reason=data["reason"], changed=event.time)


def _attitude_mode_changed(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    return replace(state, attitude_mode=data["attitude_mode"], changed=event.time)


def _modulator_changed(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    return replace(state, modulator=data["modulator"], changed=event.time)


def _health_changed(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    thruster = Thruster(data["health"], data["share"])
    return replace(state, thrusters={**state.thrusters, data["thruster"]: thruster}, changed=event.time)


def _profile_started(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    return replace(state, profile=Profile(data["profile"], event.time), changed=event.time)


def _profile_ended(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    ended = EndedProfile(data["profile"], data["outcome"], data["reason"], event.time)
    return replace(state, profile=None, last_profile=ended, changed=event.time)


def _fault_detected(state: BotState, event: StoredEvent, data: Mapping[str, Any]) -> BotState:
    fault = Fault(event.time, data["finding"], data["source"], tuple(data["thrusters"]), data["health"])
    return replace(state, last_fault=fault, changed=event.time)


def _watchdog_stopped(state: BotState, event: StoredEvent, _data: Mapping[str, Any]) -> BotState:
    return replace(state, last_stop=event.time, changed=event.time)


BOT_STATE: Final = Fold(
    "bot",
    2,
    BotState,
    {
        "allocator.configured": _configured,
        "allocator.mode_changed": _mode_changed,
        "allocator.armed": _armed,
        "allocator.disarmed": _armed,
        "allocator.gate_changed": _gate_changed,
        "allocator.attitude_mode_changed": _attitude_mode_changed,
        "allocator.modulator_changed": _modulator_changed,
        "allocator.thruster_health_changed": _health_changed,
        "allocator.profile_started": _profile_started,
        "allocator.profile_ended": _profile_ended,
        "allocator.fault_detected": _fault_detected,
        "allocator.watchdog_stopped": _watchdog_stopped,
    },
)
