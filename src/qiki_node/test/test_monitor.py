"""The HTTP server of a node."""

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from qiki_node.monitor import MonitorServer
from qiki_node.testing import PATIENCE


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("qiki_test_events_total", "events", registry=registry).inc(3)
    return registry


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_and_health(registry: CollectorRegistry) -> None:
    healthy = True
    server = MonitorServer("127.0.0.1", 0, registry, lambda: (healthy, {"state": "active"}))
    try:
        status, text = fetch(server.port, "/metrics")
        assert status == 200
        assert "qiki_test_events_total 3.0" in text
        status, text = fetch(server.port, "/healthz?verbose=1")
        assert (status, json.loads(text)) == (200, {"state": "active"})
        healthy = False
        assert fetch(server.port, "/healthz")[0] == 503
        assert fetch(server.port, "/other")[0] == 404
    finally:
        server.close()


def test_a_port_in_use_is_named(registry: CollectorRegistry) -> None:
    server = MonitorServer("127.0.0.1", 0, registry, lambda: (True, {}))
    try:
        with pytest.raises(OSError, match=f"metrics_port: cannot bind 127.0.0.1:{server.port}"):
            MonitorServer("127.0.0.1", server.port, registry, lambda: (True, {}))
    finally:
        server.close()
