"""Services that are answered later, from any thread, while the executor goes on with other callbacks.

rclpy offers coroutines for this, but its EventsExecutor cannot run them for services: it passes what the callback
returns to the service's `send_response` at once. That method is where an answer that is not there yet is held back.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.service import Service

from qiki_node.service_type import ServiceType

Q = TypeVar("Q")

MANY_REQUESTS = QoSProfile(depth=1000)
"""Quality of service of such a service and of its clients: the usual depth of 10 drops requests that come at once."""


class Reply:
    """The pending answer to one request: call it once, with the response, from any thread."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._header: Any = None
        self._response: Any = None

    def __call__(self, response: Any) -> None:
        with self._lock:
            self._response = response
            if self._header is None:
                return  # the callback has not returned yet
        self._send()

    def take_header(self, header: Any) -> None:
        """Take the address of the caller; called by the executor after the callback."""
        with self._lock:
            self._header = header
            if self._response is None:
                return
        self._send()

    def _send(self) -> None:
        with suppress(InvalidHandle):  # the service was destroyed: the client repeats its request when it comes back
            Service.send_response(self._service, self._response, self._header)


def create_deferred_service(
    node: Node, kind: ServiceType[Q, Any], name: str, callback: Callable[[Q, Reply], None]
) -> Service:
    """A service whose callback gets the request and the `Reply` to call when the answer is known."""

    def called(request: Q, _response: Any) -> Reply:
        reply = Reply(service)
        callback(request, reply)
        return reply

    service: Any = node.create_service(kind, name, called, qos_profile=MANY_REQUESTS)

    def send(answer: Any, header: Any) -> None:
        if isinstance(answer, Reply):
            answer.take_header(header)
        else:  # the callback has failed
            Service.send_response(service, answer, header)

    service.send_response = send
    answering: Service = service
    return answering
