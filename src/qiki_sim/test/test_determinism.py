"""Same scenario, seed and calls give bit-equal states (SIM-D1 to SIM-D3)."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_helpers import CONFIG, command, make_world

from qiki_sim import ValveCommand, World

times = st.one_of(st.just(float("nan")), st.floats(0.0, 0.0499267578125, width=32))
edges = st.lists(times, min_size=16, max_size=16)
actions = st.lists(
    st.tuples(st.sampled_from(["alpha", "bravo"]), edges, edges, st.integers(1, 40), st.booleans()),
    min_size=1,
    max_size=6,
)


def fly(world, sequence, read):
    """The states after each action; with or without looking at everything in between."""
    states = []
    for bot, opens, closes, steps, fault in sequence:
        world.command(bot, ValveCommand(world.time, 0.05, np.array(opens), np.array(closes)))
        if fault:
            world.inject_fault(bot, "thruster_weak", str(steps % 16), 0.5, duration=0.03)
        world.step(steps * 0.002)
        if read:
            for name in world.bots:
                world.odom(name), world.energy(name), world.thermal(name), world.valves(name), world.motion(name)
        states.append(world.state())
    return states


@given(actions)
def test_bit_equal_between_runs_after_reset_and_whether_read_or_not(sequence):
    """SIM-D1."""
    bots = {"alpha": {}, "bravo": {"position": [2.6, 0.0, 0.0], "velocity": [-0.5, 0.0, 0.0]}}
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), bots=bots)
        other = make_world(Path(folder), bots=bots)
    first = fly(world, sequence, read=False)
    again = fly(other, sequence, read=True)
    world.reset()
    after_reset = fly(world, sequence, read=False)
    for one, two, three in zip(first, again, after_reset, strict=True):
        assert one.tobytes() == two.tobytes() == three.tobytes()


def test_length_of_the_calls_does_not_matter_on_whole_ticks(tmp_path):
    """SIM-D2: one call of 0.5 s or fifty of 10 ms."""
    worlds = [make_world(tmp_path, bots={"alpha": {"angular_velocity": [0.1, 0.2, 0.3]}}) for _ in range(2)]
    for world in worlds:
        world.command("alpha", command(0.0, [4, 9], [4], at=0.0123, until=0.0877))
    worlds[0].step(0.5)
    for _ in range(50):
        worlds[1].step(0.01)
    assert worlds[0].state().tobytes() == worlds[1].state().tobytes()


def test_noise_depends_on_seed_bot_and_time_alone():
    """SIM-D3."""
    path = CONFIG / "scenarios" / "station.yaml"
    one, two, other = World.from_file(path, seed=5), World.from_file(path, seed=5), World.from_file(path, seed=6)
    for _ in range(5):
        one.odom("alpha")
    for world in (one, two, other):
        world.step(0.1)
    assert one.odom("alpha").position.tobytes() == two.odom("alpha").position.tobytes()
    assert one.thermal("bravo").temperature.tobytes() == two.thermal("bravo").temperature.tobytes()
    assert one.odom("alpha").position.tobytes() != other.odom("alpha").position.tobytes()
    noise = [world - truth for world, truth in ((one.odom(b).position, one.motion(b).position) for b in one.bots)]
    assert not np.allclose(noise[0], noise[1])


@pytest.mark.parametrize("dt", [0.0, -0.01, float("nan"), float("inf"), 0.003, 0.0001])
def test_impossible_step_is_refused(tmp_path, dt):
    world = make_world(tmp_path)
    with pytest.raises(ValueError, match=r"dt = .*: allowed: a positive whole number of steps of 0.002 s"):
        world.step(dt)
    assert world.time == 0.0


def test_reset_goes_back_to_the_start(tmp_path):
    world = make_world(tmp_path)
    start = world.state()
    world.inject_fault("alpha", "thruster_stuck_open", "4")
    world.step(1.0)
    assert world.state().tobytes() != start.tobytes()
    world.reset()
    assert world.time == 0.0
    assert world.state().tobytes() == start.tobytes()
    assert world.faults("alpha").active == ()
