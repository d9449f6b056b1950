"""The pages of one node over HTTP: its metrics, whether it is alive, whether it is ready.

They are made in the server's thread, of values that the node's own thread has left behind: no check and no part of a
node's core runs there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from qiki_node.health import Health, Level
from qiki_node.json_text import to_json
from qiki_node.monitor import MonitorServer, Page, check_host
from qiki_node.parameters import ParameterError

if TYPE_CHECKING:
    from qiki_node.node import QikiNode

LONGEST_TURN = 2.0
"""s without a turn of the executor after which the node does not count as alive."""


@dataclass(frozen=True)
class Pulse:
    """Signs of life of a node, as any thread may read them.

    Attributes:
        state: label of the lifecycle state.
        turned: s since the executor turned last.
    """

    state: str
    turned: float

    @property
    def silence(self) -> str:
        """Reason why the node is not alive; empty if it is."""
        return f"the executor has not turned for {self.turned:.1f} s" if self.turned > LONGEST_TURN else ""


class NodeMonitor:
    """Server of a node's pages, with its diagnostic `monitor`.

    Args:
        node: its parameters name host and port; port 0 serves nobody.
        pulse: called in the server's thread.

    Raises:
        ParameterError: the host is no address.
    """

    def __init__(self, node: "QikiNode[Any]", pulse: Callable[[], Pulse]) -> None:
        self._node, self._pulse = node, pulse
        self._name = node.get_fully_qualified_name()
        self._server: MonitorServer | None = None
        params = node.params
        if not params.metrics_port:
            return
        try:
            check_host(params.metrics_host)
        except ValueError as error:
            raise ParameterError(f"parameter metrics_host: {error}") from error
        pages = {"/metrics": self._metrics, "/healthz": self._alive, "/readyz": self._ready}
        self._server = MonitorServer(params.metrics_host, params.metrics_port, pages, self._failed)
        if self._server.problem:
            node.log.warning(self._server.problem)
        node.add_diagnostic("monitor", self._health)

    def close(self) -> None:
        """Free the port."""
        if self._server is not None:
            self._server.close()

    def _health(self) -> Health:
        assert self._server is not None
        problem, port = self._server.problem, self._server.port
        return Health(Level.WARN, f"{problem}; tried again") if problem else Health(Level.OK, f"port {port}")

    def _metrics(self) -> Page:
        return Page(CONTENT_TYPE_LATEST, generate_latest(self._node.registry))

    def _alive(self) -> Page:
        pulse = self._pulse()
        return self._page(pulse, {"executor": pulse.silence})

    def _ready(self) -> Page:
        pulse = self._pulse()
        health = self._node.health()
        reasons = {name: one.unready for name, one in health.items()} if health else {"diagnostics": "none yet"}
        # The state of now: diagnostics follow it at their next turn.
        reasons["lifecycle"] = reasons.get("lifecycle", "") if pulse.state == "active" else pulse.state
        return self._page(pulse, {"executor": pulse.silence, **reasons})

    def _page(self, pulse: Pulse, reasons: dict[str, str]) -> Page:
        """200 if no reason is given, else 503 with those that are."""
        found = {name: reason for name, reason in reasons.items() if reason}
        details = {
            "node": self._name,
            "state": pulse.state,
            "turned_seconds_ago": round(pulse.turned, 3),
            "reasons": found,
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        return Page("application/json", to_json(details).encode(errors="backslashreplace") + b"\n", status)

    def _failed(self, path: str, error: Exception) -> None:
        self._node.callbacks.failed(f"page {path}", error, drives=False)
