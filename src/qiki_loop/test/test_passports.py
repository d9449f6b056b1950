"""Docking with keys of both ends, of one alone, of none: contacts close for proven partners, or for plain names."""

from dataclasses import dataclass, field

import pytest
from docked import bot, loop, scenario, until

from qiki_docking import Reason
from qiki_docking.bridge import Role
from qiki_docking.passport import Passports
from qiki_vehicle.keys import KeyRing, OwnKeys

pytestmark = pytest.mark.requirement("DOCK-33")

OWN = {body: OwnKeys.fresh() for body in ("alpha", "bravo")}
RING = KeyRing(
    members={own.identity: (own.public(0),) for own in OWN.values()},
    bodies={own.identity: body for body, own in OWN.items()},
)


@dataclass
class Held:
    """Keys in memory."""

    own: OwnKeys | None = None
    ring: KeyRing = field(default_factory=KeyRing)


@pytest.mark.parametrize(
    ("holders", "reason", "proven"),
    [
        (("alpha", "bravo"), Reason.DOCKED, True),
        ((), Reason.DOCKED, False),
        (("alpha",), Reason.PASSPORT_UNSIGNED, False),
        (("bravo",), Reason.PASSPORT_REFUSED, False),
    ],
)
def test_contacts_close_for_proven_partners_or_for_plain_names(tmp_path, holders, reason, proven):
    options = {body: {"passports": Passports(Held(OWN[body], RING))} for body in holders}
    mated = [("alpha", "B", "bravo", "A")]
    bots = [bot("alpha"), bot("bravo")]
    options["bravo"] = {**options.get("bravo", {}), "role": Role.SOURCE}
    docking = loop(scenario(tmp_path, bots, station=False, docked=mated), options=options)
    assert docking.cores["alpha"].dock("bravo", "A", "B", now=docking.now).accepted
    until(docking, "alpha", "BRIDGE", "UNDOCKING")
    assert docking.cores["alpha"].state.reason is reason
    docking.loop.run(1.0)
    assert any(port.contacts_closed for port in docking.loop.world.dock("alpha").ports) is (reason is Reason.DOCKED)
    shown = {body: docking.outputs[body].state for body in ("alpha", "bravo")}
    assert (shown["alpha"].partner_identity == OWN["bravo"].identity) is proven
    assert (shown["bravo"].offer("A").holder_identity == OWN["alpha"].identity) is proven
