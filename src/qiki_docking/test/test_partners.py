"""Other bodies by the names of their topics, which anybody can make."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from qiki_docking import Reason
from qiki_docking.exchange import DockState, PortOffer
from qiki_docking.ros.exchange_messages import docking_state, fill_docking
from qiki_docking.ros.partners import Partners
from qiki_msgs.msg import DockingState

pytestmark = pytest.mark.requirement("DOCK-8")


def test_no_more_bodies_are_followed_than_allowed_and_the_others_are_named():
    topics = [(f"/b{number}/{kind}", [f"qiki_msgs/msg/{name}State"]) for number in range(70)
              for kind, name in (("docking", "Docking"), ("bridge", "Bridge"))]  # fmt: skip
    followed, refused = [], []
    node = SimpleNamespace(get_topic_names_and_types=lambda: topics)
    node.create_subscription = lambda _kind, topic, *_: followed.append(topic)
    partners = Partners(node, "alpha", print, print, lambda kind, reason: refused.append((kind, reason)))
    for _ in range(2):
        partners.look()
    assert len(followed) == 128
    assert len(partners.bodies) == 64
    assert refused[0] == ("docking", "/b64/docking: 64 bodies are followed; allowed: 64")
    assert len(refused) == 2 * 12


@pytest.mark.requirement("DOCK-33")
def test_passports_and_ids_pass_their_message_and_an_unknown_refusal_is_one():
    offer = PortOffer("A", (0.0, 0.0, 1.0), (0.0, 0.0, 1.0), passport=bytes(range(156)), holder_identity="ALLY-1A2B3C")
    offer = replace(offer, holder_refusal=Reason.PASSPORT_KEY)
    state = DockState(1.0, "alpha", passport=bytes(range(100, 256)), partner_identity="ALLY-4D5E6F", offers=(offer,))
    message = DockingState()
    fill_docking(message, state)
    found = docking_state(message)
    assert (found.passport, found.partner_identity, found.offers) == (state.passport, "ALLY-4D5E6F", (offer,))
    message.offers[0].holder_refusal = 65535
    assert docking_state(message).offers[0].holder_refusal is Reason.PASSPORT_REFUSED
