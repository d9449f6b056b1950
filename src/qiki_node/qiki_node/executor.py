"""The executor that costs least, behind one function.

rclpy's EventsExecutor takes about a third of the CPU time of SingleThreadedExecutor for a node with a 100 Hz timer
and a few 100 Hz subscriptions (docs/decisions/0003). Its endless ``spin()`` returns at once and burns a core with the
C++ runtime of the wheels: so the wait is finite and repeated. The same loop serves every executor, and lets a Python
signal handler run between two waits.
"""

from collections.abc import Callable

import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.experimental import EventsExecutor
from rclpy.task import Future

WAIT = 0.25
"""s, longest wait for an event: also the longest time until a signal is noticed by an idle node."""


def make_executor(kind: str = "events", context: rclpy.Context | None = None) -> Executor:
    """An executor of the given kind, `events` or `single`."""
    if kind == "events":
        return EventsExecutor(context=context)
    if kind == "single":
        return SingleThreadedExecutor(context=context)
    raise ValueError(f"executor: {kind!r} is not allowed; allowed: one of events, single")


def spin_while(executor: Executor, condition: Callable[[], bool], wait: float = WAIT) -> None:
    """Run callbacks while the condition holds; it is checked after each wait of at most `wait` seconds."""
    never_done: Future = Future()
    while condition():
        executor.spin_until_future_complete(never_done, wait)


def spin_until(executor: Executor, future: Future, timeout: float) -> bool:
    """Run callbacks until the future is done or `timeout` seconds have passed; whether it is done."""
    executor.spin_until_future_complete(future, timeout)
    return bool(future.done())
