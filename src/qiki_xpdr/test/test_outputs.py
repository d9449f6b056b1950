"""Tracks are made into messages for subscribers alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from air import VEHICLE, observer
from sky import frame
from test_guard import RULES

from qiki_xpdr import GuardTable, Watch
from qiki_xpdr.geometry import AT_ORIGIN
from qiki_xpdr.ros import outputs

pytestmark = pytest.mark.requirement("XPDR-60")


class Publisher:
    """Publisher with a number of subscribers."""

    def __init__(self):
        self.subscribers, self.sent = 0, []

    def get_subscription_count(self):
        return self.subscribers

    def publish(self, message):
        self.sent.append(message)


def test_without_a_subscriber_no_track_is_converted_and_a_late_one_gets_the_next_frame(monkeypatch):
    publishers = {}
    node = SimpleNamespace(
        create_lifecycle_publisher=lambda _, topic, __: publishers.setdefault(topic, Publisher()),
    )
    made = outputs.Outputs(node, "alpha", 30.0, 6.0)
    rows, _ = frame(np.random.default_rng(1), [(0.0, 60.0, 0.0)], [(0.0, 0.0, 0.0)], detection=1.0)
    seen = Watch(VEHICLE, observer(), GuardTable(RULES)).frame(100.0, rows, AT_ORIGIN)
    converted, reports = [], outputs.reports
    monkeypatch.setattr(outputs, "reports", lambda *args: converted.append(args) or reports(*args))
    made.tracks(seen, 100.0, 100.01, len(rows), 0)
    assert (converted, publishers["tracks"].sent) == ([], [])
    publishers["tracks"].subscribers = 1
    made.tracks(seen, 100.0, 100.01, len(rows), 0)
    assert [track.id for track in publishers["tracks"].sent[0].tracks] == ["alpha-1"]
