"""Plain values that docking bodies exchange: mirrors of DockingState, PortOffer, BridgeState and BridgeEdge."""

import math
from dataclasses import dataclass

from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.bridge.values import Role
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.values import Profile

Vector = tuple[float, float, float]
_NAN = math.nan


@dataclass(frozen=True)
class PortOffer:
    """One port of a body, as it is offered to partners, and this end's part of the exchange with the body docked to it.

    Attributes:
        port: name.
        position: m in base_link, centre of the mating face.
        axis: unit vector in base_link, outward.
        holder: body for which it is reserved; empty: free.
        fit: no fault on board stands against its use.
        reason: text of why it is not fit, or of a refusal of its holder; empty: none.
        phase: of the docking at this port, repeated from its holder; FREE: none.
        nonce: of this end for that docking; empty: none.
        echo: the holder's nonce, returned.
        passport: own, for the holder alone; empty: none. holder_identity: id that its passport proves; empty: none.
        holder_refusal: of its passport; NONE: it is accepted.
        profile_allowed: the holder's profile is allowed here.
        power_cleared: the power budget of this end allows the bridge.
        undock: the holder is requested to undock.
    """

    port: str
    position: Vector
    axis: Vector
    holder: str = ""
    fit: bool = True
    reason: str = ""
    phase: Phase = Phase.FREE
    nonce: str = ""
    echo: str = ""
    passport: bytes = b""
    holder_identity: str = ""
    holder_refusal: Reason = Reason.NONE
    profile_allowed: bool = False
    power_cleared: bool = False
    undock: bool = False


@dataclass(frozen=True)
class DockState:
    """State of a body's docking, and its side of the exchange with the partner that it docks to.

    Of a body that docks to none, but is docked to, phase, partner, ports and profile are those of that docking.

    Attributes:
        stamp: s.
        body: own name.
        active: this end docks; False: it is docked to, or free.
        phase, step: of the docking.
        confirmed: the sensors have shown it since the start.
        tries: attempts ended.
        docking_id: of the docking under way or the last one; empty: none.
        checks: passed, in their order.
        reason: of the latest change of phase. text: the same for an operator.
        partner, partner_port, own_port: empty: none.
        profile: None: none.
        offers: all own ports.
        nonce: own, of the own docking. echo: the partner's, returned.
        identity: own.
        passport: own, for the partner alone; empty: none. partner_identity: id that its passport proves; empty: none.
        volts_max: V, current_max: A, limits of the own bridge.
        profile_allowed, power_cleared: this end allows the profile, and the bridge by its power budget.
        range m, closing m/s, lateral_offset m, lateral_rate m/s, tilt rad, tilt_rate rad/s, roll rad, roll_rate rad/s:
            motion against the partner's port, NaN where unknown.
        margins: of the contact box in the order of `contact.UNITS`; empty: unknown.
        margins_predicted: at contact, less three standard deviations; empty: not predicted.
    """

    stamp: float
    body: str
    active: bool = False
    phase: Phase = Phase.FREE
    step: str = "free"
    confirmed: bool = True
    tries: int = 0
    docking_id: str = ""
    checks: tuple[str, ...] = ()
    reason: Reason = Reason.NONE
    text: str = ""
    partner: str = ""
    partner_port: str = ""
    own_port: str = ""
    profile: Profile | None = None
    offers: tuple[PortOffer, ...] = ()
    nonce: str = ""
    echo: str = ""
    identity: str = ""
    passport: bytes = b""
    partner_identity: str = ""
    volts_max: float = _NAN
    current_max: float = _NAN
    profile_allowed: bool = False
    power_cleared: bool = False
    range: float = _NAN
    closing: float = _NAN
    lateral_offset: float = _NAN
    lateral_rate: float = _NAN
    tilt: float = _NAN
    tilt_rate: float = _NAN
    roll: float = _NAN
    roll_rate: float = _NAN
    margins: tuple[float, ...] = ()
    margins_predicted: tuple[float, ...] = ()

    def offer(self, port: str) -> PortOffer | None:
        """The offer of one port; None: there is no such port."""
        return next((offer for offer in self.offers if offer.port == port), None)


@dataclass(frozen=True)
class BridgeEdgeStatus:
    """A bridge between two docked ports, as one of its ends sees it.

    Attributes:
        name: such as "alpha:A-bravo:B".
        port: own end. partner, partner_port: the other one.
        profile: of the bridge.
        state: of the switchgear, that of the end that docks.
        fault: empty: none.
        resistance: ohm.
        volts: V at the own end, NaN if unknown.
        current: A, positive into the own body, NaN if unknown.
        expected: A, by the network's flow, NaN if unknown.
        temperature: degC, NaN if unknown.
        standby: it carries data only, and this end lets it take over the feeding when another edge is taken out.
    """

    name: str
    port: str
    partner: str
    partner_port: str
    profile: Profile
    state: EdgeState = EdgeState.OPEN
    fault: str = ""
    resistance: float = _NAN
    volts: float = _NAN
    current: float = _NAN
    expected: float = _NAN
    temperature: float = _NAN
    standby: bool = False


@dataclass(frozen=True)
class BridgeStatus:
    """A body's part of the network of bridges.

    Attributes:
        stamp: s.
        body: own name.
        role: in the power network.
        source_volts: V, source_power: W, of a source; NaN: it is none.
        loads: names, the most important first; wanted: W, priority (0 most important), divisible, served: W, of each.
        edges: of the own ports that are mated.
        source: body that feeds this one; empty: none.
        depth: hops from it.
        shed: loads of the whole island that get less than they want, as body/load.
        data_peers: bodies that are reached over data bridges.
        commanders: bodies whose commands over the bridge are accepted.
        capacitance: F behind the contacts of the body, which pre-charge has to fill; NaN if unknown.
    """

    stamp: float
    body: str
    role: Role = Role.RELAY
    source_volts: float = _NAN
    source_power: float = _NAN
    loads: tuple[str, ...] = ()
    wanted: tuple[float, ...] = ()
    priority: tuple[int, ...] = ()
    divisible: tuple[bool, ...] = ()
    served: tuple[float, ...] = ()
    edges: tuple[BridgeEdgeStatus, ...] = ()
    source: str = ""
    depth: int = 0
    shed: tuple[str, ...] = ()
    data_peers: tuple[str, ...] = ()
    commanders: tuple[str, ...] = ()
    capacitance: float = _NAN
