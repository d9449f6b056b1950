"""Rigid body motion against closed forms (requirements SIM-M1 to SIM-M7 of docs/design/qiki_sim.md)."""

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation
from scipy.special import ellipj, ellipk
from sim_helpers import COLD, FORWARD, NO_MASS_FLOW, YAW, burn, command, make_world, merged, write_scenario

from qiki_sim import World
from qiki_vehicle.quaternion import matrix as rotation

FORCE = 4 * 260.0 * np.sqrt(0.5)  # N
TORQUE = 4 * 260.0 * 0.85 * np.sqrt(2.0)  # N m
G0 = 9.80665  # m/s^2


def test_constant_pure_force(tmp_path):
    """SIM-M1: v = F t / m, x = F t^2 / 2 m."""
    world = make_world(tmp_path, NO_MASS_FLOW)
    burn(world, FORWARD, 2.0)
    motion = world.motion("alpha")
    assert motion.velocity == pytest.approx([FORCE * 2.0 / 1200.0, 0, 0], rel=1e-7, abs=1e-12)
    assert motion.position == pytest.approx([FORCE * 2.0**2 / 2400.0, 0, 0], rel=1e-7, abs=1e-12)
    assert motion.angular_velocity == pytest.approx(np.zeros(3), abs=1e-12)


def test_constant_pure_torque(tmp_path):
    """SIM-M2: w = T t / I, angle = T t^2 / 2 I."""
    world = make_world(tmp_path, NO_MASS_FLOW)
    burn(world, YAW, 1.0)
    motion = world.motion("alpha")
    assert motion.angular_velocity == pytest.approx([0, 0, TORQUE / 820.0], rel=1e-7, abs=1e-10)
    angle = Rotation.from_quat(motion.orientation).as_rotvec()
    assert angle == pytest.approx([0, 0, TORQUE / 1640.0], rel=1e-7, abs=1e-10)
    assert motion.position == pytest.approx(np.zeros(3), abs=1e-10)


def test_off_centre_force_turns_about_the_centre_of_mass(tmp_path):
    """SIM-M2: with the centre of mass off the line of force, the torque is the offset times the force."""
    world = make_world(tmp_path, {"body": {"isp": 1e12}})
    world.command("alpha", command(0.0, FORWARD, FORWARD, until=0.01))
    world.step(0.01)
    assert world.motion("alpha").angular_velocity[1] == pytest.approx(-FORCE * 0.1 * 0.01 / 800.0, rel=1e-6)


def test_initial_velocity_is_that_of_base_link(tmp_path):
    """SIM-M3: velocity is given in world and read in base_link, both at the origin of base_link."""
    turned = Rotation.from_euler("xyz", [0.3, -0.5, 1.1])
    entry = {
        "position": [1.0, 2.0, 3.0],
        "orientation": turned.as_quat().tolist(),
        "velocity": [0.4, -0.2, 0.1],
        "angular_velocity": [0.3, 0.2, -0.1],
    }
    motion = make_world(tmp_path, bots={"alpha": entry}).motion("alpha")
    assert motion.position == pytest.approx([1.0, 2.0, 3.0])
    assert turned.apply(motion.velocity) == pytest.approx([0.4, -0.2, 0.1])
    assert rotation(motion.orientation) == pytest.approx(turned.as_matrix())


def test_base_link_circles_about_the_centre_of_mass(tmp_path):
    """SIM-M3: a spinning bot's centre of mass goes straight while base_link circles it."""
    entry = {"angular_velocity": [0.0, 0.5, 0.0]}
    world = make_world(tmp_path, bots={"alpha": entry})
    centre = np.array([0.0, 0.0, 0.1])
    drift = np.cross([0.0, 0.5, 0.0], centre)
    world.step(3.0)
    motion = world.motion("alpha")
    now = motion.position + Rotation.from_quat(motion.orientation).apply(centre)
    assert now == pytest.approx(centre + 3.0 * drift, abs=1e-9)


def test_torque_free_precession_follows_jacobi_functions(tmp_path):
    """SIM-M4: Landau and Lifshitz, Mechanics, section 37."""
    a, b, c = 500.0, 800.0, 1100.0
    spin = np.array([0.3, 0.0, 0.5])
    world = make_world(tmp_path, {"body": {"inertia": [a, b, c]}}, {"alpha": {"angular_velocity": spin.tolist()}})
    inertia = np.array([a, b, c])
    energy2, momentum2 = inertia @ spin**2, np.sum((inertia * spin) ** 2)
    assert momentum2 > energy2 * b
    rate = np.sqrt((c - b) * (momentum2 - energy2 * a) / (a * b * c))
    modulus = (b - a) * (energy2 * c - momentum2) / ((c - b) * (momentum2 - energy2 * a))
    period = 4.0 * ellipk(modulus) / rate
    amplitude = np.sqrt(
        [
            (energy2 * c - momentum2) / (a * (c - a)),
            (energy2 * c - momentum2) / (b * (c - b)),
            (momentum2 - energy2 * a) / (c * (c - a)),
        ]
    )
    for time in np.arange(1.0, period):
        world.step(1.0)
        sn, cn, dn, _ = ellipj(rate * time, modulus)
        assert world.motion("alpha").angular_velocity == pytest.approx(amplitude * [cn, sn, dn], abs=1e-9)
    world.step(round((period - world.time) / 0.002) * 0.002)
    assert world.motion("alpha").angular_velocity == pytest.approx(spin, abs=2e-4)


def test_tumbling_keeps_angular_momentum_and_energy(tmp_path):
    """SIM-M4: over a minute, to rounding."""
    spin = [0.5, 0.3, 0.4]
    world = make_world(tmp_path, bots={"alpha": {"angular_velocity": spin}})
    inertia = np.array([760.0, 800.0, 820.0])

    def invariants():
        motion = world.motion("alpha")
        momentum = rotation(motion.orientation) @ (inertia * motion.angular_velocity)
        return momentum, inertia @ motion.angular_velocity**2 / 2

    momentum, energy = invariants()
    world.step(60.0)
    momentum_after, energy_after = invariants()
    assert momentum_after == pytest.approx(momentum, rel=1e-11, abs=1e-9)
    assert energy_after == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize("start", [0.0, 0.0007, 0.00133])
def test_impulse_of_one_pulse_is_exact_wherever_its_edges_fall(tmp_path, start):
    """SIM-M5: 30 ms of 260 N are 7.8 N s."""
    world = make_world(tmp_path, NO_MASS_FLOW)
    world.command("alpha", command(0.0, [4], [4], at=start, until=start + 0.03))
    world.step(0.1)
    momentum = 1200.0 * rotation(world.motion("alpha").orientation) @ world.motion("alpha").velocity
    assert np.linalg.norm(momentum) == pytest.approx(7.8, rel=1e-5)
    spin = world.motion("alpha").angular_velocity * [760.0, 800.0, 820.0]
    lever = np.cross([-0.85, 0.85, 0.40], np.array([1.0, 1.0, 0.0]) * np.sqrt(0.5))
    assert spin == pytest.approx(7.8 * lever, rel=1e-4)
    assert world.bot("alpha").valves.on_time[4] == pytest.approx(0.03, abs=1e-12)


def test_rocket_equation(tmp_path):
    """SIM-M6: dv = Isp g0 ln(m0 / m1) until the tank is empty, then nothing more."""
    vehicle = merged(merged(NO_MASS_FLOW, COLD), {"body": {"isp": 220.0, "working_mass": 60.0}})
    world = make_world(tmp_path, vehicle)
    flow = 4 * 260.0 / (220.0 * G0)
    # The thrusters blow along the diagonals: only the x share of the jets' momentum counts.
    exhaust = 220.0 * G0 * np.sqrt(0.5)
    burn(world, FORWARD, 30.0)
    mass = 1200.0 - 30.0 * flow
    assert world.mass_properties("alpha").mass == pytest.approx(mass, rel=1e-9)
    assert world.mass_properties("alpha").inertia == pytest.approx(np.diag([760, 800, 820]) * mass / 1200.0)
    assert world.motion("alpha").velocity[0] == pytest.approx(exhaust * np.log(1200.0 / mass), rel=1e-5)
    burn(world, FORWARD, 100.0)
    assert world.bot("alpha").working_mass == 0.0
    assert world.motion("alpha").velocity[0] == pytest.approx(exhaust * np.log(1200.0 / 1140.0), rel=1e-5)
    assert not any(world.bot("alpha").valves.open)


def test_colliding_bots_keep_momentum(tmp_path):
    """SIM-M7: contact pushes both ways; bodies do not pass through each other and gain no energy."""
    bots = {
        "alpha": {"position": [-2.0, 0.1, 0.0], "velocity": [0.5, 0.0, 0.0]},
        "bravo": {"position": [2.0, -0.1, 0.2], "velocity": [-0.3, 0.0, 0.0]},
    }
    world = make_world(tmp_path, bots=bots)
    inertia, com = np.array([760.0, 800.0, 820.0]), np.array([0.0, 0.0, 0.1])

    def invariants():
        linear, angular, energy = np.zeros(3), np.zeros(3), 0.0
        for name in world.bots:
            motion = world.motion(name)
            turn = rotation(motion.orientation)
            spin = motion.angular_velocity
            velocity = turn @ (motion.velocity + np.cross(spin, com))
            linear += 1200.0 * velocity
            angular += np.cross(motion.position + turn @ com, 1200.0 * velocity) + turn @ (inertia * spin)
            energy += 600.0 * velocity @ velocity + inertia @ spin**2 / 2
        return linear, angular, energy

    linear, angular, energy = invariants()
    touched = False
    for _ in range(600):
        world.step(0.01)
        touched |= bool(world.bodies.touching())
        distance = np.linalg.norm(world.motion("alpha").position - world.motion("bravo").position)
        assert distance > 1.95  # twice the radius of the sphere in the hull, less 3 cm each
    linear_after, angular_after, energy_after = invariants()
    assert touched
    assert linear_after == pytest.approx(linear, abs=1e-6)
    assert angular_after == pytest.approx(angular, rel=1e-3, abs=1e-2)
    assert energy_after < 0.9 * energy
    assert abs(world.motion("alpha").velocity[0] - 0.5) > 0.1


@pytest.mark.parametrize("bots", [["alpha"], []])
def test_scripted_body_with_one_point_stays_there(tmp_path, bots):
    station = {"name": "station", "type": "STATION", "shape": {"kind": "sphere", "radius": 2.0}}
    course = [{"time": 0.0, "position": [50.0, 0.0, 0.0]}]
    path = write_scenario(tmp_path, bodies=[{**station, "course": course}])
    data = yaml.safe_load(path.read_text())
    data["bots"] = [entry for entry in data["bots"] if entry["name"] in bots]
    path.write_text(yaml.safe_dump(data))
    world = World.from_file(path)
    world.step(0.1)
    assert world.motion("station").position.tolist() == [50.0, 0.0, 0.0]
    assert not world.motion("station").velocity.any()


def test_scripted_body_follows_its_course(tmp_path):
    """SIM-M8: straight lines at constant speed between waypoints, at rest outside."""
    course = [{"time": 1.0, "position": [50.0, 0.0, 0.0]}, {"time": 3.0, "position": [50.0, 8.0, 2.0]}]
    ship = {"name": "ship", "type": "SHIP", "shape": {"kind": "box", "size": [4.0, 2.0, 2.0]}, "course": course}
    world = make_world(tmp_path, bodies=[ship])
    world.step(2.0)
    assert world.motion("ship").position == pytest.approx([50.0, 4.0, 1.0], abs=1e-9)
    assert world.motion("ship").velocity == pytest.approx([0.0, 4.0, 1.0])
    world.step(3.0)
    assert world.motion("ship").position == pytest.approx([50.0, 8.0, 2.0])
    assert world.motion("ship").velocity == pytest.approx(np.zeros(3))


def test_a_long_step_is_exact_to_rounding_and_misses_no_contact(tmp_path, monkeypatch):
    """A tick at once where nothing turns or meets, against physics steps all the way, up to and after a collision."""
    bots = {"alpha": {"angular_velocity": [0.01, 0.0, 0.02]}, "bravo": {"position": [8.0, 0.1, 0.2]}}
    world = make_world(tmp_path, bots={**bots, "bravo": {**bots["bravo"], "velocity": [-0.8, 0.0, 0.0]}})
    stepwise = make_world(tmp_path, bots={**bots, "bravo": {**bots["bravo"], "velocity": [-0.8, 0.0, 0.0]}})
    monkeypatch.setattr(stepwise.bodies, "_is_smooth", lambda _: False)
    taken = []
    smooth = world.bodies._is_smooth
    monkeypatch.setattr(world.bodies, "_is_smooth", lambda seconds: taken.append(smooth(seconds)) or taken[-1])
    touched = [[], []]
    for tick in range(1000):
        for one, contacts in zip((world, stepwise), touched, strict=True):
            if tick % 50 == 0:
                one.command("alpha", command(one.time, [4, 9], [4, 9], at=0.0123, until=0.0877))
            one.step(0.01)
            contacts.append(bool(one.bodies.touching()))
        if not any(touched[1]):
            assert world.state() == pytest.approx(stepwise.state(), rel=1e-10, abs=1e-10)
    assert any(taken)
    assert not all(taken)
    assert touched[0] == touched[1]
    assert any(touched[1])
    assert world.motion("bravo").velocity == pytest.approx(stepwise.motion("bravo").velocity, abs=1e-6)


@pytest.mark.parametrize(("size", "speed"), [(0.05, 1.0), (0.05, 100.0), (0.05, 300.0), (0.3, 300.0)])
@pytest.mark.parametrize("kind", ["sphere", "box"])
def test_small_fast_bodies_do_not_pass_through_each_other(tmp_path, size, speed, kind):
    """SIM-M7: head on, at any place within a tick; momentum is kept, energy not gained."""
    shape = {"kind": "sphere", "radius": size / 2} if kind == "sphere" else {"kind": "box", "size": [size] * 3}
    for phase in (0.0, 0.3, 0.7):
        bodies = [
            {"name": "one", "type": "DEBRIS", "shape": shape, "mass": 2.0, "position": [20.0, 0.0, 0.0]},
            {
                "name": "two",
                "type": "DEBRIS",
                "shape": shape,
                "mass": 1.0,
                "position": [20.0 - size - speed * (0.05 + 0.01 * phase), 0.1 * size, 0.0],
                "velocity": [speed, 0.0, 0.0],
            },
        ]
        far = {"alpha": {"position": [0.0, 500.0, 0.0]}}
        world = make_world(tmp_path, bots=far, bodies=bodies)
        world.step(0.2)
        one, two = world.motion("one"), world.motion("two")
        assert one.position[0] > two.position[0]
        first, second = (rotation(m.orientation) @ m.velocity for m in (one, two))
        assert first[0] > second[0] - 1e-9
        assert 2.0 * first + second == pytest.approx([speed, 0.0, 0.0], rel=1e-9, abs=1e-9 * speed)
        assert 2.0 * first @ first + second @ second <= speed**2 * (1 + 1e-9)
