"""Touch, capture, latches and loads of docking ports (SIM-K1 to SIM-K6)."""

from itertools import product

import numpy as np
import pytest
from dock_helpers import approaching, base, chain, kinetic, momentum, occurred, order, reading
from sim_helpers import FORWARD, YAW, burn, make_world

from qiki_sim import CommandError
from qiki_vehicle import MassProperties, Pose, combined
from qiki_vehicle.port_hardware import DockCommand, PortCommand

BOX = base("alpha").vehicles[0].docking.contact_box
MAGNETS = base("alpha").vehicles[0].port_hardware.magnets
SIGNS = (-1.0, 1.0)


def corner(closing, signs):
    sides = (BOX.lateral_offset, BOX.lateral_rate, BOX.tilt, BOX.tilt_rate, BOX.roll, BOX.roll_rate)
    names = ("lateral", "lateral_rate", "tilt", "tilt_rate", "roll", "roll_rate")
    return {"closing": closing, **{name: sign * side for name, sign, side in zip(names, signs, sides, strict=True)}}


CORNERS = [
    corner(closing, signs) for closing in (BOX.closing_min, BOX.closing_max) for signs in product(SIGNS, repeat=6)
]


def test_every_corner_of_the_contact_box_is_captured():
    assert len(CORNERS) == 128
    for motion in CORNERS:
        world = approaching(gap=0.0025, **motion)
        order(world, "alpha", capture=True)
        world.step(0.03)
        if not world.docked():
            world.step(0.03)
        assert len(world.docked()) == 1, motion


@pytest.mark.parametrize(("number", "to"), [(0, ""), (85, ""), (127, ""), (42, "bravo")])
def test_what_is_captured_is_damped_and_seated_within_two_seconds(number, to):
    world = approaching(**CORNERS[number], to=to)
    order(world, "alpha", capture=True)
    world.step(2.2)
    (joint,) = world.docked()
    soft = world.scenario.vehicles[0].docking.soft
    assert joint.mating.lateral_rate < soft.lateral_rate
    assert max(joint.mating.tilt_rate, abs(joint.mating.roll_rate)) < soft.tilt_rate
    assert max(abs(joint.mating.range), joint.mating.lateral_offset) < 0.003
    assert joint.peak < MAGNETS.hold_force
    found = reading(world, "alpha")
    assert found.contact
    assert found.capture
    assert not found.latch_1


@pytest.mark.parametrize(
    "motion",
    [{"lateral": 2 * BOX.lateral_offset}, {"tilt": 2 * BOX.tilt}, {"roll": 2 * BOX.roll}, {"closing": 2.0}],
    ids=str,
)
def test_twice_the_offset_and_2_m_per_s_miss(motion):
    world = approaching(**motion)
    order(world, "alpha", capture=True)
    world.step(1.5)
    assert not world.docked()
    kinds = occurred(world)
    assert "port_contact" in kinds
    assert "captured" not in kinds
    if motion.get("closing"):
        assert world.motion("alpha").velocity[2] > 0.1  # it bounces
        assert kinds == ["port_contact", "port_contact_ended"]


def test_nothing_is_captured_while_the_magnets_of_both_are_off_and_either_is_enough():
    world = approaching(closing=0.05)
    world.step(1.0)
    assert not world.docked()
    world = approaching(closing=0.05)
    order(world, "station", "A", capture=True, source=True)
    world.step(1.0)
    assert world.docked()
    assert reading(world, "alpha").capture


def peak(closing, capture, to=""):
    world = approaching(closing=closing, to=to)
    if capture:
        order(world, "alpha", capture=True)
    world.step(0.25)
    if capture:
        return world.docked()[0].peak
    (touch,) = world.docking.touching.values()
    return touch.peak


@pytest.mark.parametrize("capture", [False, True])
def test_the_peak_force_grows_with_the_closing_rate_and_stays_under_the_strength_of_the_latches(capture):
    forces = [peak(closing, capture) for closing in (0.03, 0.05, 0.075, 0.1, 0.15)]
    assert forces == sorted(forces)
    assert len(set(forces)) == len(forces)
    assert 0.0 < forces[0] < forces[-1] < 12000.0


@pytest.mark.parametrize("to", ["", "bravo"])
def test_contact_and_joint_keep_momentum_and_gain_no_energy(to):
    for capture in (False, True):
        world = approaching(closing=0.1, lateral=0.05, tilt=0.05, to=to)
        other = to or "station"
        before, energy = momentum(world, "alpha", other), kinetic(world, "alpha", other)
        if capture:
            order(world, "alpha", capture=True)
        world.step(2.0)
        assert bool(world.docked()) == capture
        assert momentum(world, "alpha", other) == pytest.approx(before, abs=0.1)
        assert kinetic(world, "alpha", other) <= energy
        settled = kinetic(world, "alpha", other)
        world.step(1.0)
        assert kinetic(world, "alpha", other) <= settled * (1.0 + 1e-6)


def test_latches_lock_only_when_seated_and_after_their_time():
    world = approaching(lateral=0.1)
    order(world, "alpha", capture=True, latch=True)
    world.step(0.3)
    assert world.docked()[0].progress == 0.0  # not seated yet
    world.step(9.7)
    assert not reading(world, "alpha").latch_1
    world.step(2.0)
    found = reading(world, "alpha")
    assert found.latch_1
    assert found.latch_2
    assert reading(world, "station", "A").latch_1
    assert found.umbilical
    order(world, "alpha", pull=500.0)
    found = reading(world, "alpha")
    assert found.pull_force == pytest.approx(500.0, abs=15.0)
    assert found.slip_1 == pytest.approx(500.0 / 2.5e6, abs=1.5e-4)
    assert found.slip_2 == pytest.approx(found.slip_1, abs=2e-4)
    order(world, "alpha", latch=False, capture=False)
    world.step(9.0)
    assert world.docked()
    world.step(1.1)
    assert not world.docked()
    assert occurred(world) == ["port_contact", "captured", "latched", "unlatched", "released"]


def test_the_latches_hold_up_to_their_strength(tmp_path):
    world = chain(tmp_path, 1)
    order(world, "bot_0", pull=11900.0)
    world.step(0.1)
    assert world.docked()
    order(world, "bot_0", pull=12100.0)
    world.step(0.1)
    assert not world.docked()
    assert occurred(world) == ["latch_broken"]
    assert not reading(world, "bot_0").latch_1


def test_a_docked_pair_moves_as_one_body_with_the_combined_mass_properties(tmp_path):
    world = chain(tmp_path, 2, vehicle={"body": {"isp": 1e12}}, station=False)
    vehicle = world.scenario.vehicles[0]
    alone = MassProperties.of(vehicle.body)
    (joint,) = world.docked()
    names = joint.first.hardware.name, joint.second.hardware.name
    pair = combined([(alone, Pose()), (alone, joint.pair.pose if names[0] == "bot_0" else joint.pair.pose.inverse())])
    for thrusters, axis in ((FORWARD, slice(0, 3)), (YAW, slice(3, 6))):
        before = momentum(world, *names)
        burn(world, thrusters, 1.0, bot="bot_0")
        world.step(0.5)
        change = momentum(world, *names) - before
        assert np.linalg.norm(change[axis]) > 100.0
    motion = world.motion("bot_0")
    total = momentum(world, *names)
    velocity = Pose(motion.position, motion.orientation)
    com = motion.velocity + np.cross(motion.angular_velocity, pair.com)
    assert velocity.vector(com) * pair.mass == pytest.approx(total[:3], abs=0.05)
    place = velocity.point(pair.com)
    spin = total[3:] - np.cross(place, total[:3])
    assert velocity.vector(pair.inertia @ motion.angular_velocity) == pytest.approx(spin, abs=0.2)
    apart = [world.motion(name).position for name in names]
    assert np.linalg.norm(apart[0] - apart[1]) == pytest.approx(2.4, abs=1e-6)


def test_a_touch_outside_of_the_collars_is_reported_once(tmp_path):
    bots = {"alpha": {"velocity": [0.5, 0.0, 0.0]}, "bravo": {"position": [2.7, 0.0, 0.0]}}
    world = make_world(tmp_path, bots=bots)
    world.step(1.0)
    ((body, kind, payload),) = world.docking.take_occurrences()
    assert (body, kind, payload["other"]) == ("alpha", "collision", "bravo")
    assert payload["speed_mps"] == pytest.approx(0.5, abs=0.25)


def test_impossible_commands_are_refused_and_change_nothing():
    world = approaching()
    state = world.state()
    for command, text in (
        (DockCommand(0.0, (PortCommand("C"),)), "port = 'C': allowed: A, B"),
        (DockCommand(0.0, (PortCommand("B", capture=True), PortCommand("B"))), "each port once"),
        (DockCommand(0.0, (PortCommand("B", pull=-1.0),)), "pull = -1.0 N"),
        (DockCommand(0.0, (PortCommand("B", current_limit=float("nan")),)), "current_limit = nan A"),
        (DockCommand(0.0, draw=float("inf")), "draw = inf W"),
        (DockCommand(float("nan")), "stamp = nan"),
    ):
        with pytest.raises(CommandError, match=text.replace("[", r"\[")):
            world.command_dock("alpha", command)
    with pytest.raises(KeyError, match="allowed: alpha, station"):
        world.command_dock("nobody", DockCommand(0.0))
    assert (world.state() == state).all()
