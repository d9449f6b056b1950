"""DockingState and BridgeState to values and back."""

import math
from array import array
from typing import Any, Final

from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.bridge.values import Role
from qiki_docking.exchange import BridgeEdgeStatus, BridgeStatus, DockState, PortOffer, Vector
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.values import Profile
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState
from qiki_msgs.msg import PortOffer as PortOfferMessage
from qiki_node import stamps

PHASES: Final = {phase: getattr(DockingState, phase.name) for phase in Phase}
_PHASES: Final = {number: phase for phase, number in PHASES.items()}
_PROFILES: Final[dict[Profile | None, int]] = {
    None: 0,
    **{profile: getattr(DockingState, profile.name) for profile in Profile},
}
_ROLES: Final = {role: getattr(BridgeState, role.name) for role in Role}
_EDGES: Final = {state: getattr(BridgeEdge, state.name) for state in EdgeState}

_FARTHEST: Final = 1e3
"""m, from the origin of its body to a port."""

_TEXTS: Final = (
    "body",
    "step",
    "docking_id",
    "text",
    "partner",
    "partner_port",
    "own_port",
    "nonce",
    "echo",
    "identity",
    "partner_identity",
)
_FLAGS: Final = ("active", "confirmed", "profile_allowed", "power_cleared")
_NUMBERS: Final = (
    "volts_max",
    "current_max",
    "range",
    "closing",
    "lateral_offset",
    "lateral_rate",
    "tilt",
    "tilt_rate",
    "roll",
    "roll_rate",
)
_OFFER: Final = (
    "port",
    "holder",
    "fit",
    "reason",
    "nonce",
    "echo",
    "holder_identity",
    "profile_allowed",
    "power_cleared",
    "undock",
)
_EDGE_TEXTS: Final = ("name", "port", "partner", "partner_port", "fault")
_EDGE_NUMBERS: Final = ("resistance", "volts", "current", "expected", "temperature")


def fill_docking(message: DockingState, state: DockState) -> None:
    """Put all but the header into a message."""
    for name in (*_TEXTS, *_FLAGS):
        setattr(message, name, getattr(state, name))
    for name in _NUMBERS:
        setattr(message, name, float(getattr(state, name)))
    message.phase, message.passport = PHASES[state.phase], state.passport
    message.tries = min(state.tries, 255)
    message.checks = list(state.checks)
    message.reason = int(state.reason)
    message.profile = _PROFILES[state.profile]
    message.offers = [_offer_message(offer) for offer in state.offers]
    message.margins = array("f", state.margins)
    message.margins_predicted = array("f", state.margins_predicted)


def _offer_message(offer: PortOffer) -> PortOfferMessage:
    message = PortOfferMessage(phase=PHASES[offer.phase], passport=offer.passport)
    message.holder_refusal = int(offer.holder_refusal)
    for name in _OFFER:
        setattr(message, name, getattr(offer, name))
    for target, values in ((message.position, offer.position), (message.axis, offer.axis)):
        target.x, target.y, target.z = (float(value) for value in values)
    return message


def docking_state(message: DockingState, ahead: float = 0.0) -> DockState:
    """State of another body; `ahead`: s that ROS time is ahead of control time, here and below.

    Raises:
        ValueError: an enumeration has a value that is none, or an offer the geometry of no port; naming it.
    """
    values: dict[str, Any] = {name: getattr(message, name) for name in (*_TEXTS, *_FLAGS, *_NUMBERS)}
    return DockState(
        stamp=stamps.seconds(message.header.stamp) - ahead,
        phase=_choice("phase", message.phase, _PHASES),
        tries=message.tries,
        checks=tuple(message.checks),
        reason=_reason(message.reason),
        profile=_choice("profile", message.profile, {number: profile for profile, number in _PROFILES.items()}),
        offers=tuple(_offer(offer) for offer in message.offers),
        margins=tuple(message.margins),
        margins_predicted=tuple(message.margins_predicted),
        passport=bytes(message.passport),
        **values,
    )


def _offer(message: PortOfferMessage) -> PortOffer:
    values = {name: getattr(message, name) for name in _OFFER}
    phase = _choice("offers.phase", message.phase, _PHASES)
    position, axis = _vector(message.position), _vector(message.axis)
    # Also refused where a component is not finite.
    if not all(abs(value) <= _FARTHEST for value in position):
        raise ValueError(f"offers.position: {position} m; allowed: at most {_FARTHEST:g} m in size")
    if not 0.999 <= math.hypot(*axis) <= 1.001:
        raise ValueError(f"offers.axis: {axis}; allowed: a vector of length 1")
    return PortOffer(
        position=position,
        axis=axis,
        phase=phase,
        passport=bytes(message.passport),
        holder_refusal=_refusal(message.holder_refusal),
        **values,
    )


def _vector(message: Any) -> Vector:
    return (message.x, message.y, message.z)


def _refusal(code: int) -> Reason:
    """Reason of a refusal; of a code that only a later program knows: some refusal."""
    return Reason.NONE if code == 0 else _reason(code) or Reason.PASSPORT_REFUSED


def _reason(code: int) -> Reason:
    """Reason of a code; of one that only a later program knows: none."""
    try:
        return Reason(code)
    except ValueError:
        return Reason.NONE


def fill_bridge(message: BridgeState, status: BridgeStatus) -> None:
    """Put all but the header into a message."""
    message.body, message.role = status.body, _ROLES[status.role]
    message.source_volts, message.source_power = float(status.source_volts), float(status.source_power)
    message.loads, message.divisible = list(status.loads), list(status.divisible)
    message.wanted, message.served = array("f", status.wanted), array("f", status.served)
    message.priority = array("B", [min(value, 255) for value in status.priority])
    message.edges = [_edge_message(edge) for edge in status.edges]
    message.source, message.depth = status.source, status.depth
    message.shed, message.data_peers = list(status.shed), list(status.data_peers)
    message.commanders, message.capacitance = list(status.commanders), float(status.capacitance)


def _edge_message(edge: BridgeEdgeStatus) -> BridgeEdge:
    message = BridgeEdge(profile=_PROFILES[edge.profile], state=_EDGES[edge.state])
    for name in _EDGE_TEXTS:
        setattr(message, name, getattr(edge, name))
    for name in _EDGE_NUMBERS:
        setattr(message, name, float(getattr(edge, name)))
    message.standby = edge.standby
    return message


def bridge_status(message: BridgeState, ahead: float = 0.0) -> BridgeStatus:
    """Another body's part of the network.

    Raises:
        ValueError: an enumeration has a value that is none, or lists of loads differ in length; naming it.
    """
    lengths = {name: len(getattr(message, name)) for name in ("loads", "wanted", "priority", "divisible", "served")}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"lengths of lists: {lengths}; allowed: all alike")
    return BridgeStatus(
        stamp=stamps.seconds(message.header.stamp) - ahead,
        body=message.body,
        role=_choice("role", message.role, {number: role for role, number in _ROLES.items()}),
        source_volts=message.source_volts,
        source_power=message.source_power,
        loads=tuple(message.loads),
        wanted=tuple(message.wanted),
        priority=tuple(message.priority),
        divisible=tuple(message.divisible),
        served=tuple(message.served),
        edges=tuple(_edge(edge) for edge in message.edges),
        source=message.source,
        depth=message.depth,
        shed=tuple(message.shed),
        data_peers=tuple(message.data_peers),
        commanders=tuple(message.commanders),
        capacitance=message.capacitance,
    )


def _edge(message: BridgeEdge) -> BridgeEdgeStatus:
    values = {name: getattr(message, name) for name in (*_EDGE_TEXTS, *_EDGE_NUMBERS, "standby")}
    profiles = {number: profile for profile, number in _PROFILES.items() if profile is not None}
    profile = _choice("edges.profile", message.profile, profiles)
    state = _choice("edges.state", message.state, {number: state for state, number in _EDGES.items()})
    return BridgeEdgeStatus(profile=profile, state=state, **values)


def _choice(field: str, value: int, choices: Any) -> Any:
    if value not in choices:
        raise ValueError(f"{field}: {value}; allowed: {', '.join(f'{key} ({name})' for key, name in choices.items())}")
    return choices[value]
