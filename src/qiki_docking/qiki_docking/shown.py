"""State of a body's docking as the other bodies read it."""

from dataclasses import replace

from qiki_docking.active import ActiveEnd
from qiki_docking.contact import UNITS, ContactBox
from qiki_docking.exchange import DockState, PortOffer
from qiki_docking.handshake import OwnSide
from qiki_vehicle import Vehicle


def of_passive(
    now: float,
    own: ActiveEnd,
    body: str,
    guest: DockState | None,
    *,
    offers: tuple[PortOffer, ...],
    vehicle: Vehicle,
) -> DockState:
    """Of a body that has no order; guest: state of a partner that docks to it, whose phase it repeats. `now`: s."""
    shown = _common(now, own, body, offers, vehicle)
    if guest is None:
        return shown
    return replace(
        shown,
        phase=guest.phase,
        step=guest.step,
        docking_id=guest.docking_id,
        partner=guest.body,
        partner_port=guest.own_port,
        own_port=guest.partner_port,
        profile=guest.profile,
    )


def of_active(
    now: float,
    own: ActiveEnd,
    side: OwnSide,
    partner: DockState | None,
    *,
    offers: tuple[PortOffer, ...],
    vehicle: Vehicle,
) -> DockState:
    """Of a body that docks, to `partner`; side: what it says in the exchange. `now`: s."""
    order = side.order
    offer = None if partner is None else partner.offer(order.partner_port)
    shown = replace(
        _common(now, own, side.body, offers, vehicle),
        active=True,
        partner=order.partner,
        partner_port=order.partner_port,
        own_port=order.own_port,
        profile=order.profile,
        nonce=side.nonce,
        echo=offer.nonce if offer is not None and offer.holder == side.body else "",
        profile_allowed=side.profile_allowed,
        power_cleared=side.power_cleared,
    )
    pilot = own.pilot
    motion = None if pilot is None else pilot.motion
    if pilot is None or motion is None:
        return shown
    if pilot.prediction is not None:
        shown = replace(shown, margins_predicted=tuple(pilot.prediction.margins[name] for name in UNITS))
    margins = ContactBox(vehicle.docking.contact_box).judge(motion).margins
    values = {name: getattr(motion, name) for name in ("range", *UNITS)}
    return replace(shown, margins=tuple(margins[name] for name in UNITS), **values)


def _common(now: float, own: ActiveEnd, body: str, offers: tuple[PortOffer, ...], vehicle: Vehicle) -> DockState:
    state, rules = own.machine.state, vehicle.bridge
    return DockState(
        now,
        body,
        active=False,
        phase=state.phase,
        step=state.step,
        confirmed=own.machine.confirmed,
        tries=state.tries,
        docking_id=own.report.docking_id,
        checks=state.passed,
        reason=state.reason,
        text=state.reason.meaning,
        offers=offers,
        identity=body,
        volts_max=rules.volts_max,
        current_max=rules.current_max,
    )
