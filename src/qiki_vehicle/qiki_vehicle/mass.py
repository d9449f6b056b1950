"""Mass properties of a rigid body, and of bodies joined."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qiki_vehicle import quaternion
from qiki_vehicle.body import Body
from qiki_vehicle.files import ConfigurationError
from qiki_vehicle.pose import Pose

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MassProperties:
    """Mass, centre of mass and inertia of a rigid body.

        alone = MassProperties.of(vehicle.body)
        pair = combined([(alone, Pose()), (alone, mated(vehicle.port("A"), vehicle.port("B")))])

    Attributes:
        mass: kg, > 0.
        inertia: (3, 3) kg m^2 about the centre of mass, along the axes of base_link; symmetric, positive definite.
        com: (3,) m, centre of mass in base_link.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """

    mass: float
    inertia: Floats
    com: Floats

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mass) and self.mass > 0.0):
            raise ConfigurationError(f"mass: {self.mass} kg; allowed: finite, above 0 kg")
        object.__setattr__(self, "inertia", np.array(self.inertia, dtype=float))
        object.__setattr__(self, "com", np.array(self.com, dtype=float))
        if self.com.shape != (3,) or not np.isfinite(self.com).all():
            raise ConfigurationError(f"com: {self.com.tolist()} m; allowed: three finite numbers")
        inertia = self.inertia
        if inertia.shape != (3, 3) or not np.isfinite(inertia).all() or not np.allclose(inertia, inertia.T, rtol=1e-6):
            raise ConfigurationError(f"inertia: {inertia.tolist()} kg m^2; allowed: (3, 3), finite, symmetric")
        least = float(np.linalg.eigvalsh(inertia)[0])
        if least <= 0.0:
            raise ConfigurationError(f"inertia: principal moment {least:g} kg m^2; allowed: above 0")

    @classmethod
    def of(cls, body: Body) -> "MassProperties":
        """Those of a vehicle file, with all working mass on board."""
        return cls(body.mass, np.diag(body.inertia), np.array(body.com))


def combined(parts: Iterable[tuple[MassProperties, Pose]]) -> MassProperties:
    """Mass properties of bodies joined rigidly, in the frame that the poses of their base_links are given in.

    Parallel axis theorem: I = sum R I_i R^T + m_i (|d|^2 1 - d d^T), d from the common centre of mass.

    Raises:
        ConfigurationError: there is no part.
    """
    joined = [(part, pose.point(part.com), quaternion.matrix(pose.orientation)) for part, pose in parts]
    if not joined:
        raise ConfigurationError("parts: none; allowed: at least one body")
    mass = math.fsum(part.mass for part, _, _ in joined)
    com = np.sum([part.mass * centre for part, centre, _ in joined], axis=0) / mass
    inertia = np.zeros((3, 3))
    for part, centre, turn in joined:
        offset = centre - com
        inertia += turn @ part.inertia @ turn.T + part.mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))
    return MassProperties(mass, 0.5 * (inertia + inertia.T), com)
