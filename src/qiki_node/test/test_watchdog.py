"""The watchdog: its own looks count, not the time that passes while the process is stopped."""

import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.turns import Turns
from qiki_node.watchdog import EXIT_STUCK, LIMIT, Watchdog

LOOKS = round(LIMIT / 0.5)


def dog_of(turns: Turns) -> Watchdog:
    return Watchdog(turns, lambda: None)


@given(st.lists(st.integers(0, LOOKS + 5), max_size=10))
def test_it_fires_when_enough_looks_in_a_row_see_no_turn(pauses: list[int]) -> None:
    turns = Turns(lambda: 0.0)
    dog = dog_of(turns)
    for looks in pauses:
        turns.note()
        dog.look()  # sees the turn
        assert [dog.look() for _ in range(looks)] == [n >= LOOKS for n in range(1, looks + 1)]


def test_a_pause_of_the_process_or_of_the_machine_does_not_count() -> None:
    now = [0.0]
    turns = Turns(lambda: now[0])
    dog = dog_of(turns)
    now[0] = 3600.0
    assert not dog.look()
    assert turns.age == 3600.0


def test_a_transition_is_exempt_while_it_lasts() -> None:
    turns = Turns()
    dog = dog_of(turns)
    with turns.busy_with("clean up"):
        assert not any(dog.look() for _ in range(3 * LOOKS))
        assert turns.age == 0.0
    assert not any(dog.look() for _ in range(LOOKS))
    assert dog.look()


class Lasting:
    """A thread that lasts twice as long as the watchdog waits; the watchdog looks while it is joined."""

    def __init__(self, dog: Watchdog) -> None:
        self.dog, self.looks, self.fired = dog, 0, False

    def is_alive(self) -> bool:
        self.looks += 1
        return self.looks <= LOOKS

    def join(self, seconds: float) -> None:
        self.fired |= any(self.dog.look() for _ in range(round(seconds / 0.5)))


def test_a_join_that_lasts_ends_no_process_that_was_asked_to_end() -> None:
    turns = Turns()
    dog = dog_of(turns)
    turns.stopping = True
    thread = Lasting(dog)
    with turns.busy_with("deactivate"):
        turns.join(thread)  # type: ignore[arg-type]
        assert not thread.fired
        assert [dog.look() for _ in range(LOOKS + 1)][-1], "a hook that hangs does not outlive the order"


STUCK = """
import sys, time
import qiki_node.watchdog as watchdog
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters
from qiki_node.run import run

watchdog._TICK, watchdog.LIMIT, watchdog._LAST_RESORT = 0.05, 1.0, 1.0
watchdog.Watchdog.__init__.__defaults__ = (1.0,)

class Stuck(QikiNode[NodeParameters]):
    def __init__(self):
        super().__init__("stuck", NodeParameters)
    def on_configure_node(self):
        if sys.argv[1] == "configure":
            time.sleep(1.5)
    def on_activate_node(self):
        print("active", flush=True)
        self.create_timer(0.1, self.tick)
    def tick(self):
        if sys.argv[1] == "sleep":
            time.sleep(1e6)
        elif sys.argv[1] == "keep":
            sum(range(10**15))  # in C, without letting another thread run

run(Stuck)
"""


def start(how: str, **environment: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", STUCK, how], stdout=pipe, stderr=pipe, text=True, env={**os.environ, **environment}
    )


@pytest.mark.realtime
def test_a_process_whose_executor_is_stuck_ends_with_the_stacks_of_its_threads() -> None:
    slept, kept, as_json = start("sleep"), start("keep"), start("sleep", QIKI_LOG_FORMAT="json")
    err = slept.communicate(timeout=60)[1]
    assert slept.returncode == EXIT_STUCK
    assert "/stuck: the executor has not turned" in err
    assert "in tick" in err
    err = kept.communicate(timeout=60)[1]
    assert kept.returncode == -signal.SIGPROF
    assert "in tick" in err
    record = json.loads(as_json.communicate(timeout=60)[1].splitlines()[-1])
    assert as_json.returncode == EXIT_STUCK
    assert (record["level"], record["node"]) == ("fatal", "/stuck")
    assert "in tick" in record["MainThread"]


@pytest.mark.realtime
def test_a_slow_configuration_and_a_pause_end_nothing() -> None:
    process = start("configure")
    assert process.stdout is not None
    assert process.stdout.readline() == "active\n"
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    process.send_signal(signal.SIGCONT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
