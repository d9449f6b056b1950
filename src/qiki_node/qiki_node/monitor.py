"""HTTP server of one node: /metrics for Prometheus, /healthz for supervisors that restart an unhealthy node."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from qiki_node.json_text import to_json


class MonitorServer:
    """Serves in a thread of its own until `close`.

    Args:
        port: TCP port; 0 lets the system choose one (see `port`).
        health: gives (healthy, details); answered with 200 or 503 and the details as JSON.

    Raises:
        OSError: the port cannot be bound; the text names it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        health: Callable[[], tuple[bool, dict[str, object]]],
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                elif path == "/healthz":
                    healthy, details = health()
                    body = to_json(details, default=str).encode() + b"\n"
                    self._answer(200 if healthy else 503, "application/json", body)
                else:
                    self._answer(404, "text/plain; charset=utf-8", b"try /metrics or /healthz\n")

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Requests are not logged: a scrape every few seconds would drown the log."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise OSError(error.errno, f"metrics_port: cannot bind {host}:{port}: {error.strerror}") from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
