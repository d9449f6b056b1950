"""``main`` of every node: start, spin, stop in order on SIGINT, SIGTERM and SIGHUP."""

import gc
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import rclpy
from rclpy.executors import Executor
from rclpy.signals import SignalHandlerOptions

from qiki_node import long_lived
from qiki_node.executor import make_executor, spin_while
from qiki_node.log import json_wanted, python_as_json, write_crash
from qiki_node.node import QikiNode
from qiki_node.parameters import ParameterError
from qiki_node.shared_memory import remove_stale
from qiki_node.watchdog import Watchdog, end_stuck_process

if TYPE_CHECKING:
    from qiki_node.turns import Turns

EXIT_BAD_CONFIGURATION = 2

_FLUSH = 1.0
"""s that the end of a node waits for the store to acknowledge its last events."""


class StopSignal:
    """A flag that SIGINT, SIGTERM and SIGHUP set. rclpy's own handlers would shut the context down at once, before
    the node could leave what it drives in a safe state. SIGHUP that the starter has ignored (nohup) stays ignored."""

    def __init__(self) -> None:
        self.is_set = False
        self.turns: Turns | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True
        if self.turns is not None:
            self.turns.stopping = True


def run(make_node: Callable[[], QikiNode[Any]], args: Sequence[str] | None = None) -> None:
    """Run one node until SIGINT, SIGTERM or SIGHUP, then exit: 0 after an ordered stop, 2 for a bad parameter.

    A process whose executor does not turn ends by its watchdog, with 70.
    """
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
    remove_stale()
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
    stop.turns = node.turns
    node.turns.stopping = stop.is_set
    name = node.get_fully_qualified_name()
    watchdog = Watchdog(node.turns, lambda: end_stuck_process(name, as_json=as_json))
    try:
        executor = make_executor(node.params.executor)
        executor.add_node(node)
        watchdog.start()
        node.begin()
        long_lived.freeze()

        failed = False

        def goes_on() -> bool:
            nonlocal failed
            if not failed:  # an executor that only fails does not turn
                node.turns.note()
            failed = False
            node.turn()
            return not stop.is_set and rclpy.ok()

        def take(error: Exception) -> None:
            nonlocal failed
            failed = True
            node.spin_failed(error)

        spin_while(executor, goes_on, on_error=take)
        _bring_down(node, executor)
    finally:
        watchdog.close()
        rclpy.try_shutdown()


def _bring_down(node: QikiNode[Any], executor: Executor) -> None:
    """In order; the watchdog gives each step its time."""
    node.stop()
    node.turns.note()
    node.events.flush(executor, _FLUSH)
    executor.remove_node(node)
    node.turns.note()
    node.close()
    executor.shutdown()
