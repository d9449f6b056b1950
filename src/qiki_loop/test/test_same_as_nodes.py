"""The closed loop feeds twin and flight core as the nodes do: bit by bit the same flight as through messages."""

import numpy as np
import pytest
from wires import Allocator, Ground, Wires

from qiki_allocator.assembly import assemble
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_loop import ClosedLoop, messages
from qiki_sim import World

SECONDS = 12.0


def hold(controller, now):
    """Alpha only: bravo's watchdog closes its valves in the pause."""
    return controller.set_attitude(now, AttitudeMode.HOLD)


def wrench(time):
    """Of a pilot: a push along x, then a pause in which the watchdog acts, then one with a component out of reach."""
    if 4.0 <= time < 5.0:
        return None
    return [300.0, 40.0 * np.sin(time), 0.0 if time < 5.0 else 900.0, 0.0, 0.0, 0.0]


def faults(world, time_us):
    if time_us == 2_000_000:
        world.inject_fault("alpha", "thruster_stuck_closed", "4")
        world.inject_fault("bravo", "thruster_weak", "6", 0.3)
        world.inject_fault("bravo", "sensor_noise", "odom", 3.0)
    if time_us == 6_000_000:
        world.inject_fault("bravo", "thruster_stuck_open", "12")


def on_wires(scenario, rate):
    """The flight by the adapters of the nodes."""
    world, wires = World.from_file(scenario), Wires()
    allocators = {
        bot: Allocator(
            assemble(world.bot(bot).vehicle, rate=rate, stopwatch=lambda: 0.0),
            bot,
            wires,
            world=world,
            period_us=round(1e6 / rate),
        )
        for bot in world.bots
    }
    ground = Ground(world, wires)
    ground.publish()
    allocators["alpha"].act(hold(allocators["alpha"].controller, 0.0))
    for _ in range(round(SECONDS * 100)):
        faults(world, world.time_us)
        ground.step()
        for allocator in allocators.values():
            allocator.run_timers()
            command = wrench(world.time)
            if command is not None and world.time_us % 100_000 == 0:
                allocator.act(allocator.controller.command(allocator.seconds(), command))
    return world, ground.commands, {bot: one.occurrences for bot, one in allocators.items()}


def in_the_loop(scenario, rate, monkeypatch):
    loop = ClosedLoop.from_file(scenario, control_rate=rate)
    world, commands = loop.world, []
    to_valves = world.command

    def record(bot, command):
        commands.append((bot, world.time_us, command))
        to_valves(bot, command)

    monkeypatch.setattr(world, "command", record)
    loop.act("alpha", hold)
    while loop.time < SECONDS - 1e-9:
        faults(world, world.time_us)
        loop.run(0.01)
        for bot in world.bots:
            command = wrench(world.time)
            if command is not None and world.time_us % 100_000 == 0:
                loop.command(bot, command)
    assert not any(link.refusals for link in loop.links.values())
    return world, commands, {bot: link.occurrences for bot, link in loop.links.items()}


@pytest.mark.parametrize("rate", [100.0, 20.0])
def test_the_same_flight_as_through_messages(scenario, rate, monkeypatch):
    world, commands, occurrences = on_wires(scenario, rate)
    same, same_commands, same_occurrences = in_the_loop(scenario, rate, monkeypatch)
    for bot in world.bots:
        sent, same_sent = ([one[1:] for one in flown if one[0] == bot] for flown in (commands, same_commands))
        assert len(same_sent) == len(sent) > 50
        for (at, command), (same_at, same_command) in zip(sent, same_sent, strict=True):
            assert (at, command.stamp, command.window) == (same_at, same_command.stamp, same_command.window)
            np.testing.assert_array_equal(command.open_time, same_command.open_time)
            np.testing.assert_array_equal(command.close_time, same_command.close_time)
    np.testing.assert_array_equal(world.state(), same.state())
    for bot, flown in occurrences.items():
        assert [(one.type, one.time) for one in flown] == [(one.type, one.time) for one in same_occurrences[bot]]
    assert {"allocator.thruster_health_changed", "allocator.watchdog_stopped"} <= {
        one.type for flown in occurrences.values() for one in flown
    }


def test_times_are_those_of_stamps_and_clocks():
    """Whole nanoseconds, and the sums of float64 that the nodes make of them."""
    for time_us in (0, 10_000, 130_000, 4_290_000, 1_000_000_010_000):
        seconds, rest = divmod(time_us, 1_000_000)
        assert messages.stamp(time_us) == float(seconds) + float(rest * 1000) * 1e-9
        assert messages.clock(time_us) == float(time_us * 1000) * 1e-9
