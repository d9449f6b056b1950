"""Part of a body in the exchange: states of its partners in, its own state out."""

from collections.abc import Mapping

from qiki_docking.active import ActiveEnd
from qiki_docking.exchange import DockState
from qiki_docking.handshake import OwnSide, link_sample
from qiki_docking.own_bridges import OwnBridges
from qiki_docking.passive import PassivePorts
from qiki_docking.phases import UNDER_WAY
from qiki_docking.shown import of_active, of_passive
from qiki_docking.values import Order, Profile
from qiki_vehicle import Vehicle


class OwnExchange:
    """Exchange of the active and the passive ends of one body. `now` in s.

    Args:
        profiles: of bridges that are allowed.
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
    ) -> None:
        self._vehicle, self._body, self._profiles = vehicle, body, profiles
        self._own, self._passive, self._bridges = own, passive, bridges
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
            machine.observe(link_sample(self._side(order), state, self._vehicle.bridge), now)
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
            return of_active(now, self._own, self._side(order), partner, offers=offers, vehicle=self._vehicle)
        guest = next(iter(self._passive.guests.values()), None)
        shown = None if guest is None else guest.state
        return of_passive(now, self._own, self._body, shown, offers=offers, vehicle=self._vehicle)

    def _side(self, order: Order) -> OwnSide:
        edge = self._own.edge
        assert edge is not None
        cleared = not self._bridges.network.clearance(edge)
        allowed = order.profile in self._profiles
        return OwnSide(self._body, order, self._own.machine.phase, self._own.nonce, allowed, cleared)
