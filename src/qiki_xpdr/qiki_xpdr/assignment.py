"""Global assignment of detections to tracks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from qiki_xpdr.geometry import Floats

Indices = NDArray[np.intp]
NONE: Final = -1
_SMALL: Final = 64
"""Rows up to which one dense assignment is cheaper than clusters."""


def assign(costs: Floats, allowed: NDArray[np.bool_]) -> Indices:
    """Column of each row, `NONE` without one: as many pairs as are allowed, then of the least sum of costs.

    Rows and columns that no allowed pair connects are assigned apart, so that the cost grows with the largest cluster.

    Args:
        costs: (N, M), finite where allowed.
    """
    found = np.full(len(costs), NONE, dtype=np.intp)
    rows = np.flatnonzero(allowed.any(axis=1))
    columns = np.flatnonzero(allowed.any(axis=0))
    if not len(rows):
        return found
    inner, permitted = costs[np.ix_(rows, columns)], allowed[np.ix_(rows, columns)]
    if len(rows) <= _SMALL:
        found[rows] = _named(_cluster(inner, permitted), columns)
        return found
    size = len(rows) + len(columns)
    first, second = np.nonzero(permitted)
    graph = csr_array((np.ones(len(first), dtype=np.int8), (first, second + len(rows))), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    row_labels, column_labels = labels[: len(rows)], labels[len(rows) :]
    counts = np.bincount(row_labels, minlength=labels.max() + 1)
    column_counts = np.bincount(column_labels, minlength=labels.max() + 1)
    single = (counts[row_labels[first]] == 1) & (column_counts[column_labels[second]] == 1)
    found[rows[first[single]]] = columns[second[single]]
    for label in np.flatnonzero((counts > 0) & (counts + column_counts > 2)):
        own, theirs = np.flatnonzero(row_labels == label), np.flatnonzero(column_labels == label)
        picked = np.ix_(own, theirs)
        found[rows[own]] = _named(_cluster(inner[picked], permitted[picked]), columns[theirs])
    return found


def _cluster(costs: Floats, allowed: NDArray[np.bool_]) -> Indices:
    found = np.full(len(costs), NONE, dtype=np.intp)
    inside = costs[allowed]
    # A pair more is always worth it, whatever it costs.
    least, span = inside.min(), inside.max() - inside.min() + 1.0
    rows, columns = linear_sum_assignment(np.where(allowed, costs - least, span * (min(costs.shape) + 1)))
    kept = allowed[rows, columns]
    found[rows[kept]] = columns[kept]
    return found


def _named(columns: Indices, names: Indices) -> Indices:
    return np.where(columns == NONE, NONE, names[columns])
