"""One island of a bridge network: a source and the tree that it feeds, and the loads that fit."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qiki_docking.bridge.network import solve
from qiki_docking.bridge.values import Body, Edge, Load

Key = tuple[str, str]

_SHARE_BITS = 40  # halvings in the search for a fair share
_SLACK = 1e-9  # of a limit


@dataclass(frozen=True)
class Limits:
    """Limits of every edge and body of a network: A, V."""

    current_max: float
    volts_min: float


@dataclass(frozen=True)
class State:
    """A solution: V of each body but the source, A of each edge by its far body; W and A of the source."""

    volts: dict[str, float]
    currents: dict[str, float]
    power: float
    current: float


class Island:
    """A tree fed by one source.

    Args:
        source: feeds it.
        bodies: all others, each after its parent.
        feeding: edge by which each of them is fed.
    """

    def __init__(self, source: Body, bodies: Iterable[Body], feeding: Mapping[str, Edge], limits: Limits) -> None:
        self.source, self.bodies, self.feeding = source, tuple(bodies), dict(feeding)
        self._limits = limits
        self.parent = {body.name: self.feeding[body.name].other(body.name) for body in self.bodies}
        self.depth = {source.name: 0}
        for body in self.bodies:
            self.depth[body.name] = self.depth[self.parent[body.name]] + 1
        self._loads = {(body.name, load.name): load for body in (source, *self.bodies) for load in body.loads}

    def path(self, body: str) -> set[str]:
        """Far bodies of the edges from the source to a body."""
        found = set()
        while body != self.source.name:
            found.add(body)
            body = self.parent[body]
        return found

    def state(self, shares: Mapping[Key, float]) -> State | None:
        """Flow with a share (0..1) of each load; None: the lines cannot carry it."""
        drawn = dict.fromkeys(self.depth, 0.0)
        for key, load in self._loads.items():
            drawn[key[0]] += shares[key] * load.watts
        index = {body.name: i for i, body in enumerate(self.bodies)}
        names = list(index)
        found = solve(
            self.source.volts,
            [index.get(self.parent[name], -1) for name in names],
            [self.feeding[name].resistance for name in names],
            [drawn[name] for name in names],
        )
        if found is None:
            return None
        volts = {name: found[i] for name, i in index.items()}
        currents = {}
        for name in names:
            above = volts.get(self.parent[name], self.source.volts)
            currents[name] = (above - volts[name]) / self.feeding[name].resistance
        current = math.fsum(currents[name] for name in names if self.parent[name] == self.source.name)
        current += drawn[self.source.name] / self.source.volts
        return State(volts, currents, current * self.source.volts, current)

    def settle(self) -> tuple[dict[Key, float], tuple[Key, ...], State]:
        """Shares of the loads that keep every limit, those that were cut in their order, and the flow.

        While a limit is exceeded, the least important load that adds to it is cut: first the divisible ones of that
        priority, all to the same share, the largest that helps; then the others one by one, from the body that draws
        the most. In the end the loads that fit beside the rest are given back.
        """
        shares = dict.fromkeys(self._loads, 1.0)
        cut: dict[Key, None] = {}
        while True:
            guilty = self._guilty(shares)
            if not guilty:
                break
            worst = max(self._loads[key].priority for key in guilty)
            rank = sorted(key for key in guilty if self._loads[key].priority == worst)
            divisible = [key for key in rank if self._loads[key].divisible]
            if divisible:
                self._divide(shares, divisible)
                cut.update(dict.fromkeys(divisible))
                continue
            drawn = self._drawn(shares)
            key = max(rank, key=lambda key: drawn[key[0]])
            shares[key] = 0.0
            cut[key] = None

        self._restore(shares, cut)
        state = self.state(shares)
        assert state is not None
        return shares, tuple(key for key in cut if shares[key] < 1.0), state

    def _restore(self, shares: dict[Key, float], cut: Iterable[Key]) -> None:
        """Give back, from the most important on, what fits beside the rest."""
        for priority in sorted({self._loads[key].priority for key in cut}):
            keys = sorted(key for key in cut if self._loads[key].priority == priority)
            for key in keys:
                if not self._loads[key].divisible:
                    shares[key] = 1.0
                    shares[key] = float(not self._guilty(shares))
            divisible = [key for key in keys if self._loads[key].divisible]
            if divisible:
                self._divide(shares, divisible, least=min(shares[key] for key in divisible))

    def _divide(self, shares: dict[Key, float], keys: list[Key], least: float = 0.0) -> None:
        """Set the largest common share of `keys`, from `least` on, at which none of them adds to an exceeded limit."""
        low, high = least, 1.0
        shares.update(dict.fromkeys(keys, high))
        if not set(keys) & self._guilty(shares):
            return
        for _ in range(_SHARE_BITS):
            middle = 0.5 * (low + high)
            shares.update(dict.fromkeys(keys, middle))
            if set(keys) & self._guilty(shares):
                high = middle
            else:
                low = middle
        shares.update(dict.fromkeys(keys, low))

    def _drawn(self, shares: Mapping[Key, float]) -> dict[str, float]:
        drawn = dict.fromkeys(self.depth, 0.0)
        for key, load in self._loads.items():
            drawn[key[0]] += shares[key] * load.watts
        return drawn

    def _guilty(self, shares: Mapping[Key, float]) -> set[Key]:
        """Loads being served that add to a limit that is exceeded."""
        served = {key for key, share in shares.items() if share > 0.0 and self._loads[key].watts > 0.0}
        state = self.state(shares)
        remote = {key for key in served if key[0] != self.source.name}
        if state is None:
            return remote
        guilty: set[Key] = set()
        over = 1.0 + _SLACK
        if state.power > self.source.power_max * over or state.current > self.source.current_max * over:
            guilty |= served
        for far, current in state.currents.items():
            if current > self._limits.current_max * over:
                guilty |= {key for key in remote if far in self.path(key[0])}
        for name, volts in state.volts.items():
            if volts * over < self._limits.volts_min:
                guilty |= {key for key in remote if self.path(key[0]) & self.path(name)}
        return guilty

    def load(self, key: Key) -> Load:
        """A load by (body, load)."""
        return self._loads[key]

    @property
    def keys(self) -> tuple[Key, ...]:
        """(body, load) of all loads."""
        return tuple(self._loads)
