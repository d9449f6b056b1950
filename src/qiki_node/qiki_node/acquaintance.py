"""Discovery of a client by a server, assured before a request that must be sent only once.

A service drops its answer where it has not discovered its client 100 ms after the request (rmw_fastrtps), as happens
on a busy machine. The client cannot see that: `service_is_ready` only means that the client has discovered the service.
But the endpoints of one participant become known to another in the order in which they were made. So a participant that
got the answer to a request that may be repeated is known to that node with all the clients that it made before.
"""

import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node

GREETING = GetParameters
"""Service that gives the proof: every node has it, and it changes nothing, so that a call may be repeated."""

_AGAIN = 0.5
"""s without an answer after which a greeting is sent again."""


def meet(
    node: Node, service: str, wait: Callable[[Callable[[], bool], float], bool], timeout: float, kept: list[Any]
) -> bool:
    """Wait until the node that offers `service` (full name) knows all clients and subscriptions of `node`.

    Args:
        wait: waits for a condition, at most a number of s, while callbacks run; whether it holds.
        timeout: s, longest wait.
        kept: takes the client that this makes, to live as long as the node: one that is destroyed while an answer to it
            is on its way crashes the executor.

    Returns:
        Whether the other node has proved it in time.
    """
    end = time.monotonic() + timeout
    greeting: str | None = None

    def found() -> bool:
        nonlocal greeting
        greeting = greeting_service(node, service)
        return greeting is not None

    if not wait(found, timeout):
        return False
    # A new one each time: one that was made earlier proves nothing about those made since.
    client = node.create_client(GREETING, str(greeting))
    kept.append(client)
    wait(client.service_is_ready, end - time.monotonic())
    futures = []
    while (left := end - time.monotonic()) > 0.0:
        futures.append(client.call_async(GREETING.Request()))
        if wait(lambda: any(future.done() for future in futures), min(_AGAIN, left)):
            return True
    return False


def greeting_service(node: Node, service: str) -> str | None:
    """Name of the `GREETING` service of the node that offers `service` (full name), as `node` sees the graph.

    None while there is no such node: names of nodes become known later than their services. A node that was made
    without parameter services has none for good.
    """
    for name, namespace in node.get_node_names_and_namespaces():
        try:
            offered = dict(node.get_service_names_and_types_by_node(name, namespace))
        except RuntimeError:
            continue  # the node has just gone
        greeting = f"{namespace.rstrip('/')}/{name}/get_parameters"
        if service in offered and greeting in offered:
            return greeting
    return None
