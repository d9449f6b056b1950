"""A node of the tests in this process, and the thread that runs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rclpy

from qiki_node.executor import make_executor, spin_while
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters

QUIET = ["--ros-args", "-p", "events_enabled:=false", "-p", "diagnostics_period:=0.1"]


class SpunNode(QikiNode[NodeParameters]):
    """A node with a context of its own."""

    def __init__(self, name: str, *arguments: str) -> None:
        self.own_context = rclpy.Context()
        rclpy.init(args=[*QUIET, *arguments], context=self.own_context)
        super().__init__(name, NodeParameters, context=self.own_context)

    def __exit__(self, *_: object) -> None:
        self.close()
        rclpy.shutdown(context=self.own_context)


@contextmanager
def spinning(node: SpunNode, kind: str) -> Iterator[list[Exception]]:
    """Run the node in a thread, as `run` does; gives what the executor itself raised."""
    executor = make_executor(kind, node.own_context)
    executor.add_node(node)
    stop = threading.Event()
    raised: list[Any] = []

    def take(error: Exception) -> None:
        raised.append(error)
        node.spin_failed(error)

    thread = threading.Thread(target=lambda: spin_while(executor, lambda: not stop.is_set(), 0.05, take))
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join()
        executor.remove_node(node)
        node.close()
        executor.shutdown()
        rclpy.shutdown(context=node.own_context)
