"""Other bodies by the names of their topics, which anybody can make."""

from types import SimpleNamespace

import pytest

from qiki_docking.ros.partners import Partners

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
