"""Part of a body in the exchange: states of its partners in, its own state out."""

from collections.abc import Mapping
from dataclasses import replace

from qiki_docking.active import ActiveEnd
from qiki_docking.exchange import DockState
from qiki_docking.handshake import OwnSide, link_sample
from qiki_docking.own_bridges import OwnBridges
from qiki_docking.passive import PassivePorts
from qiki_docking.passport import Passports, Verdict
from qiki_docking.phases import MATED, UNDER_WAY
from qiki_docking.shown import of_active, of_passive
from qiki_docking.values import Order, Profile
from qiki_vehicle import Vehicle


class OwnExchange:
    """Exchange of the active and the passive ends of one body. `now` in s.

    Args:
        profiles: of bridges that are allowed. passports: of the body.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        body: str,
        own: ActiveEnd,
        passive: PassivePorts,
        bridges: OwnBridges,
        *,
        profiles: frozenset[Profile],
        passports: Passports,
    ) -> None:
        self._vehicle, self._body, self._profiles = vehicle, body, profiles
        self._own, self._passive, self._bridges, self._passports = own, passive, bridges, passports
        self._verdict: Verdict | None = None
        self._partners: dict[str, DockState] = {}

    @property
    def partners(self) -> Mapping[str, DockState]:
        """Latest state of each other body, by name."""
        return self._partners

    def partner(self, state: DockState, now: float) -> None:
        """Take the state of another body in; one that is older than the last is ignored."""
        known = self._partners.get(state.body)
        age = self._vehicle.docking.validity.max_age
        if state.body == self._body or (known and known.stamp - age <= state.stamp <= known.stamp):
            return
        self._partners[state.body] = state
        self._passive.partner(state, now)
        machine = self._own.machine
        order = machine.state.order
        if order is not None and order.partner == state.body:
            side = self._side(order)
            self._verdict = self._judged(side, state, now)
            machine.observe(link_sample(side, state, self._vehicle.bridge, self._verdict), now)
            self._own.requested(state.offer(order.partner_port), now)
            # Both were ordered at the same moment: one gives way.
            if state.active and state.partner == self._body > state.body and state.phase in UNDER_WAY:
                machine.cancel(now)

    def state(self, now: float) -> DockState:
        """State for the other bodies."""
        order = self._own.machine.state.order
        offers = tuple(self._passive.offers(now, self._bridges.cleared))
        if order is not None:
            partner = self._partners.get(order.partner)
            side, vehicle = self._side(order), self._vehicle
            shown = of_active(now, self._own, side, partner, offers=offers, vehicle=vehicle)
            offer = None if partner is None else partner.offer(order.partner_port)
            if offer is None or offer.holder != self._body:
                return shown
            passport = self._passports.issue(side.terms(offer, vehicle.bridge), now)
            identity = "" if self._verdict is None else self._verdict.identity
            return replace(shown, passport=passport, partner_identity=identity)
        guest = next(iter(self._passive.guests.values()), None)
        state = None if guest is None else guest.state
        passive = of_passive(now, self._own, self._body, state, offers=offers, vehicle=self._vehicle)
        verdict = None if guest is None else guest.verdict
        return passive if verdict is None else replace(passive, partner_identity=verdict.identity)

    def _judged(self, side: OwnSide, partner: DockState, now: float) -> Verdict | None:
        """Verdict on the passport of a partner that is locked; None: it is not, so that nobody else costs a check."""
        offer = partner.offer(side.order.partner_port)
        if side.phase not in MATED or offer is None or offer.holder != self._body:
            return None
        return self._passports.judge(offer.passport, side.partner_terms(offer, partner), now)

    def _side(self, order: Order) -> OwnSide:
        edge = self._own.edge
        assert edge is not None
        cleared = not self._bridges.network.clearance(edge)
        allowed = order.profile in self._profiles
        return OwnSide(self._body, order, self._own.machine.phase, self._own.nonce, allowed, cleared)
