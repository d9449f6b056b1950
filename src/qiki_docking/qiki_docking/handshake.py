"""Exchange of an end that docks with the end that it docks to, as quantities of the docking machine."""

from dataclasses import dataclass

from qiki_docking.evidence import Sample
from qiki_docking.exchange import DockState, PortOffer
from qiki_docking.passport import Terms, Verdict
from qiki_docking.phases import Phase
from qiki_docking.reasons import Reason
from qiki_docking.values import Order
from qiki_vehicle.docking import Bridge


@dataclass(frozen=True)
class OwnSide:
    """This end's side of the exchange.

    Attributes:
        body: own name. order: of the docking.
        phase: of the docking. nonce: of it.
        profile_allowed, power_cleared: see `DockState`.
    """

    body: str
    order: Order
    phase: Phase
    nonce: str
    profile_allowed: bool
    power_cleared: bool

    def terms(self, offer: PortOffer, limits: Bridge) -> Terms:
        """Own statement to the end that makes the offer. limits: of the own bridge."""
        order = self.order
        return Terms(
            self.body, order.own_port, order.partner, order.partner_port, order.profile,
            limits.volts_max, limits.current_max, self.nonce, offer.nonce,
        )  # fmt: skip

    def partner_terms(self, offer: PortOffer, partner: DockState) -> Terms:
        """Statement of the end that makes the offer, as its messages give it."""
        order = self.order
        return Terms(
            partner.body, offer.port, self.body, order.own_port, order.profile,
            partner.volts_max, partner.current_max, offer.nonce, self.nonce,
        )  # fmt: skip


def link_sample(own: OwnSide, partner: DockState, bridge: Bridge, verdict: Verdict | None) -> Sample:
    """Quantities of the source "link", stamped by the partner's state: without new states they age, and are void.

    The nonces agree once the partner returns ours and offers its own, which is returned with the next state.
    `limits_agreed`: the partner bears what the own switchgear lets through.

    Args:
        verdict: on the partner's passport; None: it is not judged yet.
    """
    values = {
        "link_alive": True,
        "identity_valid": partner.identity == partner.body == own.order.partner,
        "limits_agreed": partner.volts_max >= bridge.volts_max and partner.current_max >= bridge.current_max,
    }
    offer = partner.offer(own.order.partner_port)
    # An offer to another body says nothing of this docking.
    if offer is None or offer.holder != own.body:
        offer = PortOffer(own.order.partner_port, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    values |= {
        "port_reserved": offer.holder == own.body,
        "nonce_echoed": bool(own.nonce and offer.nonce) and offer.echo == own.nonce,
        "states_agree": offer.holder == own.body and offer.phase is own.phase,
        "profile_agreed": offer.profile_allowed and own.profile_allowed,
        "power_cleared": offer.power_cleared and own.power_cleared,
    }
    if verdict is not None:
        values |= verdict.flags | {"passport_accepted": offer.holder_refusal is Reason.NONE}
    return Sample(partner.stamp, {name: float(value) for name, value in values.items()})
