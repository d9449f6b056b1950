"""Rigid bodies and contact in MuJoCo.

The frame of every free body lies at its centre of mass along its principal axes, so that the mass matrix is diagonal,
a free joint's angular velocity is that of the body in its own axes, and torques go in directly. Integrated with RK4:
a tumbling body keeps angular momentum and energy to rounding, where the semi-implicit integrators lose some 1e-5 a
minute.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from qiki_sim.clearance import Clearance, Room
from qiki_sim.contacts import Contacts
from qiki_sim.docking.welds import Welds
from qiki_sim.flow import wrench_of
from qiki_sim.impacts import Impacts
from qiki_sim.model import specification
from qiki_sim.readings import Motion
from qiki_vehicle import ConfigurationError, Pose, quaternion
from qiki_vehicle.quaternion import rotated
from qiki_vehicle.vectors import along, crossed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from qiki_sim.scenario import BodyEntry, BotEntry, Scenario

    Floats = NDArray[np.float64]

Configuration = tuple["Floats", "Floats"]
"""Of a world's bodies: `qpos` and `mocap_pos` of MuJoCo."""

_NO_COM = np.zeros(3)
LARGEST_TURN = 2e-3
"""rad about each axis, in one step of RK4 that is longer than the scenario's; its error is below 1e-14 rad."""

_XYZW = np.array([4, 5, 6, 3])
"""Of a free joint: position, then a quaternion that begins with w."""
_FROM_WXYZ = np.array([1, 2, 3, 0])


class RigidBodies:
    """All bodies of a scenario: bots first, then the free bodies, then the scripted ones."""

    def __init__(self, scenario: Scenario) -> None:
        """Raises: ConfigurationError: a body is impossible."""
        file = scenario.file
        free = [body for body in file.bodies if not body.course]
        scripted = [body for body in file.bodies if body.course]
        movable: list[BotEntry | BodyEntry] = [*file.bots, *free]
        self.names = tuple(entry.name for entry in [*movable, *scripted])
        self._com = [np.array(vehicle.body.com) for vehicle in scenario.vehicles] + [_NO_COM] * len(free)
        self._free_count = len(movable)
        self._courses = [
            (np.array([p.time for p in body.course]), np.array([p.position for p in body.course])) for body in scripted
        ]
        spec = specification(scenario, [*free, *scripted])
        try:
            self.model = spec.compile()
        except ValueError as error:
            raise ConfigurationError(f"{scenario.path}: bodies: refused by the physics: {error}") from error
        self.data = mujoco.MjData(self.model)
        for index, entry in enumerate(movable):
            self._place(index, entry)
        bots = len(file.bots)
        # MuJoCo lays out the entries of the free joints in the order of the bodies: six degrees of freedom each.
        self._force = self.data.ctrl.reshape(bots, 3)
        self._torque = self.data.qfrc_applied[: 6 * bots].reshape(bots, 6)[:, 3:]
        self._free_torque = self.data.qfrc_applied[6 * bots :].reshape(-1, 6)[:, 3:]
        self._twist = np.zeros((self._free_count, 3))
        self._step = float(self.model.opt.timestep)
        self._velocities = self.data.qvel.reshape(-1, 6)[:, :3]
        self._spins = self.data.qvel.reshape(-1, 6)[:, 3:]
        ported = {entry.name: entry.ports for entry in (*free, *scripted)}
        ported.update({bot.name: vehicle.ports for bot, vehicle in zip(file.bots, scenario.vehicles, strict=True)})
        self._collars = {
            (name, port.name): int(self.model.geom(f"{name}/collar_{port.name}").id)
            for name, ports in ported.items()
            for port in ports
        }
        self.contacts = Contacts(self.model, self.data, self.names, self._collars)
        self._pairs = np.triu_indices(len(self.names), 1)
        self._radius = self._radii()
        self._largest_radius = float(self._radius.max(initial=0.0))
        self._joined = np.zeros(len(self._pairs[0]), dtype=bool)
        self._reaches = self._radius[np.array(self._pairs)].sum(axis=0)
        self._impacts = Impacts(self.model, self._pairs, self._step, list(self._collars.values()))
        self.welds = Welds(self.model, self.data, [*self._com, *[_NO_COM] * len(scripted)])
        clearance = Clearance(self.model, self.data, self._pairs, self._reaches)
        self._room = Room(lambda: clearance.distance(self._places(), self._joined))
        self._far = False
        self._course_velocities = np.zeros((len(scripted), 3))
        self._course_speed = max(
            (float((np.abs(np.diff(p, axis=0)) / np.diff(t)[:, None]).max(initial=0.0)) for t, p in self._courses),
            default=0.0,
        )
        self.move_scripted(0.0)

    def begin(self, scenario: Scenario) -> None:
        """Compute the first contacts, once the bodies that are docked at the start are joined.

        Raises:
            ConfigurationError: two bodies overlap.
        """
        mujoco.mj_forward(self.model, self.data)
        self._refuse_overlap(scenario)

    def _radii(self) -> Floats:
        """(bodies,) m, of the spheres about the bodies' frames that hold all their shapes."""
        radii = np.zeros(len(self.names))
        reach = np.linalg.norm(self.model.geom_pos, axis=1) + self.model.geom_rbound
        np.maximum.at(radii, self.model.geom_bodyid - 1, reach)
        return radii

    def _place(self, index: int, entry: BotEntry | BodyEntry) -> None:
        orientation = np.array(entry.orientation)
        turn = quaternion.matrix(orientation)
        offset = turn @ self._com[index]
        spin = np.array(entry.angular_velocity)
        self.data.qpos[7 * index : 7 * index + 3] = np.array(entry.position) + offset
        self.data.qpos[7 * index + 3 : 7 * index + 7] = np.roll(orientation, 1)
        self.data.qvel[6 * index : 6 * index + 3] = np.array(entry.velocity) + np.cross(turn @ spin, offset)
        self.data.qvel[6 * index + 3 : 6 * index + 6] = spin

    def _refuse_overlap(self, scenario: Scenario) -> None:
        pairs = self.touching()
        if pairs:
            text = "; ".join(f"{a} and {b}" for a, b in sorted(pairs))
            raise ConfigurationError(f"{scenario.path}: position: {text} overlap at the start; allowed: bodies apart")

    def advance(self, thrust: Floats, constant: bool) -> None:
        """Integrate len(thrust) steps.

        thrust: (steps, bots, 15) as in `qiki_sim.flow`; its wrench is held in body axes over each step.
        constant: all steps have the same thrust.
        """
        steps, bots = len(thrust), thrust.shape[1]
        wrench = wrench_of(thrust, self._spins[:bots], self.model.body_inertia[1 : bots + 1], self._step, constant)
        self._far = self._room.holds(self.path(steps * self._step))
        fine = self._fineness(steps * self._step)
        self.model.opt.timestep = self._step / fine
        if constant:
            self._apply(wrench[0])
            if steps > 1 and fine == 1 and self._is_smooth(steps * self._step):
                self.model.opt.timestep = steps * self._step
                steps = 1
            mujoco.mj_step(self.model, self.data, nstep=steps * fine)
            return
        for row in wrench:
            self._apply(row)
            mujoco.mj_step(self.model, self.data, nstep=fine)

    def _fineness(self, seconds: float) -> int:
        first, second = self._pairs
        if self._far:
            self._impacts.soften()
            return 1
        places = self._places()
        velocities = np.concatenate([self._velocities, self._course_velocities])
        gap = np.linalg.norm(places[first] - places[second], axis=1) - self._reaches
        gap[self._joined] = np.inf
        # The surface of a body that turns is faster than its centre.
        turning = np.zeros(len(self.names))
        turning[: self._free_count] = self._radius[: self._free_count] * np.linalg.norm(self._spins, axis=1)
        speed = np.linalg.norm(velocities[first] - velocities[second], axis=1) + turning[first] + turning[second]
        return self._impacts.steps(gap, speed, seconds)

    def _is_smooth(self, seconds: float) -> bool:
        """True if one step of RK4 over that time is exact to rounding: slow rotation, and all bodies far apart."""
        return self._far and _spin(self.data.qvel.tolist()) * seconds <= LARGEST_TURN

    def path(self, seconds: float) -> float:
        """M by which two bodies may come nearer in that time, generously: motion along all axes, and thrust."""
        return 4.0 * self.speed * seconds

    def _places(self) -> Floats:
        return np.concatenate([self.data.qpos.reshape(-1, 7)[:, :3], self.data.mocap_pos])

    def _apply(self, wrench: Floats) -> None:
        self._force[:] = wrench[:, :3]
        self._torque[:] = wrench[:, 3:] + self._twist[: len(wrench)]
        self._free_torque[:] = self._twist[len(wrench) :]

    def twist(self, name: str, torque: Floats) -> None:
        """Put a torque, (3,) N m in world, on a free body in the steps to come; zero ends it."""
        index = self.names.index(name)
        if index < self._free_count:
            orientation = self.data.qpos[7 * index + 3 : 7 * index + 7][_FROM_WXYZ]
            self._twist[index] = quaternion.rotate(quaternion.conjugate(orientation), torque)

    def join(self, first: int, second: int, pose: Pose, anchor: Floats, frequency: float) -> int:
        """Join two bodies; see `Welds.join`."""
        slot = self.welds.join(first, second, pose, anchor, frequency)
        self._joined = self.welds.joined(self._pairs)
        self._room.forget()
        return slot

    def part(self, slot: int) -> None:
        """End a joint."""
        self.welds.part(slot)
        self._joined = self.welds.joined(self._pairs)
        self._room.forget()

    def set_mass(self, bot: int, mass: float, moments: Floats) -> None:
        """Change a bot's mass, kg, and principal moments, (3,) kg m^2.

        Its velocities stay: working mass that leaves takes its own momentum along.
        """
        self.model.body_mass[bot + 1] = mass
        self.model.body_inertia[bot + 1] = moments
        # For a body whose mass matrix is diagonal MuJoCo takes it from here.
        self.model.dof_M0[6 * bot : 6 * bot + 3] = mass
        self.model.dof_M0[6 * bot + 3 : 6 * bot + 6] = moments

    def move_scripted(self, time: float) -> None:
        """Put the scripted bodies where their courses say."""
        for index, (times, points) in enumerate(self._courses):
            self._course_velocities[index] = _leg_velocity(times, points, time)
            self.data.mocap_pos[index] = _on_course(times, points, time)

    def motion(self, name: str, time: float) -> Motion:
        """True motion of a body's frame: base_link of a bot, the centre of another body.

        Raises:
            KeyError: there is no such body.
        """
        if name not in self.names:
            raise KeyError(f"body = {name!r}: allowed: {', '.join(self.names)}")
        index = self.names.index(name)
        if index >= self._free_count:
            return self._scripted_motion(index - self._free_count, time)
        pose, twist = self.data.qpos[7 * index : 7 * index + 7], self.data.qvel[6 * index : 6 * index + 6]
        orientation, com, spin = pose[_XYZW], self._com[index].tolist(), twist[3:].copy()
        x, y, z, w = turn = orientation.tolist()
        origin = along(pose[:3].tolist(), -1.0, rotated(turn, com))
        velocity = along(rotated((-x, -y, -z, w), twist[:3].tolist()), -1.0, crossed(spin.tolist(), com))
        return Motion(np.array(origin), orientation, np.array(velocity), spin)

    def _scripted_motion(self, index: int, time: float) -> Motion:
        times, points = self._courses[index]
        orientation = np.roll(self.data.mocap_quat[index], -1)
        velocity = _leg_velocity(times, points, time)
        # Contacts see it where it was at the beginning of the tick.
        return Motion(
            _on_course(times, points, time), orientation, quaternion.matrix(orientation).T @ velocity, np.zeros(3)
        )

    @property
    def speed(self) -> float:
        """m/s, of the fastest body, with what it turns at its port faces."""
        motion = self.data.qvel.tolist()
        linear = max(map(abs, itertools.chain(motion[0::6], motion[1::6], motion[2::6])), default=0.0)
        return max(linear, self._course_speed) + self._largest_radius * _spin(motion)

    def port_site(self, body: str, port: str) -> int:
        """Number of a port's site, for `site_places`."""
        return int(self.model.site(f"{body}/port_{port}").id)

    def site_places(self, sites: NDArray[np.int_]) -> Floats:
        """(..., 3) m in world, as of the last step."""
        places: Floats = self.data.site_xpos[sites]
        return places

    def configuration(self) -> Configuration:
        """Positions of all bodies now, to ask for their poses later."""
        return self.data.qpos.copy(), self.data.mocap_pos.copy()

    def poses(self, names: Iterable[str], places: Configuration | None = None) -> dict[str, Pose]:
        """base_link of bodies in world, now or in a configuration."""
        free, scripted = places or (self.data.qpos, self.data.mocap_pos)
        return {name: self._pose(self.names.index(name), free, scripted) for name in names}

    def _pose(self, index: int, free: Floats, scripted: Floats) -> Pose:
        if index >= self._free_count:
            place = index - self._free_count
            return Pose(scripted[place].copy(), np.roll(self.data.mocap_quat[place], -1))
        pose = free[7 * index : 7 * index + 7]
        orientation = pose[_XYZW]
        return Pose(pose[:3] - quaternion.rotate(orientation.tolist(), self._com[index].tolist()), orientation)

    def touching(self) -> set[tuple[str, str]]:
        """Pairs of bodies in contact."""
        return self.contacts.touching()

    def state(self) -> Floats:
        """Positions and velocities of all bodies in one vector, for comparison."""
        return np.concatenate([self.data.qpos, self.data.qvel, self.data.mocap_pos.ravel(), self.data.ctrl])


def _spin(motion: list[float]) -> float:
    """rad/s, the largest about an axis of a body; motion: `qvel` of MuJoCo."""
    return max(map(abs, itertools.chain(motion[3::6], motion[4::6], motion[5::6])), default=0.0)


def _on_course(times: Floats, points: Floats, time: float) -> Floats:
    """(3,) m, of a course."""
    return np.array([np.interp(time, times, points[:, axis]) for axis in range(3)])


def _leg_velocity(times: Floats, points: Floats, time: float) -> Floats:
    """(3,) m/s on a course."""
    leg = int(np.searchsorted(times, time, side="right")) - 1
    if not 0 <= leg < len(times) - 1:
        return np.zeros(3)
    velocity: Floats = (points[leg + 1] - points[leg]) / (times[leg + 1] - times[leg])
    return velocity
