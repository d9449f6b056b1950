"""A node that gets more than it can do keeps its control cycles, diagnostics and answers, and ends when asked to."""

import signal
import sys
import threading
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from std_msgs.msg import String, UInt32MultiArray

from qiki_node.testing import NodeProcess, Peer

pytestmark = pytest.mark.realtime

FLOODED = """
import time
from std_msgs.msg import String, UInt32MultiArray
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters
from qiki_node.run import run

class Flooded(QikiNode[NodeParameters]):
    def __init__(self):
        super().__init__("flooded", NodeParameters)

    def on_activate_node(self):
        self.cycles, self.lamp = 0, self.create_publisher(UInt32MultiArray, "lamp", 10)
        self.messages = 0
        self.create_subscription(String, "flood", self.take, 10)
        self.add_timer(0.02, self.cycle)
        self.add_timer(1.0, self.report)
        self.add_timer(0.001, lambda: time.sleep(0.002))

    def take(self, _):
        self.messages += 1
        time.sleep(0.005)

    def cycle(self):
        self.cycles += 1

    def report(self):
        self.lamp.publish(UInt32MultiArray(data=[self.cycles, self.messages]))

run(Flooded)
"""


def test_cycles_diagnostics_answers_and_the_end_come_under_any_load() -> None:
    stop = threading.Event()
    with NodeProcess([sys.executable, "-c", FLOODED], ["-p", "diagnostics_period:=0.2"]) as process, Peer() as peer:
        diagnostics: list[float] = []
        counts: list[tuple[int, int, int]] = []  # cycles, messages, diagnostics
        node = peer.node
        node.create_subscription(DiagnosticArray, "/diagnostics", lambda _: diagnostics.append(time.monotonic()), 10)
        node.create_subscription(
            UInt32MultiArray, "lamp", lambda message: counts.append((*message.data, len(diagnostics))), 10
        )
        flood = node.create_publisher(String, "flood", 10)
        peer.spin_until(lambda: flood.get_subscription_count() == 1)

        def publish() -> None:
            while not stop.is_set():
                flood.publish(String())
                time.sleep(0.001)

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            peer.spin_until(lambda: len(counts) >= 2)  # a backlog of some hundred messages
            first = counts[-1]
            peer.spin_until(lambda: len(counts) >= 5)
            cycles, messages, published = (after - before for before, after in zip(first, counts[-1], strict=True))
            # By periods of 1 s that the node itself counts: 50 cycles and 5 diagnostics in each. Late they may be on a
            # busy machine, a queue of seconds they do not wait for.
            assert cycles >= 75
            assert published >= 7
            assert messages >= 30
            peer.call(GetParameters, "/flooded/get_parameters", GetParameters.Request())
            process.stop(signal.SIGTERM)
        finally:
            stop.set()
            thread.join()
