"""What a burn waits for and refuses before and on the way, and its means."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qiki_console.graph.burn import Burn
from qiki_console.graph.flight_log import FlightLog, Planned, Valves, mean_wrench
from qiki_console.model.burn_account import Command, Sample
from qiki_console.model.burn_causes import troubles
from qiki_msgs.msg import Allocation
from qiki_node.errors import CommandError, RefusedError, UnreachableError

NAN = (math.nan,) * 3


def test_the_mean_is_of_what_is_known() -> None:
    assert mean_wrench([]) is None
    assert mean_wrench([(NAN, NAN)]) is None
    known = ((1.0, 2.0, 3.0), (0.0, 0.0, 4.0))
    assert mean_wrench([(NAN, NAN), known, ((3.0, 2.0, 3.0), (0.0, 0.0, 4.0))]) == ((2.0, 2.0, 3.0), (0.0, 0.0, 4.0))


@pytest.mark.parametrize("state", [Allocation.STATE_REFUSED, Allocation.STATE_STOPPED])
def test_a_state_from_before_the_burn_is_no_refusal_of_it(state: int) -> None:
    session: Any = None
    burn = Burn(session, "alpha", Command(np.ones(3), np.zeros(3), 1.0), 20.0, lambda _: None)
    log: list[tuple[float, Any]] = burn._log.allocations
    planned = SimpleNamespace(state=state, refused=3, refusal="force.x")
    log.append((10.02, planned))
    burn._check_refusal(10.0, 3)
    log.append((10.12, planned))
    with pytest.raises(RefusedError, match=r"force\.x"):
        burn._check_refusal(10.0, 3)
    log.append((10.02, SimpleNamespace(state=Allocation.STATE_ACTIVE, refused=4, refusal="force.y")))
    with pytest.raises(RefusedError, match=r"force\.y"):
        burn._check_refusal(10.0, 3)


@pytest.mark.parametrize(
    ("looks", "error", "text"),
    [(2, UnreachableError, "/alpha/odom is silent"), (9, CommandError, "nothing was commanded")],
)
def test_a_killed_simulator_may_stay_in_discovery_for_a_while(looks: int, error: type[Exception], text: str) -> None:
    ends = [SimpleNamespace(node_name=name, node_namespace="/qiki") for name in ("sim", "sim_2")]
    left = iter([ends] * looks)
    publisher = SimpleNamespace(topic_name="/alpha/cmd_wrench", get_subscription_count=lambda: 1)
    session: Any = SimpleNamespace(
        node=SimpleNamespace(create_publisher=lambda *_: publisher, get_name=lambda: "console"),
        discovery=1.0,
        subscribe=lambda *_: None,
        subscribers=lambda _: ends[:1],
        publishers=lambda _: next(left, ends[:1]),
        wait_for=lambda condition, _: any(condition() for _ in range(4)),
    )
    burn = Burn(session, "alpha", Command(np.ones(3), np.zeros(3), 1.0), 20.0, lambda _: None)
    for tick in range(3):
        burn._clock.tick(0.01 * tick, 0.01 * tick)
    with pytest.raises(error, match=text):
        burn._prepare()


def planned(time: float, commands: int, pause: float = 0.01) -> tuple[float, Planned]:
    zero = ((0.0,) * 3, (0.0,) * 3)
    report = Planned(2, 1, zero, zero, (), 10.0 * commands, commands // 4, {}, 0, "", commands, 0.04, pause)
    return time, report


def test_what_the_allocator_counts_is_evidence() -> None:
    log, command = FlightLog("alpha"), Command(np.ones(3), np.zeros(3), 1.0)
    times = np.arange(0.0, 3.0, 0.05).tolist()
    log.allocations += [planned(at, 100 + 4 * i, 0.3 if i == 25 else 0.01) for i, at in enumerate(times)]
    log.valves += [(at, Valves(i, 0, False, 20.0, 3 * i)) for i, at in enumerate(times)]
    seen = log.evidence(command, 1.0, 2.0, ())
    assert (seen.commands, seen.commands_read, seen.longest_pause, seen.lead) == (80, 60, 0.3, 0.04)
    assert list(troubles(seen)) == ["late"]


@pytest.mark.parametrize("again", [3, 60])
def test_an_allocator_that_was_started_again_has_no_growth_of_its_counters(again: int) -> None:
    """Whether it has counted less or more since than before."""
    log, command = FlightLog("alpha"), Command(np.ones(3), np.zeros(3), 1.0)
    log.allocations += [planned(0.9, 20), planned(1.4, 40), planned(1.6, 0), planned(2.1, again)]
    seen = log.evidence(command, 1.0, 2.0, ())
    assert (seen.commands, seen.openings_commanded, seen.energy_commanded) == (None, None, None)
    assert seen.restarted == ("allocator",)


def test_an_account_waits_for_telemetry_that_comes_after_its_clock() -> None:
    log = FlightLog("alpha")
    log.allocations.append((2.49, SimpleNamespace()))
    assert not log.covers(2.5, 3.0)
    log.samples.append(Sample(2.99, SimpleNamespace()))
    log.allocations.append((2.54, SimpleNamespace()))
    assert not log.covers(2.5, 3.0)
    log.samples.append(Sample(3.01, SimpleNamespace()))
    assert log.covers(2.5, 3.0)
    log.energy.append((2.4, 0.0))
    assert not log.covers(2.5, 3.0)


@pytest.mark.parametrize("restarts", [0, 1])
def test_telemetry_that_never_comes_is_not_waited_for_after_a_reset(restarts: int) -> None:
    waited: list[float] = []

    def wait_for(condition: Callable[[], bool], timeout: float) -> bool:
        waited.append(timeout)
        return condition()

    session: Any = SimpleNamespace(wait_for=wait_for)
    burn = Burn(session, "alpha", Command(np.ones(3), np.zeros(3), 1.0), 20.0, lambda _: None)
    burn._clock.restarts = restarts
    with pytest.raises(CommandError, match="jumped back") if restarts else nullcontext():
        burn._wait_for_telemetry(2.5)
    assert waited[0] < 10.0
