"""Thrust of open valves on a body that turns: the wrench of the jets and the effect of the propellant's flow.

About a centre of mass that stays where it is in the body, with propellant leaving at r at the rate q (kg/s)
[Eke, Dynamics of variable mass systems]:

    F = sum f - 2 w x sum q r                                   Coriolis
    T = sum r x f + sum q (I/m) w - sum q r x (w x r)           loss of inertia, jet damping

Without terms of the start and the end of a flow, and without swirl. Both are linear in the valves, so that the mean
over a step is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

THRUST = 15
"""Numbers that describe thrust: force N, torque N m, sum q r kg m/s, and the upper triangle (xx, xy, xz, yy, yz, zz) of
D kg m^2/s, in body axes; D w is the torque of the flow."""

_FORCE, _TORQUE, _MOMENT, _DAMPING = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 15)
_FLOW = slice(6, 15)
_SYMMETRIC = [0, 1, 2, 1, 3, 4, 2, 4, 5]


def of_thruster(place: Floats, force: Floats, flow: float, inertia_per_mass: Floats) -> Floats:
    """(15,) thrust of one open valve; place: (3,) m from the centre of mass. inertia_per_mass: (3,) m^2, principal."""
    damping = flow * (np.diag(inertia_per_mass) - (place @ place) * np.eye(3) + np.outer(place, place))
    return np.concatenate([force, np.cross(place, force), flow * place, damping[np.triu_indices(3)]])


def wrench_of(thrust: Floats, spin: Floats, moments: Floats, step: float, constant: bool) -> Floats:
    """(steps, bots, 6) N, N m: the mean wrench over each step on turning bodies.

    thrust: (steps, bots, 15). spin: (bots, 3) rad/s at the beginning. moments: (bots, 3) kg m^2. step: s.
    constant: thrust is the same in all steps; then the wrench is, too, at the rates in the middle of all.
    """
    wrench: Floats = thrust[..., :6]
    if not thrust[..., _FLOW].any():
        return wrench
    if constant:
        step, thrust = step * len(thrust), thrust[:1]
    # Rates in the middle of each step, of second order: the flow's own effect on them is far smaller.
    turning = step * (thrust[..., _TORQUE] - _cross(spin, moments * spin)) / moments
    rates = spin + np.cumsum(turning, axis=0) - 0.5 * turning
    damping = thrust[..., _DAMPING][..., _SYMMETRIC].reshape(*thrust.shape[:2], 3, 3)
    flow: Floats = np.concatenate(
        [-2.0 * _cross(rates, thrust[..., _MOMENT]), np.einsum("sbij,sbj->sbi", damping, rates)], axis=-1
    )
    turned: Floats = wrench + flow
    return turned


def _cross(a: Floats, b: Floats) -> Floats:
    """The cross product along the last axis; for few vectors faster than numpy's."""
    return a[..., _NEXT] * b[..., _LAST] - a[..., _LAST] * b[..., _NEXT]


_NEXT, _LAST = [1, 2, 0], [2, 0, 1]
