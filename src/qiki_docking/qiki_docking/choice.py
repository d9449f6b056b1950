"""Choice of ports where an order leaves them open."""

import math
from collections.abc import Iterable

import numpy as np

from qiki_docking.exchange import DockState
from qiki_vehicle import Port, quaternion
from qiki_vehicle.port_hardware import Sight


def partner_port(partner: DockState, sights: Iterable[Sight], body: str) -> str:
    """Nearest port of the partner in sight that it offers, fit and free or held for `body`; empty: none."""
    usable = {offer.port for offer in partner.offers if offer.fit and offer.holder in ("", body)}
    near = [
        (float(np.linalg.norm(sight.position)), sight.target_port)
        for sight in sights
        if sight.target == partner.body and sight.target_port in usable
    ]
    return min(near)[1] if near else ""


def own_port(ports: Iterable[Port], partner: DockState, sights: Iterable[Sight], target: str) -> str:
    """Of `ports`, that whose axis has to turn least to oppose the axis of the partner's port `target`; empty: none."""
    offer = partner.offer(target)
    seen = [sight for sight in sights if sight.target == partner.body and sight.target_port == target]
    if offer is None or not seen:
        return ""
    axis = -quaternion.rotate(seen[-1].orientation, np.array(offer.axis))
    turns = [(math.acos(min(max(float(axis @ np.array(port.axis)), -1.0), 1.0)), port.name) for port in ports]
    return min(turns)[1] if turns else ""
