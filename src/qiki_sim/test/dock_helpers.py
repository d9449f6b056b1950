"""Scenarios of bots and a station with docking hardware, and their motion against each other."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sim_helpers import VEHICLE, merged, write_scenario

from qiki_sim import Scenario, World, load_scenario
from qiki_vehicle import Pose, mated, quaternion
from qiki_vehicle.port_hardware import DockCommand, PortCommand

STATION = {
    "name": "station",
    "type": "STATION",
    "shape": {"kind": "cylinder", "radius": 3.0, "length": 12.0},
    "mass": 80000.0,
    "vehicle": str(VEHICLE),
    "source_power": 250.0,
    "ports": [
        {"name": "A", "position": [0.0, 0.0, 6.15], "axis": [0.0, 0.0, 1.0], "radius": 0.30, "length": 0.15},
        {"name": "B", "position": [0.0, 0.0, -6.15], "axis": [0.0, 0.0, -1.0], "radius": 0.30, "length": 0.15},
    ],
}
OPEN_LIMIT = 1000.0
"""A, of a limiter that does not limit."""


@cache
def base(*bots: str) -> Scenario:
    """Bots far apart and a station at the origin."""
    with TemporaryDirectory() as folder:
        places = {name: {"position": [100.0 * (index + 1), 0.0, 0.0]} for index, name in enumerate(bots)}
        return load_scenario(write_scenario(Path(folder), None, places, bodies=[STATION]))


def chain(folder: Path, count: int, *, source_power=250.0, vehicle=None, soft_start=0.0, station=True) -> World:
    """A station with so many bots docked one to another, the first to it; each by its port B to the other's A."""
    names = [f"bot_{index}" for index in range(count)]
    docked = [
        {"body": name, "port": "B", "to": other, "to_port": "A"}
        for name, other in zip(names, ["station", *names], strict=False)
    ]
    bots = {name: {"position": [0.0, 0.0, 0.0]} for name in names}
    bodies = [{**STATION, "source_power": source_power}] if station else []
    vehicle = merged(vehicle or {}, {"avionics": {"dock": {"soft_start": soft_start}}})
    docked = docked if station else docked[1:]
    return World.from_file(write_scenario(folder, vehicle, bots, bodies=bodies, docked=docked))


def approaching(
    *,
    gap=0.003,
    closing=0.07,
    lateral=0.0,
    lateral_rate=0.0,
    tilt=0.0,
    tilt_rate=0.0,
    roll=0.0,
    roll_rate=0.0,
    to="",
    seed=None,
) -> World:
    """Alpha before port A of the station, or of the bot `to`, with its port B; rates and offsets in the port's axes."""
    scenario = base("alpha", to) if to else base("alpha")
    entry = scenario.file.bots[0]
    own, target = scenario.vehicles[0].port("B"), scenario.vehicles[0].port("A")
    if to:
        base_pose = Pose(np.array(scenario.file.bots[1].position))
    else:
        target, base_pose = scenario.file.bodies[0].ports[0], Pose()
    turn = quaternion.product(
        quaternion.from_rotation_vector((tilt, 0.0, 0.0)), quaternion.from_rotation_vector((0.0, 0.0, roll))
    )
    turn = quaternion.product(turn, mated(target, own).orientation)
    arm = quaternion.rotate(turn, own.position)
    spin = np.array([tilt_rate, 0.0, roll_rate])
    offset = np.array([lateral, 0.0, gap + own.radius * abs(np.sin(tilt))])
    face = base_pose.point(target.position) + offset
    velocity = np.array([lateral_rate, 0.0, -closing]) - np.cross(spin, arm)
    moved = entry.model_copy(
        update={
            "position": tuple((face - arm).tolist()),
            "orientation": tuple(turn.tolist()),
            "velocity": tuple(velocity.tolist()),
            "angular_velocity": tuple(quaternion.rotate(quaternion.conjugate(turn), spin).tolist()),
        }
    )
    file = scenario.file.model_copy(update={"bots": (moved, *scenario.file.bots[1:])})
    return World(Scenario(scenario.path, file, scenario.vehicles, scenario.hardware), seed)


def order(world: World, body: str, port: str = "B", *, draw=None, source=False, **actuators) -> None:
    world.command_dock(body, DockCommand(world.time, (PortCommand(port, **actuators),), source=source, draw=draw))


def reading(world: World, body: str, port: str = "B"):
    found = world.dock(body)
    assert found is not None
    return next(one for one in found.ports if one.port == port)


def occurred(world: World) -> list[str]:
    return [kind for _, kind, _ in world.docking.take_occurrences()]


def kinetic(world: World, *names: str) -> float:
    """J, of bodies."""
    total = 0.0
    for name in names:
        mass, inertia, com, motion = *properties(world, name), world.motion(name)
        velocity = motion.velocity + np.cross(motion.angular_velocity, com)
        total += 0.5 * mass * velocity @ velocity + 0.5 * motion.angular_velocity @ (inertia * motion.angular_velocity)
    return total


def momentum(world: World, *names: str) -> np.ndarray:
    """(6,) N s, N m s about the origin of the world."""
    total = np.zeros(6)
    for name in names:
        mass, inertia, com, motion = *properties(world, name), world.motion(name)
        turn = quaternion.matrix(motion.orientation)
        velocity = turn @ (motion.velocity + np.cross(motion.angular_velocity, com))
        place = motion.position + turn @ com
        total[:3] += mass * velocity
        total[3:] += mass * np.cross(place, velocity) + turn @ (inertia * motion.angular_velocity)
    return total


def properties(world: World, name: str):
    """Mass kg, principal moments kg m^2, centre of mass m."""
    index = world.bodies.names.index(name) + 1
    com = world.mass_properties(name).com if name in world.bots else np.zeros(3)
    return float(world.bodies.model.body_mass[index]), world.bodies.model.body_inertia[index].copy(), com
