"""The thrusters of a body: where they sit, which way they push, and what wrench they give."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qiki_vehicle import ConfigurationError
from qiki_vehicle.body import Thruster
from qiki_vehicle.vehicle import load_thrusters

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ThrusterArray:
    """n one-sided thrusters and the centre of mass that their torque is taken about.

    Args:
        positions: (n, 3) m, in base_link.
        directions: (n, 3) of the force on the body (not of the plume); normalised here.
        f_max: (n,) or one number, N, force of an open valve, > 0.
        clusters: n names of the thrusters' clusters; None: all in one.
        com: (3,) m, centre of mass in base_link.

    Raises:
        ConfigurationError: a shape or value is not allowed.
    """

    positions: Floats
    directions: Floats
    f_max: Floats
    clusters: tuple[str, ...] = ()
    com: Floats = field(default_factory=lambda: np.zeros(3))
    effectiveness: Floats = field(init=False)
    """(6, n): wrench per newton of each thruster, 1 and m, torque about `com`."""

    def __init__(
        self,
        positions: npt.ArrayLike,
        directions: npt.ArrayLike,
        f_max: npt.ArrayLike,
        clusters: Sequence[str] | None = None,
        com: npt.ArrayLike = (0.0, 0.0, 0.0),
    ) -> None:
        r = _vectors("positions", positions)
        n = len(r)
        d = _vectors("directions", directions)
        if len(d) != n:
            raise ConfigurationError(f"directions: {len(d)} thrusters; allowed: {n}, one for each position")
        length = np.linalg.norm(d, axis=1)
        if np.any(length < 1e-6):
            worst = int(np.argmin(length))
            raise ConfigurationError(f"directions[{worst}]: {d[worst].tolist()}; allowed: length above 1e-6")
        try:
            force = np.broadcast_to(np.asarray(f_max, dtype=float), (n,)).copy()
        except ValueError:
            raise ConfigurationError(f"f_max: shape {np.shape(f_max)}; allowed: ({n},) or one number") from None
        bad = ~(np.isfinite(force) & (force > 0.0))
        if bad.any():
            worst = int(np.argmax(bad))
            raise ConfigurationError(f"f_max[{worst}]: {force[worst]} N; allowed: finite, above 0")
        names = tuple(clusters) if clusters is not None else ("",) * n
        if len(names) != n:
            raise ConfigurationError(f"clusters: {len(names)} names; allowed: {n}, one for each thruster")
        centre = np.array(com, dtype=float)
        if centre.shape != (3,) or not np.isfinite(centre).all():
            raise ConfigurationError(f"com: {com!r}; allowed: three finite numbers, m")
        d = d / length[:, None]
        set_field = object.__setattr__
        set_field(self, "positions", r)
        set_field(self, "directions", d)
        set_field(self, "f_max", force)
        set_field(self, "clusters", names)
        set_field(self, "com", centre)
        set_field(self, "effectiveness", np.vstack([d.T, np.cross(r - centre, d).T]))
        for array in (r, d, force, centre, self.effectiveness):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.f_max)

    @classmethod
    def from_file(cls, path: str | Path, com: npt.ArrayLike = (0.0, 0.0, 0.0)) -> "ThrusterArray":
        """Read a thruster file (JSON: `thrusters`, each with index, cluster, position_m, direction, f_max_n).

        Raises:
            ConfigurationError: naming file, field, value and allowed range.
        """
        return cls.of(load_thrusters(path), com=com)

    @classmethod
    def of(cls, thrusters: Sequence[Thruster], com: npt.ArrayLike = (0.0, 0.0, 0.0)) -> "ThrusterArray":
        """The thrusters of a vehicle, with the centre of mass (3,) m."""
        return cls(
            [thruster.position_m for thruster in thrusters],
            [thruster.direction for thruster in thrusters],
            [thruster.f_max_n for thruster in thrusters],
            [thruster.cluster for thruster in thrusters],
            com,
        )

    def extremes(self, thrust: Floats) -> tuple[Floats, Floats]:
        """(6,) least and largest N and N m along each axis alone that thrusters of (n,) N can give."""
        each = self.effectiveness * thrust
        return np.minimum(each, 0.0).sum(axis=1), np.maximum(each, 0.0).sum(axis=1)

    def with_com(self, com: npt.ArrayLike) -> "ThrusterArray":
        """The same thrusters with another centre of mass, (3,) m."""
        return ThrusterArray(self.positions, self.directions, self.f_max, self.clusters, com)


def _vectors(name: str, values: npt.ArrayLike) -> Floats:
    try:
        vectors = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name}: {values!r}; allowed: n vectors of three numbers") from None
    if vectors.ndim != 2 or vectors.shape[1] != 3 or len(vectors) == 0:
        raise ConfigurationError(f"{name}: shape {vectors.shape}; allowed: (n, 3), n at least 1")
    if not np.isfinite(vectors).all():
        worst = int(np.argmin(np.isfinite(vectors).all(axis=1)))
        raise ConfigurationError(f"{name}[{worst}]: {vectors[worst].tolist()}; allowed: finite numbers")
    return vectors
