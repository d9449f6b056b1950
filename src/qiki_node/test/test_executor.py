"""The loop that runs callbacks: it returns under any load, keeps nothing, goes on after an exception."""

import gc
import time
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.task import Future

from qiki_node.executor import make_executor, spin_until, spin_while

STEADY = Clock(clock_type=ClockType.STEADY_TIME)

pytestmark = pytest.mark.realtime


@pytest.fixture(params=["events", "single"])
def spun(request: pytest.FixtureRequest) -> Iterator[tuple[Node, Executor]]:
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node("spun", context=context)
    executor = make_executor(request.param, context)
    executor.add_node(node)
    yield node, executor
    executor.remove_node(node)
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_a_timer_that_is_always_due_starves_neither_the_loop_nor_another_timer(spun) -> None:
    node, executor = spun
    slow: list[float] = []
    node.create_timer(0.001, lambda: time.sleep(0.002), clock=STEADY)
    node.create_timer(0.1, lambda: slow.append(time.monotonic()), clock=STEADY)
    spin_while(executor, lambda: len(slow) < 3)
    assert slow


def test_nothing_is_kept_of_a_callback(spun) -> None:
    node, executor = spun
    calls: list[None] = []
    node.create_timer(0.0005, lambda: calls.append(None), clock=STEADY)
    spin_while(executor, lambda: len(calls) < 100)
    gc.collect()
    before = len(gc.get_objects())
    spin_while(executor, lambda: len(calls) < 600)
    gc.collect()
    assert len(gc.get_objects()) - before < 100, "objects kept of 500 callbacks"


def test_callbacks_go_on_after_an_exception(spun) -> None:
    node, executor = spun
    errors: list[Exception] = []
    calls: list[None] = []

    def fail() -> None:
        calls.append(None)
        raise LookupError("lamp is broken")

    node.create_timer(0.001, fail, clock=STEADY)
    spin_while(executor, lambda: len(calls) < 5, on_error=errors.append)
    assert [str(error) for error in errors] == ["lamp is broken"] * 5
    with pytest.raises(LookupError, match="lamp is broken"):
        spin_while(executor, lambda: True)


def test_a_future_ends_the_wait_at_once_or_the_timeout_does(spun) -> None:
    node, executor = spun
    future: Future = Future()
    assert not spin_until(executor, future, 0.01)
    timer = node.create_timer(0.01, lambda: future.set_result(7), clock=STEADY)
    assert spin_until(executor, future, 30.0)
    timer.cancel()
    assert future.result() == 7


def test_a_waiting_coroutine_leaves_the_processor_alone() -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    executor = make_executor("events", context)
    never: Future = Future(executor=executor)

    async def wait() -> None:
        await never

    executor.create_task(wait)
    turns: list[None] = []
    end = time.monotonic() + 0.5
    spin_while(executor, lambda: (turns.append(None), time.monotonic() < end)[1])
    assert len(turns) < 10
    executor.shutdown()
    rclpy.shutdown(context=context)
