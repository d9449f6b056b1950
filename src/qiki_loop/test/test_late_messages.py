"""Fault detection where messages come late or not at all, as on a busy machine."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from qiki_allocator.health.table import Condition
from qiki_loop import ClosedLoop

STEP = 0.02  # s


@dataclass
class Busy:
    """Stands between the topics and the controller of alpha: valve commands and the valves' reports come late.

    Attributes:
        report: s, least and longest time that a report of the valves takes.
        command: s, longest time that a command takes; some never come.
    """

    loop: ClosedLoop
    seed: int
    report: tuple[float, float]
    command: float
    findings: list[str] = field(default_factory=list)

    def __post_init__(self):
        self._random = np.random.default_rng(self.seed)
        self._mail = []
        core = self.loop.controller("alpha")
        self._delay(core, "update_valves", lambda: self._random.uniform(*self.report))
        self._delay(self.loop.world, "command", lambda: self._random.uniform(0.0, self.command), lost=0.05)

    def _delay(self, receiver, name, delay, lost=0.0):
        take = getattr(receiver, name)

        def send(*arguments):
            if self._random.random() >= lost:
                self._mail.append((self.loop.time + delay(), take, arguments))
            return []

        setattr(receiver, name, send)

    def fly(self, seconds):
        """Random wrenches with the spin damped."""
        end, change, wrench = self.loop.time + seconds, 0.0, np.zeros(6)
        while self.loop.time < end:
            if self.loop.time >= change:
                change = self.loop.time + self._random.uniform(0.2, 2.0)
                reach = np.array([600.0, 600.0, 600.0, 200.0, 300.0, 500.0])
                wrench = self._random.uniform(-0.5, 0.5, 6) * reach * (self._random.random(6) < 0.5)
            spin = self.loop.world.motion("alpha").angular_velocity
            self.loop.command("alpha", wrench - 400.0 * np.concatenate([np.zeros(3), spin]))
            self.loop.run(STEP)
            for item in [one for one in self._mail if one[0] <= self.loop.time]:
                self._mail.remove(item)
                _due, take, arguments = item
                # The controller's clock is the only value that is of the moment of arrival.
                is_report = take.__name__ == "update_valves"
                take(*((self.loop.links["alpha"].now, *arguments[1:]) if is_report else arguments))

    @property
    def found(self):
        """Findings so far, by the motion or the hardware, each once."""
        faults = [one for one in self.loop.links["alpha"].occurrences if one.type == "allocator.fault_detected"]
        return {one.data["finding"] for one in faults}


@pytest.fixture
def busy(scenario):
    loop = ClosedLoop.from_file(scenario, control_rate=50.0, telemetry_rate=0.0)
    del loop.links["bravo"]
    loop.run(0.3)
    return loop


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_healthy_thrusters_are_not_accused(busy, seed):
    flight = Busy(busy, seed, report=(0.3, 0.8), command=0.1)
    flight.fly(12.0)
    assert flight.found == set()


def test_a_dead_thruster_is_the_only_one_found(busy):
    flight = Busy(busy, 3, report=(0.0, 0.1), command=0.03)
    busy.world.inject_fault("alpha", "thruster_stuck_closed", "3")
    flight.fly(10.0)
    assert flight.found == {"thruster 3 dead"}
    assert busy.controller("alpha").drive.health[3].condition is Condition.DEAD
