"""Direct current in a network of any shape: fixed volts, lines with resistance, draws of constant power."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_ITERATIONS = 2000
_TOLERANCE = 1e-13  # of the largest volts


@lru_cache(maxsize=64)
def solve(
    fixed: tuple[float | None, ...], lines: tuple[tuple[int, int, float], ...], draws: tuple[float, ...]
) -> tuple[float, ...] | None:
    """Volts (n,) of the nodes; None: the lines cannot carry the draws.

    fixed: V of each node, None where the network decides; each part of it needs one that is fixed.
    lines: node, node, ohm. draws: W of each node, those of fixed nodes do not count.

    From the volts without any draw on, each pass takes the currents of the last one. It falls towards the highest
    solution, the stable one, and below half of the open volts there is none (the bound of V^2 / 4 R).
    """
    count = len(fixed)
    conductance = np.zeros((count, count))
    for first, second, resistance in lines:
        conductance[[first, second], [first, second]] += 1.0 / resistance
        conductance[[first, second], [second, first]] -= 1.0 / resistance
    volts = np.array([0.0 if value is None else value for value in fixed])
    free = np.array([value is None for value in fixed])
    if not free.any():
        return tuple(volts.tolist())
    impedance = np.linalg.inv(conductance[np.ix_(free, free)])
    idle = -impedance @ conductance[np.ix_(free, ~free)] @ volts[~free]
    power = np.array(draws, dtype=float)[free]
    found = idle.copy()
    for _ in range(_ITERATIONS):
        if (found[power > 0.0] <= 0.0).any():
            return None
        current = np.divide(power, found, out=np.zeros_like(power), where=power > 0.0)
        after = idle - impedance @ current
        done = np.abs(after - found).max() <= _TOLERANCE * np.abs(volts).max()
        found = after
        if done:
            volts[free] = found
            return tuple(volts.tolist())
    return None
