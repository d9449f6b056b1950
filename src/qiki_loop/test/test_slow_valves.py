"""Valves that read their commands late, and only the newest: the impulse is right all the same."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qiki_allocator.assembly import assemble
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.telemetry import Mode
from qiki_loop import ClosedLoop
from qiki_sim import World

MODULATORS = ("pulse_width", "pwpf", "bang_bang")


class Mailbox:
    """Keeps the newest command of each bot until it is read, every `interval` ticks of 10 ms and now and then later."""

    def __init__(self, loop, interval, jitter):
        self.loop, self.interval, self.jitter = loop, interval, jitter
        self.newest, self.next, self.reads = {}, jitter[0], 0
        self.to_valves, loop.world.command = loop.world.command, self.newest.__setitem__

    def run(self, seconds, wrench=None):
        for _ in range(round(seconds * 100)):
            tick = round(self.loop.time * 100)
            if wrench is not None and tick % 5 == 0:
                self.loop.command("alpha", wrench)
            if tick >= self.next:
                for bot, command in self.newest.items():
                    self.to_valves(bot, command)
                self.newest.clear()
                self.reads += 1
                late = self.jitter[self.reads % len(self.jitter)]
                self.next = tick + min(self.interval + late, 10)
            self.loop.run(0.01)


@pytest.mark.requirement("ALLOC-5c")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(MODULATORS),
    st.integers(1, 10),
    st.lists(st.integers(0, 4), min_size=1, max_size=7),
    st.sampled_from([(200.0, 0.0, 0.0), (-150.0, 60.0, 0.0), (0.0, 0.0, 300.0)]),
)
@example("pulse_width", 10, [0], (200.0, 0.0, 0.0))
@example("pwpf", 3, [0], (200.0, 0.0, 0.0))
@example("pwpf", 10, [5], (200.0, 0.0, 0.0))
@example("bang_bang", 4, [1], (200.0, 0.0, 0.0))
@example("bang_bang", 10, [3], (200.0, 0.0, 0.0))
def test_the_impulse_is_right_however_late_the_valves_read(scenario, modulator, interval, jitter, force):
    world = World.from_file(scenario)
    core = assemble(world.bot("alpha").vehicle, modulator=modulator, fault_detection=False, stopwatch=lambda: 0.0)
    loop = ClosedLoop(world, {"alpha": core}, telemetry_rate=0.0)
    mailbox = Mailbox(loop, interval, jitter)
    mailbox.run(0.2)
    mailbox.run(2.0, [*force, 0.0, 0.0, 0.0])
    loop.command("alpha", np.zeros(6))
    mailbox.run(2.0)
    bot, array = loop.world.bot("alpha"), loop.controller("alpha").drive.array
    given = array.effectiveness @ (array.f_max * bot.valves.on_time)
    assert not any(bot.valves.open)
    np.testing.assert_allclose(given[:3], 2.0 * np.array(force), atol=0.01 * 2.0 * np.linalg.norm(force))


def deg(loop):
    return np.degrees(np.abs(loop.world.motion("alpha").angular_velocity).max())


@pytest.mark.requirement("ALLOC-8c")
@pytest.mark.parametrize("stall", [0.3, 2.0, 5.0])
def test_a_stall_is_not_flown_afterwards(scenario, stall):
    """The process stands still while the valves carry out what they have: a slew stays under its rate limit."""
    world = World.from_file(scenario)
    core = assemble(world.bot("alpha").vehicle, fault_detection=False, stopwatch=lambda: 0.0)
    loop = ClosedLoop(world, {"alpha": core}, telemetry_rate=0.0)
    loop.run(0.2)
    half = np.radians(45.0)
    loop.act("alpha", lambda c, now: c.set_attitude(now, AttitudeMode.HOLD, [np.sin(half), 0.0, 0.0, np.cos(half)]))
    loop.run(0.6)
    world.step(stall)
    worst = 0.0
    for _ in range(40):
        loop.run(0.1)
        worst = max(worst, deg(loop))
    assert worst < 8.6 + 1.0
    assert loop.controller("alpha").motion.mode is AttitudeMode.HOLD


@pytest.mark.requirement("ALLOC-8c")
@pytest.mark.parametrize("stall", [0.3, 2.0, 5.0])
@pytest.mark.parametrize("force", [0.0, 100.0])
def test_after_a_stall_a_command_counts_from_its_own_time(scenario, stall, force):
    """Also when it comes before the next cycle: of the one before at most the watchdog's 0.5 s are flown."""
    world = World.from_file(scenario)
    core = assemble(world.bot("alpha").vehicle, fault_detection=False, stopwatch=lambda: 0.0)
    loop = ClosedLoop(world, {"alpha": core}, telemetry_rate=0.0)
    loop.run(0.2)
    for _ in range(25):
        loop.command("alpha", [0.0, 0.0, 100.0, 0.0, 0.0, 0.0])
        loop.run(0.02)
    world.step(stall)
    for _ in range(10):
        loop.command("alpha", [0.0, 0.0, force, 0.0, 0.0, 0.0])
        loop.run(0.02)
    loop.command("alpha", np.zeros(6))
    loop.run(2.0)
    array = core.drive.array
    given = (array.effectiveness @ (array.f_max * world.bot("alpha").valves.on_time))[2]
    asked = 100.0 * 0.5 + force * 0.2
    assert asked - 25.0 < given <= asked + 100.0 * 0.5 + 5.0


@pytest.mark.requirement("ALLOC-8c")
def test_thrusters_cool_down_after_a_stall_in_a_long_burn(loop):
    """The hardware's watchdog closed the valves in the stall: they count as closed for the longest burn too."""
    core = loop.controller("alpha")
    for _ in range(20):
        loop.command("alpha", [2000.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        loop.run(0.05)
    loop.world.step(0.8)
    loop.run(6.0)
    assert np.min(core.drive.limits(loop.time).limits.bounds) > 0.0


@pytest.mark.requirement("ALLOC-8c")
@pytest.mark.parametrize("cycles", [True, False])
@pytest.mark.parametrize("lead", [0.2, 0.3])
def test_no_valve_stays_open_after_a_stop_of_levels(scenario, lead, cycles):
    """Whether further cycles follow the stop or none, and wherever in the window of a pulse it comes."""
    loop = ClosedLoop.from_file(scenario, lead=lead)
    loop.run(0.3)
    loop.act("alpha", lambda c, now: c.set_mode(now, Mode.MANUAL_OVERRIDE, arm=True))
    bot, core = loop.world.bot("alpha"), loop.controller("alpha")
    levels = np.zeros(len(core.drive.array))
    levels[0] = 0.5
    for phase in range(3):
        for _ in range(6):
            loop.act("alpha", lambda c, now: c.command_levels(now, levels))
            loop.run(0.05)
        loop.run(0.01 * phase)
        loop.act("alpha", lambda c, now: c.stop(now))
        (loop.run if cycles else loop.world.step)(0.45)
        assert not any(bot.valves.open)
        assert not bot.driver.watchdog
        loop.act("alpha", lambda c, _: c.resume())
        loop.run(0.6)


@pytest.mark.requirement("ALLOC-5c")
def test_what_the_hardware_closed_while_commands_were_lost_opens_again(loop):
    core, bot, to_valves = loop.controller("alpha"), loop.world.bot("alpha"), loop.world.command

    def burn(seconds):
        for _ in range(round(20 * seconds)):
            loop.command("alpha", [3000.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            loop.run(0.05)

    burn(0.8)
    loop.world.command = lambda *_: None
    burn(0.65)
    assert bot.driver.watchdog
    loop.world.command = to_valves
    burn(0.4)
    long_open = loop.time - core.drive._modulator.bank.since > 0.3
    wanted = core.drive._modulator.bank.is_open & long_open
    assert wanted.any()
    assert np.asarray(bot.driver.commanded)[wanted].all()
