"""Lumped thermal network, integrated exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qiki_vehicle.thermal import Thermal


class ThermalNetwork:
    """Nodes of constant capacity joined by conductances to each other and to space.

    C dT/dt = -K T + G_space T_space + q. With S = C^-1/2 K C^-1/2 = V diag(l) V^T (symmetric, so it can be
    diagonalised) the step for a heat flow q constant over it is exact in every mode, for any length of the step.
    """

    def __init__(self, config: Thermal, period: float, temperature: float | None = None) -> None:
        """`period` s is the step; `temperature` degC of all nodes at the start, None: the configured one."""
        self.names = tuple(config.nodes)
        nodes = config.nodes.values()
        index = {name: i for i, name in enumerate(self.names)}
        capacity = np.array([node.capacity for node in nodes])
        to_space = np.array([node.to_space for node in nodes])
        conductance = np.diag(to_space)
        for link in config.links:
            a, b = (index[name] for name in link.between)
            conductance[[a, b], [a, b]] += link.conductance
            conductance[[a, b], [b, a]] -= link.conductance
        root = np.sqrt(capacity)
        rates, modes = np.linalg.eigh(conductance / np.outer(root, root))
        rates = np.maximum(rates, 0.0)
        decay = np.exp(-rates * period)
        # Integral of the decay over the step; its limit is the period itself where nothing leads the heat away.
        slow = rates * period < 1e-12
        gain = np.where(slow, period, -np.expm1(-rates * period) / np.where(slow, 1.0, rates))
        self._state = modes / root[:, None] @ (decay[:, None] * modes.T * root)
        self._input = modes / root[:, None] @ (gain[:, None] * modes.T / root)
        self._space_heat = to_space * config.space_temperature
        start = config.initial_temperature if temperature is None else temperature
        self.temperature: NDArray[np.float64] = np.full(len(self.names), start)
        self.heat: NDArray[np.float64] = np.zeros(len(self.names))
        self.warn = np.array([np.nan if node.warn is None else node.warn for node in nodes])
        self.trip = np.array([node.trip for node in nodes])
        self._hysteresis = config.hysteresis
        self.tripped = self.temperature >= self.trip

    def advance(self, heat: NDArray[np.float64]) -> bool:
        """Pass one period with `heat` (n,) W put into the nodes; True if a node tripped or came back."""
        self.heat = heat
        self.temperature = self._state @ self.temperature + self._input @ (heat + self._space_heat)
        before = self.tripped
        self.tripped = (self.temperature >= self.trip) | (before & (self.temperature > self.trip - self._hysteresis))
        return bool((before != self.tripped).any())
