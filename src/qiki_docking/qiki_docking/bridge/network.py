"""Flow in a power tree: one source of constant volts, lines with resistance, loads of constant power."""

import math
from collections.abc import Sequence

_ITERATIONS = 100
_TOLERANCE = 1e-13  # of the source's volts


def most_power(volts: float, resistance: float) -> float:
    """W that a source, V, can bring to a load behind a resistance, ohm: V^2 / 4 R. Beyond it the voltage collapses."""
    return volts * volts / (4.0 * resistance) if resistance > 0.0 else math.inf


def chain_volts(volts: float, resistance: float, power: float) -> float:
    """V at one load of constant power, W, behind a resistance, ohm: the upper root of v (V - v) = R P; NaN: none."""
    left = volts * volts - 4.0 * resistance * power
    return 0.5 * (volts + math.sqrt(left)) if left >= 0.0 else math.nan


def solve(
    volts: float, parents: Sequence[int], resistances: Sequence[float], powers: Sequence[float]
) -> list[float] | None:
    """Volts at each node of a tree, or None if no solution exists: the loads are beyond what the lines carry.

    Node i hangs on node `parents[i]` < i (-1: on the source) by a line of `resistances[i]` ohm and draws `powers[i]` W.

    With G the conductance matrix the volts solve G (v - V) + p / v = 0. Each equation is convex in v, and above the
    highest solution the Jacobian G - diag(p / v^2) is a positive definite M-matrix. Newton's method that starts at V
    therefore falls monotonically to the highest solution, the stable one, and loses definiteness if there is none.
    On a tree the Jacobian is eliminated from the leaves without fill-in: definite means that each pivot is positive.
    """
    count = len(parents)
    lines = [1.0 / resistance for resistance in resistances]
    diagonal = list(lines)
    for node, parent in enumerate(parents):
        if parent >= 0:
            diagonal[parent] += lines[node]
    found = [volts] * count
    for _ in range(_ITERATIONS):
        pivot = [diagonal[node] - powers[node] / found[node] ** 2 for node in range(count)]
        change = [diagonal[node] * (found[node] - volts) + powers[node] / found[node] for node in range(count)]
        for node, parent in enumerate(parents):
            if parent >= 0:
                change[node] -= lines[node] * (found[parent] - volts)
                change[parent] -= lines[node] * (found[node] - volts)
        for node in range(count - 1, -1, -1):
            if not pivot[node] > 0.0:
                return None
            if parents[node] >= 0:
                pivot[parents[node]] -= lines[node] ** 2 / pivot[node]
                change[parents[node]] += lines[node] / pivot[node] * change[node]
        for node, parent in enumerate(parents):
            if parent >= 0:
                change[node] += lines[node] * change[parent]
            change[node] /= pivot[node]
        found = [value - less for value, less in zip(found, change, strict=True)]
        if not all(value > 0.0 for value in found):
            return None
        if max(map(abs, change), default=0.0) <= _TOLERANCE * volts:
            return found
    return None
