"""MuJoCo's model of a scenario's bodies: hulls, port collars, sites, actuators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from qiki_sim.docking.welds import add_slots
from qiki_sim.shapes import Box, Cylinder, Dodecahedron, Sphere
from qiki_vehicle.hull import dodecahedron_vertices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from qiki_sim.scenario import BodyEntry, BotEntry, Scenario
    from qiki_vehicle import Port, Vehicle

    Floats = NDArray[np.float64]

_AXES = np.eye(3)


def specification(scenario: Scenario, bodies: Sequence[BodyEntry]) -> Any:
    """The bots, then the bodies in this order, and the welds that their ports can form."""
    file = scenario.file
    spec = mujoco.MjSpec()
    spec.option.timestep = file.physics.step_us * 1e-6
    spec.option.gravity = np.zeros(3)
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_RK4
    spec.option.disableflags = int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    for bot, vehicle in zip(file.bots, scenario.vehicles, strict=True):
        _add_bot(spec, bot, vehicle)
    for body in bodies:
        _add_body(spec, body)
    with_ports = [
        *((bot.name, len(vehicle.ports)) for bot, vehicle in zip(file.bots, scenario.vehicles, strict=True)),
        *((body.name, len(body.ports)) for body in bodies if body.vehicle is not None),
    ]
    add_slots(spec, [name for name, _ in with_ports], sum(count for _, count in with_ports) // 2)
    for geom in spec.geoms:
        geom.friction[0] = file.physics.friction
    return spec


def _add_bot(spec: Any, entry: BotEntry, vehicle: Vehicle) -> None:
    body = spec.worldbody.add_body(name=entry.name)
    body.add_freejoint()
    _set_inertia(body, vehicle.body.mass, vehicle.body.inertia)
    offset = -np.array(vehicle.body.com)
    _add_shape(spec, body, Dodecahedron(kind="dodecahedron", circumradius=vehicle.hull.circumradius), offset)
    _add_ports(body, vehicle.ports, offset)
    body.add_site(name=f"{entry.name}/base_link", pos=offset)
    body.add_site(name=f"{entry.name}/com")
    for axis, letter in zip(_AXES, "xyz", strict=True):
        spec.add_actuator(
            name=f"{entry.name}/force_{letter}",
            target=f"{entry.name}/com",
            trntype=mujoco.mjtTrn.mjTRN_SITE,
            gear=[*axis, 0.0, 0.0, 0.0],
        )


def _add_body(spec: Any, entry: BodyEntry) -> None:
    body = spec.worldbody.add_body(name=entry.name, mocap=bool(entry.course))
    if entry.course:
        body.quat = np.roll(entry.orientation, 1)
    elif entry.mass is not None:
        body.add_freejoint()
        _set_inertia(body, entry.mass, entry.inertia or entry.shape.inertia(entry.mass))
    _add_shape(spec, body, entry.shape, np.zeros(3))
    _add_ports(body, entry.ports, np.zeros(3))


def _set_inertia(body: Any, mass: float, inertia: Iterable[float]) -> None:
    body.explicitinertial = True
    body.mass = mass
    body.inertia = list(inertia)
    body.ipos = np.zeros(3)


def _add_shape(spec: Any, body: Any, shape: Sphere | Box | Cylinder | Dodecahedron, offset: Floats) -> None:
    kinds = mujoco.mjtGeom
    match shape:
        case Sphere(radius=radius):
            body.add_geom(type=kinds.mjGEOM_SPHERE, size=[radius, 0, 0], pos=offset)
        case Box(size=size):
            body.add_geom(type=kinds.mjGEOM_BOX, size=[side / 2 for side in size], pos=offset)
        case Cylinder(radius=radius, length=length):
            body.add_geom(type=kinds.mjGEOM_CYLINDER, size=[radius, length / 2, 0], pos=offset)
        case Dodecahedron(circumradius=circumradius):
            mesh = f"{body.name}/hull"
            spec.add_mesh(name=mesh, uservert=dodecahedron_vertices(circumradius).ravel())
            body.add_geom(type=kinds.mjGEOM_MESH, meshname=mesh, pos=offset)


def _add_ports(body: Any, ports: Iterable[Port], offset: Floats) -> None:
    """A collar that ends in the mating face, and a site on the face with z along the port's axis."""
    for port in ports:
        face, axis = np.array(port.position) + offset, np.array(port.axis)
        body.add_geom(
            name=f"{body.name}/collar_{port.name}",
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[port.radius, 0, 0],
            fromto=[*(face - port.length * axis), *face],
        )
        site = body.add_site(name=f"{body.name}/port_{port.name}", pos=face)
        site.alt.zaxis = axis
