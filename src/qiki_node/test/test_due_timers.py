"""Timers run once in each of their periods, whatever else there is to do; messages beyond a depth are dropped."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qiki_node.due_timers import DueTimer, DueTimers
from qiki_node.late_messages import LATE, LateMessages

PERIOD = 10_000_000  # ns
SECOND = 1e-9


class Clock:
    """A steady clock and, in step with it, a timer as rcl has it."""

    def __init__(self) -> None:
        self.ns, self.next, self.timer_period_ns = 0, PERIOD, PERIOD

    def seconds(self) -> float:
        return self.ns * SECOND

    def time_until_next_call(self) -> int:
        return self.next - self.ns

    def reset(self) -> None:
        self.next = self.ns + PERIOD

    def call(self) -> None:
        """The executor's call, before the callback: the next time is a period later, and not past."""
        self.next += PERIOD
        self.next += max(-(-(self.ns - self.next) // PERIOD), 0) * PERIOD


def due(clock: Clock, callback: Callable[[], None]) -> tuple[DueTimer, DueTimers]:
    timer, timers = DueTimer(callback, lambda: False), DueTimers(clock.seconds)
    timer.of(clock, lambda: clock.ns)
    timers.add(timer)
    return timer, timers


@given(st.lists(st.tuples(st.integers(1, 3 * PERIOD), st.booleans(), st.booleans()), max_size=60))
def test_a_timer_runs_once_in_each_period_in_which_anything_happens(occasions: list[tuple[int, bool, bool]]) -> None:
    clock, periods = Clock(), [0]
    timer, timers = due(clock, lambda: periods.append(clock.ns // PERIOD))
    for wait, by_executor, at_once in occasions:
        clock.ns += wait
        if by_executor:  # also calls that come twice, or before their time
            clock.call()
            timer.run()
        else:
            timers.run(at_once=at_once)
            if not at_once and clock.ns // PERIOD > periods[-1]:
                continue  # too soon after the last look
        assert periods[-1] == clock.ns // PERIOD
    assert periods == sorted(set(periods))


def test_a_timer_that_lasts_longer_than_its_period_leaves_time() -> None:
    clock = Clock()
    _, timers = due(clock, lambda: setattr(clock, "ns", clock.ns + 3 * PERIOD))
    clock.ns += PERIOD
    timers.run()
    assert clock.time_until_next_call() == PERIOD
    clock.ns += 2 * PERIOD
    before = clock.ns
    timers.run(at_once=True)
    assert clock.ns == before, "messages have as much time as the timers had"
    clock.ns += PERIOD
    timers.run(at_once=True)
    assert clock.ns == before + 4 * PERIOD


def test_a_timer_that_was_late_only_loses_no_period() -> None:
    clock, calls = Clock(), []

    def work() -> None:
        calls.append(clock.ns)
        clock.ns += PERIOD // 2

    timer, _ = due(clock, work)
    clock.ns = 2 * PERIOD - 1  # the callback ends in the next period
    timer.run()
    timer.run()
    timer.run()
    assert calls == [2 * PERIOD - 1, 2 * PERIOD - 1 + PERIOD // 2]


@given(st.integers(0, PERIOD - 1), st.integers(0, 3 * PERIOD), st.integers(0, 2))
def test_a_thread_set_aside_between_two_readings_neither_repeats_nor_skips_a_period(phase, pause, times) -> None:
    clock, calls = Clock(), []
    timer, _ = due(clock, lambda: calls.append(clock.ns))
    clock.ns = PERIOD + phase
    timer.run()
    left = clock.time_until_next_call
    pauses = [pause] * times

    def set_aside() -> int:
        answer = left()
        clock.ns += pauses.pop() if pauses else 0
        return answer

    clock.time_until_next_call = set_aside  # type: ignore[method-assign]
    for _ in range(4):
        timer.run()
    periods = {at // PERIOD for at in calls}
    assert len(calls) == len(periods), "no period twice"
    assert clock.ns // PERIOD in periods, "none left out"


def test_a_timer_that_its_callback_ends_is_not_started_again() -> None:
    clock = Clock()
    over: list[bool] = []

    def end() -> None:
        clock.ns += 2 * PERIOD
        over.append(True)

    timer, timers = DueTimer(end, lambda: bool(over)), DueTimers(clock.seconds)
    timer.of(clock, lambda: clock.ns)
    timers.add(timer)
    clock.ns = PERIOD
    timers.run()
    assert (over, clock.next) == ([True], PERIOD)
    clock.ns += 10 * PERIOD
    timers.run()
    assert over == [True]


def test_a_clock_that_is_set_back_or_stands_still_neither_stops_nor_repeats_a_timer() -> None:
    clock, calls = Clock(), []
    timer, _ = due(clock, lambda: calls.append(clock.ns))
    clock.ns = 1000 * PERIOD
    timer.run()
    timer.run()  # paused
    assert calls == [1000 * PERIOD]
    clock.ns = 0
    clock.reset()  # as rcl starts the period again
    calls.clear()
    for _ in range(50):
        timer.run()
        timer.run()
        clock.ns += PERIOD // 10
    assert len(calls) in (4, 5), "once in each period, and at most once for the jump"
    assert all(after - before >= PERIOD for before, after in pairwise(calls))


def test_a_timer_that_is_started_again_waits_for_a_period() -> None:
    clock, calls = Clock(), [0]
    _, timers = due(clock, lambda: calls.append(clock.ns))
    clock.ns = PERIOD // 2
    clock.reset()
    clock.ns += PERIOD - 1
    timers.run()
    assert calls == [0]
    clock.ns += 1
    timers.run(at_once=True)
    assert calls == [0, PERIOD + PERIOD // 2]


def test_timers_do_not_run_within_a_callback_of_one_of_them() -> None:
    clock, calls = Clock(), [0]

    def nested() -> None:
        calls.append(clock.ns)
        clock.ns += 5 * PERIOD
        timers.run(at_once=True)

    _, timers = due(clock, nested)
    clock.ns = PERIOD
    timers.run()
    assert calls == [0, PERIOD]


class Queue:
    """An executor's queue of markers, without the messages between them."""

    def __init__(self) -> None:
        self.now, self.markers, self.executor = 0.0, [], object()
        self.received: list[int] = []
        self.late = LateMessages(self.put, lambda: self.executor, lambda: self.now)

    def put(self, reached: Callable[[], None]) -> object:
        self.markers.append(reached)
        return self.executor


@given(st.integers(1, 5), st.lists(st.one_of(st.just("marker"), st.floats(0.0, 2 * LATE)), max_size=60))
def test_messages_come_in_order_and_only_those_beyond_the_depth_are_dropped(depth, occasions) -> None:
    queue, sent, waiting = Queue(), 0, 0
    take = queue.late.guard("lamp", queue.received.append, depth)
    for occasion in occasions:
        if occasion == "marker":
            if queue.markers:
                queue.markers.pop()()
                assert queue.received[-depth:] == list(range(max(sent - depth, 0), sent))
        else:
            queue.now += occasion
            take(sent)
            sent += 1
    assert queue.received == sorted(set(queue.received))
    waiting = sum(map(len, queue.late._waiting.values()))
    dropped = queue.late.counter.labels("lamp")._value.get()
    assert len(queue.received) + waiting + dropped == sent
    assert dropped == queue.late.dropped
    assert waiting <= depth


def test_messages_that_wait_do_not_go_with_their_executor() -> None:
    queue = Queue()
    take = queue.late.guard("lamp", queue.received.append, 10)
    for at in (1.0, 2.0):
        queue.now = at
        take(int(at))
    assert queue.received == [1]
    queue.executor = object()
    take(3)
    assert queue.received == [1, 2, 3]


def test_messages_without_an_executor_are_taken() -> None:
    queue = Queue()
    queue.executor = None
    take = queue.late.guard("lamp", queue.received.append, 1)
    for queue.now in (1.0, 2.0, 3.0):
        take(int(queue.now))
    assert queue.received == [1, 2, 3]
