"""Flow in a power tree: one source of constant volts, lines with resistance, loads of constant power."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ITERATIONS = 100
_TOLERANCE = 1e-13  # of the source's volts


def most_power(volts: float, resistance: float) -> float:
    """W that a source, V, can bring to a load behind a resistance, ohm: V^2 / 4 R. Beyond it the voltage collapses."""
    return volts * volts / (4.0 * resistance) if resistance > 0.0 else math.inf


def chain_volts(volts: float, resistance: float, power: float) -> float:
    """V at one load of constant power, W, behind a resistance, ohm: the upper root of v (V - v) = R P; NaN: none."""
    left = volts * volts - 4.0 * resistance * power
    return 0.5 * (volts + math.sqrt(left)) if left >= 0.0 else math.nan


def solve(volts: float, parents: Sequence[int], resistances: Sequence[float], powers: Sequence[float]) -> Floats | None:
    """Volts (n,) at each node of a tree, or None if no solution exists: the loads are beyond what the lines carry.

    Node i hangs on node `parents[i]` (-1: on the source) by a line of `resistances[i]` ohm and draws `powers[i]` W.

    With G the conductance matrix the volts solve G (v - V) + p / v = 0. Each equation is convex in v, and above the
    highest solution the Jacobian G - diag(p / v^2) is a positive definite M-matrix. Newton's method that starts at V
    therefore falls monotonically to the highest solution, the stable one, and loses definiteness if there is none.
    """
    count = len(parents)
    conductance = np.zeros((count, count))
    for node, (parent, resistance) in enumerate(zip(parents, resistances, strict=True)):
        conductance[node, node] += 1.0 / resistance
        if parent >= 0:
            conductance[parent, parent] += 1.0 / resistance
            conductance[node, parent] -= 1.0 / resistance
            conductance[parent, node] -= 1.0 / resistance
    load = np.array(powers, dtype=float)
    found = np.full(count, volts)
    for _ in range(_ITERATIONS):
        residual = conductance @ (found - volts) + load / found
        jacobian = conductance - np.diag(load / found**2)
        try:
            np.linalg.cholesky(jacobian)
            change = np.linalg.solve(jacobian, residual)
        except np.linalg.LinAlgError:
            return None
        found = found - change
        if not (found > 0.0).all():
            return None
        if float(np.abs(change).max(initial=0.0)) <= _TOLERANCE * volts:
            return found
    return None
