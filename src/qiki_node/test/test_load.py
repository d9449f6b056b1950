"""A node that gets more than it can do still publishes diagnostics and ends when it is asked to."""

import signal
import sys
import threading
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from qiki_node.testing import NodeProcess, Peer

pytestmark = pytest.mark.realtime

FLOODED = """
import time
from std_msgs.msg import String
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters
from qiki_node.run import run

class Flooded(QikiNode[NodeParameters]):
    def __init__(self):
        super().__init__("flooded", NodeParameters)

    def on_activate_node(self):
        self.create_subscription(String, "flood", lambda _: time.sleep(0.01), 10)
        self.create_timer(0.001, lambda: time.sleep(0.002))

run(Flooded)
"""


def test_diagnostics_and_the_end_come_under_any_load() -> None:
    stop = threading.Event()
    with NodeProcess([sys.executable, "-c", FLOODED], ["-p", "diagnostics_period:=0.2"]) as process, Peer() as peer:
        received: list[float] = []
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", lambda _: received.append(time.monotonic()), 10)
        flood = peer.node.create_publisher(String, "flood", 10)
        peer.spin_until(lambda: flood.get_subscription_count() == 1)

        def publish() -> None:
            while not stop.is_set():
                flood.publish(String())
                time.sleep(0.001)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            peer.spin_for(1.0)  # a backlog of some hundred messages
            received.clear()
            peer.spin_until(lambda: len(received) >= 5)
            process.stop(signal.SIGTERM)
        finally:
            stop.set()
            thread.join()
