"""Dispersed vehicles and the station of benchmarks/docking.py."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from qiki_vehicle import Vehicle

VEHICLE = Path(__file__).resolve().parent.parent / "launch" / "config" / "vehicles" / "dodecahedron.yaml"
FACE = 6.15
"""m, of the station's port from its centre."""
BODY = {"mass": 0.05, "inertia": 0.10, "com": 0.02, "thrust": 0.03}
"""Standard deviations: shares, and m of each axis of the centre of mass."""
START = {"position": 0.5, "near": 0.05, "velocity": 0.01, "angle": math.radians(3.0), "rate": math.radians(0.2)}
"""Standard deviations per axis: m, m from 1.5 m (0.5 m would be outside of the corridor), m/s, rad, rad/s."""
SENSOR = {"outlier_share": 0.02, "dropout_every": 60.0}


def dispersed(vehicle: Vehicle, rng: np.random.Generator) -> Vehicle:
    """The true vehicle, of which the flight core knows the file alone."""
    body = vehicle.body
    inertia = np.array(body.inertia) * (1.0 + BODY["inertia"] * rng.standard_normal(3))
    # A body has no moment larger than the sum of the others.
    inertia = np.minimum(inertia, 0.99 * (inertia.sum() - inertia))
    com = np.array(body.com) + BODY["com"] * rng.standard_normal(3)
    mass = body.mass * (1.0 + BODY["mass"] * rng.standard_normal())
    thrust = 1.0 + BODY["thrust"] * rng.standard_normal(len(vehicle.thrusters))
    dock = vehicle.sensors.dock.model_copy(update={**SENSOR, "delay": float(rng.uniform(0.0, 0.1))})
    return vehicle.model_copy(
        update={
            "body": body.model_copy(
                update={"mass": float(mass), "inertia": tuple(inertia.tolist()), "com": tuple(com.tolist())}
            ),
            "thrusters": tuple(
                one.model_copy(update={"f_max_n": one.f_max_n * float(share)})
                for one, share in zip(vehicle.thrusters, thrust, strict=True)
            ),
            "sensors": vehicle.sensors.model_copy(update={"dock": dock}),
        }
    )


def station(turn: np.ndarray, drift: np.ndarray) -> dict[str, Any]:
    """Entry of the station."""
    collar = {"radius": 0.3, "length": 0.15}
    return {
        "name": "station",
        "type": "STATION",
        "vehicle": str(VEHICLE),
        "source_power": 250.0,
        "shape": {"kind": "cylinder", "radius": 3.0, "length": 12.0},
        "mass": 80000.0,
        "velocity": drift.tolist(),
        "angular_velocity": turn.tolist(),
        "ports": [
            {"name": "A", "position": [0.0, 0.0, FACE], "axis": [0.0, 0.0, 1.0], **collar},
            {"name": "B", "position": [0.0, 0.0, -FACE], "axis": [0.0, 0.0, -1.0], **collar},
        ],
    }


def direction(rng: np.random.Generator) -> np.ndarray:
    """A random unit vector, (3,)."""
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)
