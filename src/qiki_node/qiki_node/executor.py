"""The executor that costs least, behind one function, and a loop that returns under any load.

rclpy's EventsExecutor takes about a third of the CPU time of SingleThreadedExecutor for a node with a 100 Hz timer
and a few 100 Hz subscriptions (docs/decisions/0003). Its endless ``spin()`` returns at once and burns a core with the
C++ runtime of the wheels, its ``spin_once`` burns one while a coroutine waits, and a finite
``spin_until_future_complete`` returns only when nothing is left to do, which under load is never. So each turn waits
for a future of its own, which a thread completes when the turn lasts: conditions are looked at, and signals noticed,
under any load, and nothing is left behind on a future.
"""

import threading
import time
from collections.abc import Callable

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.experimental import EventsExecutor
from rclpy.task import Future

WAIT = 0.25
"""s, longest wait for an event: also the longest time until a signal is noticed by an idle node."""

_LASTING = 0.1
"""s between two looks for turns that last; each ends at the second look, after the callback that runs then."""


class _Turns:
    """The present turn of each executor of this process, and the thread that ends those that last."""

    def __init__(self) -> None:
        self._futures: dict[int, Future] = {}
        self._starting = threading.Lock()
        self._thread = threading.Thread()
        self._never = threading.Event()

    def begin(self, executor: Executor) -> Future:
        if not self._thread.is_alive():  # the first turn of this process
            with self._starting:
                if not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="turns", daemon=True)
                    self._thread.start()
        turn = self._futures[id(executor)] = Future()
        return turn

    def end(self, executor: Executor) -> None:
        """End its turn, if there is one."""
        turn = self._futures.get(id(executor))
        if turn is not None:
            turn.set_result(None)

    def forget(self, executor: Executor) -> None:
        self._futures.pop(id(executor), None)

    def _run(self) -> None:
        seen: dict[int, Future] = {}
        while not self._never.wait(_LASTING):
            now = dict(self._futures)
            for executor, turn in now.items():
                if seen.get(executor) is turn:
                    turn.set_result(None)
            seen = now


_TURNS = _Turns()


def make_executor(kind: str = "events", context: rclpy.Context | None = None) -> Executor:
    """An executor of the given kind, `events` or `single`."""
    if kind == "events":
        return EventsExecutor(context=context)
    if kind == "single":
        return SingleThreadedExecutor(context=context)
    raise ValueError(f"executor: {kind!r} is not allowed; allowed: one of events, single")


def spin_while(
    executor: Executor,
    condition: Callable[[], bool],
    wait: float = WAIT,
    on_error: Callable[[Exception], None] | None = None,
) -> None:
    """Run callbacks while the condition holds; it is checked after each wait of at most `wait` s, and under any load
    at least every 0.2 s unless one callback lasts longer.

    Args:
        on_error: takes what a callback raises, and the callbacks go on; without it the exception leaves this function.
    """
    try:
        while condition():
            try:
                _turn(executor, wait)
            except ExternalShutdownException:
                raise
            except Exception as error:
                if on_error is None:
                    raise
                on_error(error)
    finally:
        _TURNS.forget(executor)


def spin_until(executor: Executor, future: Future, timeout: float) -> bool:
    """Run callbacks until the future is done or `timeout` seconds have passed; whether it is done."""
    end = time.monotonic() + timeout
    future.add_done_callback(lambda _: _TURNS.end(executor))
    spin_while(executor, lambda: not future.done() and time.monotonic() < end, min(timeout, WAIT))
    return bool(future.done())


def _turn(executor: Executor, wait: float) -> None:
    if isinstance(executor, SingleThreadedExecutor):
        # Its wait ends by the computer's clock, which may be set back meanwhile.
        _TURNS.begin(executor).add_done_callback(lambda _: executor.wake())
        executor.spin_once(wait)  # one callback: its other methods leave a closure on the future for each
    else:
        executor.spin_until_future_complete(_TURNS.begin(executor), wait)
