"""Other bodies by the names of their topics, which anybody can make."""

from types import SimpleNamespace

import pytest
from air import VEHICLE

from qiki_msgs.msg import DockingState
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.ros.neighbours import Neighbours

pytestmark = pytest.mark.requirement("XPDR-60")


def test_no_more_bodies_are_followed_than_allowed_and_a_body_that_moves_is_no_station():
    followed, refused, topics = {}, [], []
    node = SimpleNamespace(get_topic_names_and_types=lambda: topics, add_timer=lambda *_: None)
    node.clock_runs, node.seconds = True, lambda: 10.0
    node.log = SimpleNamespace(warning=lambda _text, **fields: refused.append(fields["reason"]))
    node.create_subscription = lambda _kind, topic, take, _qos: followed.update({topic: take})
    metrics = SimpleNamespace(refuse=lambda *_: None)
    neighbours = Neighbours(node, "alpha", VEHICLE, OwnMotion(), metrics)
    topics += [(f"/b{number}/docking", ["qiki_msgs/msg/DockingState"]) for number in range(70)]
    topics += [("/b1/odom", ["nav_msgs/msg/Odometry"]), ("/b2/odom", ["nav_msgs/msg/Odometry"])]
    neighbours.look()
    assert len(followed) == 65, "and the own sensor"
    assert refused[0] == "/b64/docking: 64 bodies are followed; allowed: 64"
    assert len(refused) == 6
    del topics[-1]  # b2 has lost its odometry
    neighbours.look()
    for body in ("b0", "b1", "b2"):
        message = DockingState(body=body)
        message.header.stamp.sec = 10
        followed[f"/{body}/docking"](message)
    known = neighbours.bodies.known(None, 10.0)
    assert [(one.name, one.station) for one in known] == [("b0", True), ("b1", False), ("b2", True)]
