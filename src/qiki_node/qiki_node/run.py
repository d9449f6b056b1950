"""``main`` of every node: start, spin, stop in order on SIGINT and SIGTERM."""

import gc
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import rclpy
from rclpy.signals import SignalHandlerOptions

from qiki_node.executor import make_executor, spin_while
from qiki_node.log import json_wanted, python_as_json, write_crash
from qiki_node.node import QikiNode
from qiki_node.parameters import ParameterError

EXIT_BAD_CONFIGURATION = 2


class StopSignal:
    """A flag that SIGINT and SIGTERM set. rclpy's own handlers would shut the context down at once, before
    the node could leave what it drives in a safe state."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True


def run(make_node: Callable[[], QikiNode[Any]], args: Sequence[str] | None = None) -> None:
    """Run one node until SIGINT or SIGTERM, then exit: 0 after an ordered stop, 2 for a bad parameter."""
    try:
        _run(make_node, args)
    finally:
        rclpy.try_shutdown()
        # The middleware's threads end with the last handle of the node, which is among the frozen objects. Left to the
        # end of the process, they would still run while the libraries' static objects are destroyed: now and then
        # that corrupts the heap, and an ordered stop ends with SIGABRT.
        gc.unfreeze()
        gc.collect()


def _run(make_node: Callable[[], QikiNode[Any]], args: Sequence[str] | None) -> None:
    stop = StopSignal()
    try:
        as_json = json_wanted()
    except ValueError as error:
        sys.exit(str(error))
    arguments = list(sys.argv if args is None else args)
    if as_json:
        arguments += ["--ros-args", "--disable-stdout-logs"]
        python_as_json("")
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = make_node()
    except (ParameterError, OSError) as error:
        if as_json:
            write_crash(error, "")
        else:
            print(error, file=sys.stderr)
        rclpy.try_shutdown()
        sys.exit(EXIT_BAD_CONFIGURATION)
    if as_json:
        python_as_json(node.get_fully_qualified_name())
    try:
        executor = make_executor(node.params.executor)
        executor.add_node(node)
        if node.params.autostart:
            node.start()
        # The objects of now stay: garbage collections that walk all of them would make callbacks late.
        gc.collect()
        gc.freeze()

        def goes_on() -> bool:
            node.turns.note()
            return not stop.is_set and rclpy.ok()

        spin_while(executor, goes_on, on_error=node.spin_failed)
        node.stop()
        node.events.flush(executor)
        executor.remove_node(node)
        node.close()
        executor.shutdown()
    finally:
        rclpy.try_shutdown()
