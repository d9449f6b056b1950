"""A short-lived node beside the graph, spun in a thread: what the command line uses to talk to the store's node."""

import os
import threading
import time
from types import TracebackType
from typing import Any

import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from qiki_eventstore.errors import StoreUnavailable
from qiki_node.deferred import MANY_REQUESTS
from qiki_node.executor import make_executor

NODE = "/qiki/eventstore"

_DISCOVERY = 5.0
"""s that the store's node is waited for."""
_AGAIN = 2.0
"""s after which an unanswered request is sent again: all of the store's services may be asked twice."""


class Session:
    """A context manager."""

    def __enter__(self) -> "Session":
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(
            f"_qiki_events_{os.getpid()}", context=self._context, enable_rosout=False, start_parameter_services=False
        )
        self._executor = make_executor("events", self._context)
        self._executor.add_node(self.node)
        self._stop: Future = Future(executor=self._executor)
        self._clients: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._spin, name="graph", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self._stop.set_result(None)
        self._thread.join()
        self._executor.remove_node(self.node)
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def call(self, kind: Any, name: str, request: Any, patience: float = 10.0) -> Any:
        """Response of one of the store's services.

        Raises:
            StoreUnavailable: it is not there, or does not answer within `patience` s.
        """
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self.node.create_client(kind, f"{NODE}/{name}", qos_profile=MANY_REQUESTS)
            self._find(client, name)
        answered = threading.Event()
        futures: list[Future] = []
        end = time.monotonic() + patience
        try:
            while (left := end - time.monotonic()) > 0.0:
                # Once more at most: a question that takes long must not be asked again and again.
                if len(futures) < 2:
                    future = client.call_async(request)
                    future.add_done_callback(lambda _: answered.set())
                    futures.append(future)
                if answered.wait(min(left, _AGAIN) if len(futures) < 2 else left):
                    return next(future.result() for future in futures if future.done())
        finally:
            for future in futures:
                client.remove_pending_request(future)
        raise StoreUnavailable(f"{NODE} does not answer {name} within {patience:g} s")

    def _find(self, client: Any, name: str) -> None:
        end = time.monotonic() + _DISCOVERY
        while not client.service_is_ready():
            if time.monotonic() > end:
                raise StoreUnavailable(f"service {NODE}/{name} is not there: no event store is running")
            time.sleep(0.02)

    def _spin(self) -> None:
        while not self._stop.done():
            self._executor.spin_until_future_complete(self._stop, 0.25)
