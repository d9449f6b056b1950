"""Commands beyond reach, by modulators that take turns: no thrust against them, and none for long after them."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from valve_hardware import Hardware, check_timing

from qiki_allocator import Allocator, BangBang, ImpulseBit, Limits, PulseWidth, Pwpf, ValveTiming
from qiki_allocator.assembly import thrusters
from qiki_allocator.modulation.modulators import Modulators
from qiki_allocator.modulation.valves import ValveBank
from qiki_vehicle import MassProperties

WATTS = 33.333
TIMING = ValveTiming()
WINDOW = 0.25
"""s: at most as much as all thrusters give in it is given too much by the pulses in flight, or too little."""


def commands(sizes):
    """Up to six factors of the reach of an axis, each with the time it lasts: s."""
    return st.lists(st.tuples(sizes, st.sampled_from([0.01, 0.02, 0.05, 0.11, 0.3, 0.62])), min_size=1, max_size=6)


@pytest.mark.requirement("ALLOC-5d")
@given(
    kinds=st.lists(st.sampled_from(["pulse_width", "impulse_bit", "pwpf", "bang_bang"]), min_size=1, max_size=3),
    along=st.tuples(st.integers(0, 5), st.sampled_from([-1.0, 1.0])),
    power=st.sampled_from([9000.0, 22500.0, 45000.0]),
    commanded=commands(st.floats(-1.0, 3.0).map(lambda exponent: 10.0**exponent)),
)
@example(["impulse_bit"], (0, 1.0), 22500.0, [(14.0, 1.0)])
@example(["pulse_width"], (0, 1.0), 22500.0, [(1e3, 1.0), (1e-3, 0.5)])
@example(["impulse_bit", "pulse_width"], (0, 1.0), 45000.0, [(0.1, 0.3), (1e3, 0.05)])
def test_what_was_beyond_reach_is_neither_undone_nor_made_up_for(vehicle, kinds, along, power, commanded):
    valves = Valves(vehicle, kinds[0])
    unit = np.zeros(6)
    unit[along[0]] = along[1]
    ends = np.cumsum([duration for _, duration in commanded])
    turns = np.linspace(0.0, ends[-1], len(kinds) + 1)[1:-1]
    now, given_so_far = 0.0, [0.0]
    while now < ends[-1] - 1e-9:
        size = commanded[int(np.searchsorted(ends, now + 1e-9, side="right"))][0]
        valves.modulators.switch(now, kinds[int(np.searchsorted(turns, now, side="right"))])
        given_so_far.append(valves.step(now, unit, size, power))
        now = round(now + 0.01, 2)
    at_end = given_so_far[-1]
    while valves.modulators.current.is_active:
        given_so_far.append(valves.step(now, unit, 0.0, power))
        now = round(now + 0.01, 2)
        assert now < ends[-1] + 4.0, "it never ends"
    assert given_so_far[-1] >= max(given_so_far) - WINDOW
    assert given_so_far[-1] <= at_end + 2.0 * WINDOW
    check_timing(valves.hardware.pulses(), TIMING)


class Valves:
    """All modulators of a vehicle with its valves."""

    def __init__(self, vehicle, kind):
        self.allocator, body = Allocator(thrusters(vehicle), WATTS), MassProperties.of(vehicle.body)
        build = {
            "pulse_width": lambda bank: PulseWidth(self.allocator, TIMING, bank=bank),
            "impulse_bit": lambda bank: ImpulseBit(self.allocator, body, TIMING, bank=bank),
            "pwpf": lambda bank: Pwpf(self.allocator, TIMING, bank=bank),
            "bang_bang": lambda bank: BangBang(self.allocator, TIMING, bank=bank),
        }
        self.bank, self.hardware = ValveBank(16, TIMING), Hardware(16)
        self.modulators = Modulators(tuple(build), lambda kind, bank: build[kind](bank), kind, self.bank, body)

    def step(self, now, along, size, power):
        """Command `size` reaches along a unit vector (6,); s in which all thrusters would have given what the valves
        gave along it so far."""
        array, per_reach = self.allocator.array, self.allocator.per_reach
        wrench = np.clip(size * along / per_reach, -1e6, 1e6)
        command = self.modulators.current.step(now, wrench, Limits(power))
        if command is not None:
            self.hardware.take(command, now)
        return float((along * per_reach) @ (array.effectiveness @ (array.f_max * self.bank.on_time)))
