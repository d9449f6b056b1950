"""Force that healthy thrusters can give along one direction, after one more failure."""

import numpy as np
import numpy.typing as npt

from qiki_vehicle import MassProperties, Vehicle
from qiki_vehicle.vectors import cross

Floats = npt.NDArray[np.float64]

_TINY = 1e-9
_GRAIN = 0.05  # 1, to which bounds are rounded down, so that a slow change does not solve again each cycle


class Authority:
    """Certain deceleration: the largest mean force along a direction, without torque and without force across.

    Each is a small linear program over the bounds of the thrusters and the continuous power. Answers are kept until
    bounds or mass properties change.
    """

    def __init__(self, vehicle: Vehicle, direction: npt.ArrayLike) -> None:
        """direction: (3,) unit vector in base_link."""
        self._thrusters = vehicle.thrusters
        self._direction = np.asarray(direction, dtype=float)
        self._total = vehicle.propulsion.continuous_power / vehicle.propulsion.watts_per_newton
        self._known: dict[tuple[bytes, bytes], float] = {}

    def deceleration(self, bounds: Floats, properties: MassProperties) -> float:
        """m/s^2 that is certain after the failure of any one more thruster. bounds: (n,) 0..1."""
        rounded = np.floor(bounds / _GRAIN + _TINY) * _GRAIN
        key = (rounded.tobytes(), properties.com.tobytes())
        if key not in self._known:
            self._known.clear()
            self._known[key] = self._least(rounded, properties.com)
        return self._known[key] / properties.mass

    def force(self, bounds: Floats, com: Floats) -> float:
        """N, with these bounds."""
        largest = bounds * np.array([thruster.f_max_n for thruster in self._thrusters])
        used = np.flatnonzero(largest > 0.0)
        if used.size == 0:
            return 0.0
        columns = []
        for index in used:
            thruster = self._thrusters[index]
            along = np.array(thruster.direction)
            columns.append(np.concatenate([along, cross(np.array(thruster.position_m) - com, along)]))
        wrench = np.concatenate([self._direction, np.zeros(3)])
        return _largest(np.array(columns).T, wrench, largest[used], self._total)

    def _least(self, bounds: Floats, com: Floats) -> float:
        least = np.inf
        for index in np.flatnonzero(bounds > 0.0):
            failed = bounds.copy()
            failed[index] = 0.0
            least = min(least, self.force(failed, com))
        return float(least) if np.isfinite(least) else 0.0


def _largest(matrix: Floats, wrench: Floats, limits: Floats, total: float) -> float:
    """The largest t with matrix f = t wrench, 0 <= f <= limits, sum f <= total, by the simplex method.

    Bland's rule: it ends also at degenerate corners, of which the start, f = 0, is one.
    """
    rows, count = matrix.shape
    # Columns: f, t, slacks of the limits and of the total; the last one is the right-hand side.
    table = np.zeros((rows + count + 1, 2 * count + 3))
    table[:rows, :count], table[:rows, count] = matrix, -wrench
    table[rows:-1, :count] = np.eye(count)
    table[rows:, count + 1 : -1] = np.eye(count + 1)
    table[-1, :count] = 1.0
    table[rows:-1, -1], table[-1, -1] = limits, total
    basis = [-1] * rows + [*range(count + 1, 2 * count + 2)]
    gain = np.zeros(table.shape[1])
    gain[count] = -1.0

    def pivot(row: int, column: int) -> None:
        table[row] /= table[row, column]
        others = table[:, column].copy()
        others[row] = 0.0
        table[:] -= np.outer(others, table[row])
        gain[:] -= gain[column] * table[row]
        basis[row] = column

    for row in range(rows):
        # The right-hand sides of these rows are zero: any element may be the pivot.
        column = int(np.argmax(np.abs(table[row, : count + 1])))
        if abs(table[row, column]) > _TINY:
            pivot(row, column)
    while True:
        entering = np.flatnonzero(gain[:-1] < -_TINY)
        if entering.size == 0:
            return float(gain[-1])
        column = int(entering[0])
        candidates = [row for row in range(len(basis)) if basis[row] >= 0 and table[row, column] > _TINY]
        row = min(candidates, key=lambda one: (round(table[one, -1] / table[one, column], 12), basis[one]))
        pivot(row, column)
