"""A burn while turning in the digital twin and in Basilisk, whose tank only takes mass away (`updateOnly`).

The same body, thrusters and spin in both: uniform depletion about a fixed centre of mass. Basilisk's full exchange of
mass has a sign fault and is no reference, so the twin flies once without the terms of the propellant's flow, which must
agree, and once with them: that difference is their size. The terms themselves are tested against DOP853.

Basilisk wants another protobuf than QIKI, so it has an environment of its own:

    python3 -m venv /tmp/bsk && /tmp/bsk/bin/pip install bsk==2.12.1
    ./qiki env python benchmarks/basilisk.py --peer /tmp/bsk/bin/python [--seconds 3] [--isp 220 30 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

VEHICLE = Path(__file__).resolve().parents[1] / "launch/config/vehicles/dodecahedron.yaml"
BURNING = (0, 5, 9, 14)  # indices of the thrusters that burn
SPIN = (0.3, -0.2, 0.5)  # rad/s
COM = (0.05, -0.03, 0.1)  # m
MASS, RADIUS, LENGTH = 1200.0, 1.169, 1.923  # kg, m, m: a cylinder, which is the shape of Basilisk's tank
HUB = 0.01  # share of the mass that is no propellant
STEP = 0.001  # s, of Basilisk's Runge-Kutta 4


def inertia(mass: float) -> list[float]:
    """Moments of the cylinder about its centre, kg m^2."""
    across = mass * (RADIUS**2 / 4 + LENGTH**2 / 12)
    return [across, across, mass * RADIUS**2 / 2]


def twin(seconds: float, isp: float, terms: bool) -> dict[str, Any]:
    """Velocity of the origin in body axes m/s, rate rad/s, mass kg at the end, and CPU seconds.

    terms: with those of the flow.
    """
    import yaml

    from qiki_sim import ValveCommand, World, bodies

    data = yaml.safe_load(VEHICLE.read_text())
    data["thrusters"] = str(VEHICLE.parent / data["thrusters"])
    data["body"] = {
        "mass": MASS, "com": list(COM), "inertia": inertia(MASS), "working_mass": 0.98 * MASS, "isp": isp,
    }  # fmt: skip
    data["propulsion"]["watts_per_newton"] = 1e-6
    data["valves"]["watchdog"] = 60.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "vehicle.yaml").write_text(yaml.safe_dump(data))
        bot = {"name": "a", "vehicle": "vehicle.yaml", "position": [0.0, 0.0, 0.0], "angular_velocity": list(SPIN)}
        (path / "scenario.yaml").write_text(yaml.safe_dump({"name": "burn", "bots": [bot]}))
        world = World.from_file(path / "scenario.yaml")
    opens, closes = np.full(16, np.nan), np.full(16, np.nan)
    opens[list(BURNING)], closes[list(BURNING)] = 0.0, seconds
    begin = time.process_time()
    world.command("a", ValveCommand(0.0, seconds, opens, closes))
    given = bodies.wrench_of
    if not terms:
        bodies.wrench_of = lambda thrust, *_: thrust[..., :6]
    try:
        world.step(seconds)
    finally:
        bodies.wrench_of = given
    motion, used = world.motion("a"), time.process_time() - begin
    return {
        "velocity": motion.velocity.tolist(), "rate": motion.angular_velocity.tolist(),
        "mass": world.bot("a").mass, "cpu": used,
    }  # fmt: skip


def peer(seconds: float, isp: float) -> dict[str, Any]:
    """The same of Basilisk."""
    from Basilisk.architecture import messaging
    from Basilisk.simulation import fuelTank, spacecraft, thrusterDynamicEffector
    from Basilisk.utilities import RigidBodyKinematics, SimulationBaseClass, macros

    simulation = SimulationBaseClass.SimBaseClass()
    simulation.CreateNewProcess("dynamics").addTask(simulation.CreateNewTask("task", macros.sec2nano(STEP)))
    craft = spacecraft.Spacecraft()
    craft.hub.mHub = HUB * MASS
    craft.hub.r_BcB_B = [[x] for x in COM]
    craft.hub.IHubPntBc_B = np.diag(inertia(HUB * MASS)).tolist()
    craft.hub.v_CN_NInit = [[x] for x in np.cross(SPIN, COM)]  # of the centre of mass: the origin is at rest
    craft.hub.omega_BN_BInit = [[x] for x in SPIN]
    tank = fuelTank.FuelTank()
    model = fuelTank.FuelTankModelUniformBurn()
    model.propMassInit = model.maxFuelMass = (1.0 - HUB) * MASS
    model.r_TcT_TInit = [[0.0]] * 3
    model.radiusTankInit, model.lengthTank = RADIUS, LENGTH
    tank.setTankModel(model)
    tank.setR_TB_B([[x] for x in COM])
    tank.setUpdateOnly(True)
    thrusters = thrusterDynamicEffector.ThrusterDynamicEffector()
    described = json.loads((VEHICLE.parent / "thrusters.json").read_text())["thrusters"]
    for index in BURNING:
        one = thrusterDynamicEffector.THRSimConfig()
        one.thrLoc_B = [[x] for x in described[index]["position_m"]]
        direction = np.array(described[index]["direction"])
        one.thrDir_B = [[x] for x in (direction / np.linalg.norm(direction)).tolist()]
        one.MaxThrust, one.steadyIsp, one.MinOnTime = described[index]["f_max_n"], isp, STEP
        one.updateOnly = True
        thrusters.addThruster(one)
    command = messaging.THRArrayOnTimeCmdMsgPayload(OnTimeRequest=[seconds] * len(BURNING))
    message = messaging.THRArrayOnTimeCmdMsg().write(command)
    thrusters.cmdsInMsg.subscribeTo(message)
    craft.addDynamicEffector(thrusters)
    tank.addThrusterSet(thrusters)
    craft.addStateEffector(tank)
    for one in (craft, tank, thrusters):
        simulation.AddModelToTask("task", one)
    simulation.InitializeSimulation()
    simulation.ConfigureStopTime(macros.sec2nano(seconds))
    begin = time.process_time()
    simulation.ExecuteSimulation()
    used, state = time.process_time() - begin, craft.scStateOutMsg.read()
    velocity = RigidBodyKinematics.MRP2C(state.sigma_BN) @ np.array(state.v_BN_N)
    return {
        "velocity": velocity.tolist(), "rate": list(state.omega_BN_B),
        "mass": HUB * MASS + tank.fuelTankOutMsg.read().fuelMass, "cpu": used,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="Python that has Basilisk (bsk 2.12.1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the burn")
    parser.add_argument("--isp", type=float, nargs="+", default=[220.0, 30.0, 3.0], help="specific impulses, s")
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.as_peer:
        print(json.dumps([peer(chosen.seconds, isp) for isp in chosen.isp]))
        return
    command = [str(chosen.peer), __file__, *sys.argv[1:], "--as-peer"]
    # Of the workspace's environment nothing holds there.
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    answer = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    others = json.loads(answer.splitlines()[-1])
    print(
        "isp s  burnt %    without terms of the flow: velocity, rate    with them: velocity, rate    CPU, of Basilisk's"
    )
    for isp, other in zip(chosen.isp, others, strict=True):
        row = f"{isp:5g}  {100 * (1 - other['mass'] / MASS):7.3f}"
        for terms in (False, True):
            own = twin(chosen.seconds, isp, terms)
            for name in ("velocity", "rate"):
                a, b = np.array(own[name]), np.array(other[name])
                row += f"{np.linalg.norm(a - b) / np.linalg.norm(b):18.1e}"
        print(row, f"{own['cpu'] / other['cpu']:12.2f}")


if __name__ == "__main__":
    main()
