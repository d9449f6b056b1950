"""Docking in which a body is found at its start: taken over as soon as sensors and partner show it."""

from collections.abc import Mapping

from qiki_docking.active import ActiveEnd
from qiki_docking.exchange import DockState
from qiki_docking.phases import Phase
from qiki_docking.readings import is_mated
from qiki_docking.values import Order


class FoundDocked:
    """Takes over closed contacts as a bridge at once, latches with open contacts by the first order to undock.

    Attributes:
        order: the docking in which the body may be found; None: in none, or that is settled.
    """

    def __init__(self, order: Order | None, own: ActiveEnd) -> None:
        self.order, self._own = order, own

    def adopt(self, partners: Mapping[str, DockState], now: float, *, ordered: bool = False) -> None:
        """Take over what the hardware shows. partners: latest states; ordered: with open contacts too. `now`: s."""
        order = self.order
        if order is None:
            return
        reading, partner = self._own.recent.port(order.own_port), partners.get(order.partner)
        if self._own.machine.phase is not Phase.FREE or (reading is not None and not is_mated(reading)):
            self.order = None  # another order came first, or the ports are apart
            return
        if reading is None or partner is None or partner.offer(order.partner_port) is None:
            return
        if reading.contacts_closed is True or ordered:
            self.order = None
            self._own.adopt(order, partner, closed=reading.contacts_closed is True, now=now)

    @property
    def pending(self) -> bool:
        """A bridge may be found closed, and is not adopted yet: power stays as it is."""
        reading = None if self.order is None else self._own.recent.port(self.order.own_port)
        return self.order is not None and (reading is None or reading.contacts_closed is not False)
