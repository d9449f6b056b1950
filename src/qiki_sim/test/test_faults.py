"""Faults: kinds, duration, clearing, refusals, timed ones (SIM-F1 to SIM-F5)."""

import numpy as np
import pytest
from sim_helpers import FORWARD, NO_MASS_FLOW, burn, command, make_world

from qiki_sim import Health


def speed(world):
    return np.linalg.norm(world.motion("alpha").velocity)


def test_stuck_closed_gives_no_thrust_and_is_seen_when_commanded(tmp_path):
    """SIM-F1."""
    world = make_world(tmp_path)
    world.inject_fault("alpha", "thruster_stuck_closed", "4")
    world.step(0.1)
    assert world.valves("alpha").health[4] == Health.OK  # nobody has tried it yet
    burn(world, [4], 0.3)
    assert speed(world) == 0.0
    assert world.valves("alpha").health[4] == Health.STUCK_CLOSED
    world.inject_fault("alpha", "clear", "4")
    burn(world, [4], 0.3)
    assert speed(world) > 0.0
    assert world.valves("alpha").health[4] == Health.OK


def test_stuck_open_blows_until_its_time_is_over(tmp_path):
    """SIM-F1: no watchdog and no command closes it; it clears itself after its duration."""
    world = make_world(tmp_path)
    world.inject_fault("alpha", "thruster_stuck_open", "9", duration=1.5)
    world.step(0.1)
    world.command("alpha", command(world.time, (), range(16)))
    world.step(0.9)
    assert world.valves("alpha").open[9]
    assert world.valves("alpha").health[9] == Health.STUCK_OPEN
    world.step(1.0)
    reading = world.valves("alpha")
    assert not reading.open[9]
    assert reading.health[9] == Health.OK
    assert reading.on_time[9] == pytest.approx(1.5, abs=1e-9)


def test_stuck_open_blows_on_through_a_trip(tmp_path):
    """SIM-F1: the PDU takes the power away, not the propellant."""
    world = make_world(tmp_path)
    world.inject_fault("alpha", "thruster_stuck_open", "0")
    world.command("alpha", command(0.0, [4, 5, 6, 7, 1]))
    world.step(0.1)
    energy = world.bot("alpha").energy
    assert energy.tripped
    assert energy.thrust_power == 0.0
    assert world.valves("alpha").open == tuple(index == 0 for index in range(16))
    assert speed(world) > 0.0


def test_weak_thruster_gives_its_share_at_full_power(tmp_path):
    """SIM-F1: less propellant, the same electrical power; its own sensor sees nothing."""
    world = make_world(tmp_path, NO_MASS_FLOW)
    for index in FORWARD:
        world.inject_fault("alpha", "thruster_weak", str(index), 0.4)
    burn(world, FORWARD, 1.0)
    assert speed(world) == pytest.approx(0.4 * 4 * 260 * np.sqrt(0.5) / 1200.0, rel=1e-6)
    assert world.bot("alpha").energy.thrust_energy == pytest.approx(1040.0 * 33.333)
    assert set(world.valves("alpha").health) == {Health.OK}


def test_lost_sensor_says_nothing(tmp_path):
    """SIM-F2: for its duration."""
    world = make_world(tmp_path)
    readers = {
        "odom": world.odom,
        "thruster_state": world.valves,
        "energy": world.energy,
        "thermal": world.thermal,
        "battery": world.battery,
        "supercap": world.supercap,
    }
    for name, read in readers.items():
        assert read("alpha") is not None
        world.inject_fault("alpha", "sensor_dropout", name, duration=0.5)
        assert read("alpha") is None
    world.step(0.6)
    assert all(read("alpha") is not None for read in readers.values())


def test_noise_fault_scales_the_noise(tmp_path):
    """SIM-F3: factor on the vehicle's noise; standard deviation where it has none."""
    world = make_world(tmp_path, {"sensors": {"noise": {"velocity": 0.0}}})

    def spread(read, samples=400):
        values = []
        for _ in range(samples):
            world.step(0.01)
            values.append(read())
        return np.std(values, axis=0).mean()

    assert spread(lambda: world.odom("alpha").position) == pytest.approx(0.005, rel=0.15)
    assert spread(lambda: world.odom("alpha").velocity) == 0.0
    assert spread(lambda: world.thermal("alpha").temperature[4]) == pytest.approx(0.2, rel=0.2)
    world.inject_fault("alpha", "sensor_noise", "odom", 10.0)
    assert spread(lambda: world.odom("alpha").position) == pytest.approx(0.05, rel=0.15)
    assert spread(lambda: world.odom("alpha").velocity) == pytest.approx(10.0, rel=0.15)
    world.inject_fault("alpha", "clear", "odom")
    assert spread(lambda: world.odom("alpha").position) == pytest.approx(0.005, rel=0.15)


def test_noisy_orientation_stays_a_unit_quaternion(tmp_path):
    world = make_world(tmp_path)
    world.inject_fault("alpha", "sensor_noise", "odom", 1000.0)
    for _ in range(50):
        world.step(0.01)
        assert np.linalg.norm(world.odom("alpha").orientation) == pytest.approx(1.0, abs=1e-12)


def test_timed_faults_of_the_scenario(tmp_path):
    """SIM-F4: begin at their time, end after their duration."""
    fault = {"time": 0.25, "bot": "alpha", "kind": "thruster_stuck_open", "target": "3", "duration": 0.5}
    world = make_world(tmp_path, faults=[fault])
    world.step(0.25)
    assert not world.valves("alpha").open[3]
    world.step(1.0)
    assert world.valves("alpha").on_time[3] == pytest.approx(0.5, abs=1e-9)
    world.reset()
    world.step(1.25)
    assert world.valves("alpha").on_time[3] == pytest.approx(0.5, abs=1e-9)


def test_clear_all(tmp_path):
    world = make_world(tmp_path)
    world.inject_fault("alpha", "thruster_weak", "1", 0.5)
    world.inject_fault("alpha", "sensor_dropout", "odom")
    world.inject_fault("alpha", "clear")
    assert world.faults("alpha").active == ()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("gremlin", "1"), "kind = 'gremlin': allowed: thruster_stuck_closed"),
        (("thruster_stuck_open", "16"), "target = '16': allowed for thruster_stuck_open: thruster index 0 to 15"),
        (("thruster_stuck_open", "-1"), "target = '-1'"),
        (("thruster_stuck_open", "odom"), "target = 'odom'"),
        (("thruster_weak", "1", 1.5), "value = 1.5: allowed for thruster_weak: 0 to 1"),
        (("thruster_weak", "1", float("nan")), "value = nan"),
        (("thruster_stuck_open", "1", float("nan")), "value = nan: allowed: a finite number"),
        (("thruster_stuck_open", "9" * 5000), "target = '999"),
        (("sensor_dropout", "nose"), "target = 'nose': allowed for sensor_dropout: odom"),
        (("sensor_noise", "battery", 1.0), "target = 'battery': allowed for sensor_noise: odom, energy, thermal"),
        (("sensor_noise", "odom", -1.0), "value = -1.0"),
        (("thruster_weak", "1", 0.5, -1.0), "duration = -1.0: allowed: 0"),
        (("thruster_weak", "1", 0.5, float("inf")), "duration = inf"),
        (("clear", "nose"), "target = 'nose': allowed for clear: empty"),
    ],
)
def test_impossible_fault_is_refused(tmp_path, arguments, text):
    """SIM-F5: field, value, allowed range; nothing is in force."""
    world = make_world(tmp_path)
    with pytest.raises(ValueError, match=text):
        world.inject_fault("alpha", *arguments)
    assert world.faults("alpha").active == ()
