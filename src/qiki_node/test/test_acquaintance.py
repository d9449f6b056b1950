"""A request that is sent once waits until its server knows the client."""

import math
import signal
import sys
from pathlib import Path

import pytest
from std_srvs.srv import Trigger

from qiki_node.acquaintance import greeting_service
from qiki_node.testing import NodeProcess, Peer

pytestmark = pytest.mark.realtime

EXAMPLE = [sys.executable, str(Path(__file__).with_name("example_node.py"))]


def test_a_server_that_sleeps_is_waited_for() -> None:
    with NodeProcess(EXAMPLE, ["-r", "__ns:=/alpha"]) as server, Peer() as peer:
        peer.wait_until_active("/alpha/example")
        peer.meet("/alpha/example/poke")  # by now the peer knows all that it needs to ask
        server.process.send_signal(signal.SIGSTOP)
        client = peer.client(Trigger, "/alpha/example/poke")
        peer.spin_until(client.service_is_ready)
        with pytest.raises(AssertionError, match="/alpha/example/get_parameters does not answer"):
            peer.meet("/alpha/example/poke", timeout=1.0)
        server.process.send_signal(signal.SIGCONT)
        peer.meet("/alpha/example/poke")
        assert peer.ask(lambda: client.call_async(Trigger.Request()), "poke", again=math.inf).success


def test_the_server_of_a_service_is_found_by_the_name_of_its_node() -> None:
    with Peer("sim", namespace="/qiki") as peer:
        peer.node.create_service(Trigger, "/elsewhere/pause", lambda _request, response: response)
        peer.spin_until(lambda: greeting_service(peer.node, "/elsewhere/pause") == "/qiki/sim/get_parameters")
        assert greeting_service(peer.node, "/elsewhere/resume") is None
