"""A node's pages: they read what the node's own thread left, and tell alive from ready."""

import itertools
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from rosgraph_msgs.msg import Clock

from qiki_node import clock_watch, monitor
from qiki_node.health import Health, Level
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, ParameterError
from qiki_node.qos import CLOCK
from qiki_node.testing import PATIENCE, Peer, private_port

pytestmark = pytest.mark.realtime


class Watched(QikiNode[NodeParameters]):
    """A node with one check, whose answer and threads the test sees."""

    answer = Health(Level.WARN, "warm", {"degrees": 30})

    def __init__(self, peer: Peer, *arguments: str) -> None:
        parameters = [text for argument in arguments for text in ("-p", argument)]
        super().__init__(
            "watched",
            NodeParameters,
            context=peer.context,
            cli_args=["--ros-args", *parameters, "-p", "events_enabled:=false", "-p", "diagnostics_period:=0.1"],
        )
        self.threads: set[int] = set()
        self.add_diagnostic("lamp", self.check)

    def check(self) -> Health:
        self.threads.add(threading.get_ident())
        return self.answer


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def watched(peer: Peer) -> Iterator[Callable[..., Watched]]:
    nodes = []

    def start(*arguments: str) -> Watched:
        nodes.append(Watched(peer, *arguments))
        peer.executor.add_node(nodes[-1])
        return nodes[-1]

    yield start
    for node in nodes:
        peer.executor.remove_node(node)
        node.close()


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def reasons(port: int, path: str) -> dict[str, str]:
    status, text = fetch(port, path)
    found: dict[str, str] = json.loads(text)["reasons"]
    assert status == (503 if found else 200)
    return found


def test_no_check_runs_in_the_thread_that_is_scraped(watched: Callable[..., Watched], peer: Peer) -> None:
    port = private_port()
    node = watched(f"metrics_port:={port}")
    end, scrapes = threading.Event(), []

    def scrape() -> None:
        while not end.is_set():
            scrapes.append([fetch(port, path)[1] for path in ("/metrics", "/readyz", "/healthz")])

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        peer.spin_until(lambda: len(scrapes) > 20 and 'qiki_node_health_level{node="/watched"} 1.0' in scrapes[-1][0])
    finally:
        end.set()
        scraper.join()
    assert node.threads == {threading.get_ident()}
    assert "process_cpu_seconds_total" in scrapes[-1][0]


def test_alive_is_not_ready(watched: Callable[..., Watched], peer: Peer) -> None:
    port = private_port()
    node = watched(f"metrics_port:={port}")
    assert reasons(port, "/readyz") == {"diagnostics": "none yet", "lifecycle": "unconfigured"}
    assert reasons(port, "/healthz") == {}, "an unconfigured node is alive"
    node.start()
    peer.spin_until(lambda: not reasons(port, "/readyz"))
    node.answer = Health(Level.WARN, "cold", unready="no current for 3 s")
    peer.spin_until(lambda: reasons(port, "/readyz") == {"lamp": "no current for 3 s"})
    node.answer = Health(Level.OK, "warm")
    node.trigger_deactivate()
    assert reasons(port, "/readyz")["lifecycle"] == "inactive"
    assert reasons(port, "/healthz") == {}, "an inactive node is alive"
    time.sleep(2.2)  # nothing spins the executor
    for path in ("/readyz", "/healthz"):
        assert "has not turned for 2." in reasons(port, path)["executor"]
    assert fetch(port, "/metrics")[0] == 200


def test_a_node_is_not_ready_before_the_clock_runs_nor_while_it_stands_still(
    watched: Callable[..., Watched], peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_watch, "STILL", 0.3)
    port = private_port()
    node = watched(f"metrics_port:={port}", "use_sim_time:=true")
    clock = peer.node.create_publisher(Clock, "/clock", CLOCK)
    node.start()
    peer.spin_until(lambda: "no /clock yet" in reasons(port, "/readyz").get("lifecycle", ""))
    ticks = itertools.count(1)
    peer.spin_until(lambda: bool(clock.publish(Clock(clock=Time(sec=next(ticks))))) or not reasons(port, "/readyz"))
    peer.spin_until(lambda: "stands still" in reasons(port, "/readyz").get("lifecycle", ""))
    assert reasons(port, "/healthz") == {}
    peer.node.destroy_publisher(clock)


def test_a_taken_port_is_a_warning_until_it_is_free(
    watched: Callable[..., Watched], peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "RETRY", 0.05)
    seen: list[tuple[int, str]] = []

    def take(message: DiagnosticArray) -> None:
        seen.extend((one.level[0], one.message) for one in message.status if one.name == "watched: monitor")

    peer.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
    port = private_port()
    with socket.create_server(("127.0.0.1", port)):
        node = watched(f"metrics_port:={port}")
        assert node.start()
        expected = f"metrics_port: cannot bind 127.0.0.1 port {port}: Address already in use; tried again"
        peer.spin_until(lambda: (1, expected) in seen)
    peer.spin_until(lambda: seen[-1] == (0, f"port {port}"))
    assert fetch(port, "/healthz")[0] == 200


def test_a_host_that_is_no_address_is_refused_by_name(peer: Peer) -> None:
    with pytest.raises(ParameterError, match=r"^parameter metrics_host: 'localhost' is not allowed; allowed: an IPv4"):
        Watched(peer, "metrics_port:=9", "metrics_host:=localhost")


def test_a_collector_that_fails_is_answered(watched: Callable[..., Watched]) -> None:
    class Broken:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            raise LookupError("no lamp")

    port = private_port()
    node = watched(f"metrics_port:={port}")
    node.registry.register(Broken())
    assert fetch(port, "/metrics") == (500, "Internal Server Error: LookupError: no lamp\n")
    assert fetch(port, "/healthz")[0] == 200


def test_metrics_can_be_parsed(watched: Callable[..., Watched]) -> None:
    port = private_port()
    node = watched(f"metrics_port:={port}")
    families = {family.name: family for family in text_string_to_metric_families(fetch(port, "/metrics")[1])}
    (active,) = families["qiki_node_active"].samples
    assert (active.labels, active.value) == ({"node": "/watched"}, 0.0)
    assert node.threads == set()
