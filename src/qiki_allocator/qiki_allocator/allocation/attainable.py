"""The set of attainable wrenches, as a polytope with its facets.

With 0 <= f <= u and a power limit p'f <= P the attainable wrenches B f form a polytope. Its facets have two kinds of
normals, both fixed by the geometry alone:

* n with n'b_j = 0 for r - 1 independent columns b_j of B (r = rank of B): the facets of the zonotope of the box;
* n with n'b_j = p_j for r independent columns: the linear pieces of the least power that a wrench needs.

Bounds and power limit only move the facets: n'w <= sum_j u_j max(0, n'b_j), and
n'w <= P + sum_j u_j max(0, n'b_j - p_j). So dead and derated thrusters cost one matrix product, and no linear program.
"""

import itertools
import math

import numpy as np

from qiki_allocator.allocation.programs import Power
from qiki_allocator.allocation.spans import OUTSIDE, axis_units, span
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray

MOST_SUBSETS = 60_000
"""Subsets of columns looked at: 21 thrusters of rank 6 have 54 264."""

_TINY = 1e-9
_ILL = 1e-5
_ROUNDING = 1e-15
_UNLIMITED = 1e30
"""Power limit that limits nothing."""


class AttainableSet:
    """The polytope of attainable wrenches of one geometry.

    The facets are built about the origin of base_link: moving the centre of mass maps the set linearly, so that
    `moved` reuses them.

    Args:
        array: the thrusters.
        watts: (n,) W per newton.

    Attributes:
        sides: (facets, n + 1) on each facet, of every thruster and of the power: 1 at its upper limit, -1 thruster off,
            0 in between.

    Raises:
        ValueError: there are too many subsets of columns (see `is_small`).
    """

    def __init__(self, array: ThrusterArray, watts: Floats) -> None:
        about_origin = array.with_com((0.0, 0.0, 0.0))
        self._per_unit = 1.0 / axis_units(about_origin)
        self._basis, self._reach, columns = span(self._per_unit[:, None] * about_origin.effectiveness * array.f_max)
        if not is_small(len(array), len(columns)):
            raise ValueError(f"array: {len(array)} thrusters have too many facets")
        self._power_unit = float((watts * array.f_max).max()) or 1.0
        power = watts * array.f_max / self._power_unit
        boxed = _zero_normals(columns)
        powered = _power_normals(columns, power)
        normals = np.vstack([boxed, powered])
        along = normals @ columns
        reach = np.maximum(along, 0.0).sum(axis=1)
        # Where nothing ever reaches, a unit normal measures as well as any.
        per_reach = 1.0 / np.where(reach > _TINY, reach, 1.0)
        self._normals = per_reach[:, None] * normals
        along[len(boxed) :] -= power
        self.sides = np.zeros((len(normals), len(array) + 1), dtype=np.int8)
        self.sides[:, :-1] = np.sign(along) * (np.abs(along) > _TINY)
        self.sides[len(boxed) :, -1] = 1
        self._is_powered = np.arange(len(normals)) >= len(boxed)
        weights = np.column_stack([np.maximum(along, 0.0), self._is_powered])
        # By columns: each of these products is a sum of few long columns.
        self._weights = np.asfortranarray(per_reach[:, None] * weights)
        self.limit(np.ones(len(array)), math.inf)
        self._place(array.com)

    def _place(self, com: Floats) -> None:
        # torque about base_link's origin = torque about com + com x force
        x, y, z = com
        to_origin = np.eye(6)
        to_origin[3:, :3] = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]
        to_scaled = self._per_unit[:, None] * to_origin
        self._from_wrench = np.asfortranarray(self._normals / self._reach @ self._basis.T @ to_scaled)
        self._outside = to_scaled - self._basis @ (self._basis.T @ to_scaled)
        self._to_scaled = to_scaled
        self._full_rank = len(self._reach) == 6
        # Directions of little reach magnify the rounding errors of a wrench, and those of the directions themselves,
        # which mix small components with large ones: in any component as large as of the largest.
        is_ill = self._reach[-1] < _ILL * self._reach[0]
        self._rounding = _ROUNDING * np.linalg.norm(self._normals / self._reach, axis=1) if is_ill else None

    @property
    def facets(self) -> tuple[int, int]:
        """Number of facets of the box alone, and of pieces that a power limit can add."""
        powered = int(self._is_powered.sum())
        return len(self._normals) - powered, powered

    def moved(self, array: ThrusterArray) -> "AttainableSet":
        """The set of the same thrusters with another centre of mass."""
        other = object.__new__(AttainableSet)
        other.__dict__.update(self.__dict__)
        other._place(array.com)
        return other

    def limit(self, bounds: Floats, power: Power) -> None:
        """Set the bounds, (n,) relative to f_max, and the power limit, W or inf."""
        room = np.empty(len(bounds) + 1)
        room[:-1] = bounds
        room[-1] = min(power / self._power_unit, _UNLIMITED)
        divisor = self._share = self._weights.dot(room)
        if divisor[divisor.argmin()] <= _TINY:
            # Where nothing reaches, any component along the normal is out of reach, rounding errors aside.
            divisor = np.maximum(divisor, _TINY)
        self._per_share = 1.0 / divisor

    def scale_and_margin(self, wrench: Floats) -> tuple[float, float, int]:
        """(scale, margin, facet) of a wrench, (6,): see `Allocation`; scale * wrench lies on the facet."""
        if not self._full_rank:
            outside = float(np.linalg.norm(self._outside @ wrench))
            whole = float(np.linalg.norm(self._to_scaled @ wrench))
            if outside > OUTSIDE * whole:
                return 0.0, -outside / whole, -1
        # argmax and argmin read arrays of this length several times faster than max and min.
        along = self._from_wrench.dot(wrench)
        if self._rounding is not None:
            along -= self._rounding * float(np.linalg.norm(self._to_scaled @ wrench))
        used = along * self._per_share
        facet = int(used.argmax())
        most = float(used[facet])
        left = np.subtract(self._share, along, out=along)
        margin = float(left[left.argmin()])
        if most <= 0.0:
            return math.inf, margin, -1
        # Dead thrusters may have left no reach in this direction.
        return 0.0 if self._share[facet] <= _TINY else 1.0 / most, margin, facet

    def pushing(self, facet: int) -> tuple[Floats, bool]:
        """Limits that hold a facet: (n,) weight of each thruster's bound in it, and whether the power limit does."""
        return self._weights[facet, :-1], bool(self._is_powered[facet])


def is_small(n: int, rank: int) -> bool:
    """True if n thrusters of that rank have few enough facets to list them."""
    return math.comb(n, rank) <= MOST_SUBSETS and math.comb(n, rank - 1) <= MOST_SUBSETS


def _zero_normals(columns: Floats) -> Floats:
    """(m, r) normals of the facets of the zonotope of the columns (r, n), both signs."""
    rank, n = columns.shape
    if rank == 1:
        return np.array([[1.0], [-1.0]])
    subsets = np.array(list(itertools.combinations(range(n), rank - 1)))
    _, singular, right = np.linalg.svd(columns.T[subsets])
    normals = right[singular[:, -1] > 1e-9 * singular[:, 0].max(), -1]
    first = np.argmax(np.abs(normals) > 1e-6, axis=1)
    normals = normals * np.sign(normals[np.arange(len(normals)), first])[:, None]
    normals = _distinct(normals)
    return np.vstack([normals, -normals])


def _power_normals(columns: Floats, power: Floats) -> Floats:
    """(m, r) normals along which r independent columns give exactly their power."""
    rank, n = columns.shape
    if not power.any():
        return np.empty((0, rank))
    subsets = np.array(list(itertools.combinations(range(n), rank)))
    matrices = columns.T[subsets]
    singular = np.linalg.svd(matrices, compute_uv=False)
    usable = singular[:, -1] > 1e-9 * singular[:, 0].max()
    normals = np.linalg.solve(matrices[usable], power[subsets[usable]][..., None])[..., 0]
    return _distinct(normals[normals.any(axis=1)])


def _distinct(normals: Floats) -> Floats:
    size = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    _, first = np.unique(np.round(np.hstack([normals / size, np.log(size)]), 7), axis=0, return_index=True)
    return normals[first]
