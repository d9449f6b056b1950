"""A wrench shared out among one-sided thrusters: exactly and with least thrust, or as well as the limits allow."""

import copy
import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qiki_allocator.allocation.answers import Allocation, Certificate, Limits, checked_wrench
from qiki_allocator.allocation.attainable import AttainableSet, is_small
from qiki_allocator.allocation.choices import Choices
from qiki_allocator.allocation.programs import Power
from qiki_allocator.allocation.ray import RaySet
from qiki_allocator.allocation.strategies import Exact, Found, Levels, nothing
from qiki_allocator.allocation.task import NO_POWER, Room, Scaling, Task
from qiki_allocator.allocation.thrusters import Floats, ThrusterArray
from qiki_vehicle import ConfigurationError

POLICIES = ("priority", "weighted")
UNATTAINABLE = ("closest", "direction")
_ORDER = ("torque", "force")

_ATTAINABLE = 1.0 - 1e-9
_SURELY_ATTAINABLE = 1.0 - 1e-6
_NO_LIMITS = Limits()
_PROOF_OF_NOTHING = Certificate(0.0, 0.0)
_BINDS = 1e-7
"""Multipliers above this, scaled units, belong to limits that bind."""

_LIKING = 5e-4
"""Relative cost advantage of the strongest thrusters: fewer valves at once where the cost would be the same."""


class Allocator:
    """Shares out wrenches; set up once for a geometry, solved warm.

    An attainable wrench is given exactly, with the least nozzle thrust. For one that is not:

    * unattainable="closest": policy "priority" first gives the torque that is closest to the commanded one, then the
      closest force that this leaves (or in the given order), then the least thrust; policy "weighted" gives the closest
      wrench in the weighted norm. Errors are measured per axis relative to the axis's reach (root of the sum of squares
      of what each thruster gives).
    * unattainable="direction": `scale` times the commanded wrench, exactly. Directions that the healthy thrusters
      barely reach are left out: there the error is as small as the rest allows.

    A direction that thrusters barely reach (`spans.WEAK`; mounting tolerances make such ones) has no priority and no
    large weight: errors in it could only be avoided by giving up most of what the thrusters can do.

    Args:
        array: the thrusters.
        watts_per_newton: W/N, one number or (n,).
        policy: "priority" or "weighted".
        unattainable: "closest" or "direction".
        weights: (6,) of the wrench error, policy "weighted" only.
        order: the two priorities, policy "priority" only.
        buses: n names of the power bus that each thruster draws from, each with a limit of its own; None: one for all.

    Attributes:
        bus_names: distinct names of the buses, in the order of the first thruster; one empty name if all draw from one.
        bus: (n,) index of each thruster's bus.
        per_reach: (6,) 1/N and 1/(N m), one over the reach of each axis; see `spans.axis_units` for weak ones.
        keeps_direction: there are no weak directions (`spans.WEAK`), which unattainable="direction" would leave out.

    Raises:
        ConfigurationError: an argument is not allowed.
    """

    def __init__(
        self,
        array: ThrusterArray,
        watts_per_newton: npt.ArrayLike = 33.333,
        policy: str = "priority",
        unattainable: str = "closest",
        *,
        weights: npt.ArrayLike = (1.0,) * 6,
        order: Sequence[str] = _ORDER,
        buses: Sequence[str] | None = None,
    ) -> None:
        _check_choice("policy", policy, POLICIES)
        _check_choice("unattainable", unattainable, UNATTAINABLE)
        if sorted(order) != ["force", "torque"]:
            raise ConfigurationError(f"order: {order!r}; allowed: force and torque, most important first")
        self.array = array
        self.policy = policy
        self.unattainable = unattainable
        self._order = tuple(order)
        n = len(array)
        self.watts_per_newton = _positive("watts_per_newton", watts_per_newton, n, zero=True)
        self._error_weights = _positive("weights", weights, 6, zero=False)
        by_thruster = ("",) * n if buses is None else tuple(buses)
        if len(by_thruster) != n:
            raise ConfigurationError(f"buses: {len(by_thruster)} names; allowed: {n}, one for each thruster")
        self.bus_names = tuple(dict.fromkeys(by_thruster))
        self.bus = np.array([self.bus_names.index(name) for name in by_thruster])
        self._power_names = tuple(f"power:{name}" if name else "power" for name in self.bus_names)
        self._buses = (self.bus == np.arange(len(self.bus_names))[:, None]).astype(float)
        thrust = array.f_max / array.f_max.max()
        self._cost = thrust * (1.0 - _LIKING * thrust)
        self._no_names = ("",) * n
        self._thruster_names = [f"thruster:{i}" for i in range(n)]
        scaling = Scaling(array, self.watts_per_newton, self._cost, self._buses)
        # Facets are those of one power limit.
        is_listable = len(self.bus_names) == 1 and is_small(n, len(Exact(scaling).units))
        self._set: AttainableSet | RaySet = (
            AttainableSet(array, self.watts_per_newton)
            if is_listable
            else RaySet(array, self.watts_per_newton, self._buses)
        )
        self._room = Room(array.f_max, np.ones(n), self._power_of(None))
        self._room_asked = array.f_max.tobytes()
        self._power_asked: float | tuple[float, ...] | None = None
        self._build()

    def _build(self) -> None:
        self._scaling = Scaling(self.array, self.watts_per_newton, self._cost, self._buses)
        self.per_reach = self._scaling.per_reach
        self._exact = Exact(self._scaling)
        weights = self._error_weights
        self._closest = Levels(
            self._scaling, np.empty((0, 6)), np.diag(weights), weights=weights, starts=self._set.sides
        )
        self._choices = Choices(self._scaling, self._order, self._set.sides)
        self.keeps_direction = self._choices.bent is None

    def sibling(self, policy: str) -> "Allocator":
        """An allocator of the same thrusters with another policy, and other arguments as by default. It shares the
        facets, which take long to find, and has limits of its own."""
        _check_choice("policy", policy, POLICIES)
        other = copy.copy(self)
        other.policy, other.unattainable, other._order = policy, UNATTAINABLE[0], _ORDER
        other._error_weights = np.ones(6)
        other._set = self._set.moved(self.array)
        other._set.limit(self._room.relative, self._room.power)
        other._build()
        return other

    def move(self, com: npt.ArrayLike) -> None:
        """Go on with another centre of mass, (3,) m in base_link."""
        self.array = self.array.with_com(com)
        self._set = self._set.moved(self.array)
        self._set.limit(self._room.relative, self._room.power)
        self._build()

    def solve(self, wrench: npt.ArrayLike, limits: Limits | None = None) -> Allocation:
        """Share out a wrench, (6,) N and N m about the centre of mass.

        An answer whose certificate fails is never returned as it is: see `Allocation.fallback`.

        Raises:
            ValueError: the wrench or the limits are not finite or of the wrong shape; the text names the component.
        """
        wanted = checked_wrench(wrench)
        limits = limits or _NO_LIMITS
        task = Task(self._scaling, wanted, self._room_of(limits))
        scale, margin, facet = self._set.scale_and_margin(wanted)
        attainable = scale >= _ATTAINABLE
        fallback = ""
        if task.is_zero:
            found = nothing(task, _PROOF_OF_NOTHING)
        else:
            found = self._share_out(task, scale, facet, attainable=attainable)
            if not found.certificate.holds():
                fallback = "weighted"
                found = self._closest.solve(task)
                if not found.certificate.holds():
                    fallback = "zero"
                    found = nothing(task, found.certificate)
        wrench_given = found.given[:6]
        return Allocation(
            forces=found.forces,
            wrench=wrench_given,
            residual=wanted - wrench_given,
            attainable=attainable,
            scale=scale,
            margin=margin,
            power=float(found.given[6]),
            binding=self._named(found, limits.names or self._no_names),
            certificate=found.certificate,
            fallback=fallback,
        )

    def _share_out(self, task: Task, scale: float, facet: int, *, attainable: bool) -> Found:
        if attainable:
            return self._exact.solve(task)
        if self.unattainable == "direction" and not math.isnan(scale):
            if self._choices.bent is not None:
                return self._choices.bent.solve(task)
            found = self._shortened(task, scale * _ATTAINABLE)
            if not found.certificate.holds():
                found = self._shortened(task, scale * _SURELY_ATTAINABLE)
            if isinstance(self._set, RaySet) or facet < 0:
                return found
            weights, powered = self._set.pushing(facet)
            return found._replace(bounds=weights, power=np.array([float(powered)]))
        way = self._choices.priority(task.room) if self.policy == "priority" else self._closest
        return way.solve(task, facet)

    def _shortened(self, task: Task, scale: float) -> Found:
        shortened = Task(self._scaling, task.wanted * scale, task.room)
        return nothing(shortened, _PROOF_OF_NOTHING) if shortened.is_zero else self._exact.solve(shortened)

    def _room_of(self, limits: Limits) -> Room:
        """The limits, checked; those of the last call are recognised."""
        n = len(self.array)
        if limits.names is not None and len(limits.names) != n:
            raise ValueError(f"names: {len(limits.names)}; allowed: {n}")
        bounds = self.array.f_max if limits.bounds is None else np.asarray(limits.bounds, dtype=float)
        if bounds.shape != (n,):
            raise ValueError(f"bounds: shape {bounds.shape}; allowed: ({n},)")
        asked = bounds.tobytes()
        if limits.power == self._power_asked and asked == self._room_asked:
            return self._room
        power = self._power_of(limits.power)
        if not bounds[bounds.argmin()] >= 0.0:
            worst = int(np.argmin(bounds >= 0.0))
            raise ValueError(f"bounds[{worst}]: {bounds[worst]} N; allowed: at least 0")
        inside = np.minimum(bounds, self.array.f_max)
        if not isinstance(power, float):
            # What is left of a bus that gives nothing is below the solver's tolerance: its thrusters are off.
            inside[(power <= NO_POWER * self._scaling.power_unit)[self.bus]] = 0.0
        self._room = Room(inside, inside / self.array.f_max, power)
        self._room_asked, self._power_asked = asked, limits.power
        self._set.limit(self._room.relative, power)
        return self._room

    def power_left(self, power: float | tuple[float, ...], forces: Floats) -> float | tuple[float, ...]:
        """W that a power limit leaves beside forces, (n,) N; at least 0."""
        if not isinstance(power, tuple):
            return max(power - float(self.watts_per_newton.dot(forces)), 0.0)
        drawn = self._scaling.draw.dot(forces).tolist()
        return tuple(max(each - used, 0.0) for each, used in zip(power, drawn, strict=True))

    def _power_of(self, power: float | tuple[float, ...] | None) -> Power:
        """The power limit, checked: one number, or one for each bus, (k,), if there are several."""
        if len(self.bus_names) == 1 and not isinstance(power, tuple):
            if power is None:
                return math.inf
            if not (math.isfinite(power) and power >= 0.0):
                raise ValueError(f"power: {power} W; allowed: finite, at least 0, or None")
            return float(power)
        k = len(self.bus_names)
        if power is None:
            return np.full(k, math.inf)
        if not isinstance(power, tuple) or len(power) != k:
            raise ValueError(f"power: {power} W; allowed: {k} numbers, one for each bus, or None")
        for name, each in zip(self.bus_names, power, strict=True):
            if not (math.isfinite(each) and each >= 0.0):
                raise ValueError(f"power of bus {name!r}: {each} W; allowed: finite, at least 0")
        return float(power[0]) if k == 1 else np.array(power, dtype=float)

    def _named(self, found: Found, names: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the limits that bind."""
        if len(found.power) == 1:
            binding = self._power_names if found.power[0] > _BINDS else ()
        else:
            binding = tuple(itertools.compress(self._power_names, found.power > _BINDS))
        if not found.bounds[found.bounds.argmax()] > _BINDS:
            return binding
        bounds = self._room.bounds
        by_bound = [
            names[i] or self._off(i) or (f"dead:{i}" if bounds[i] == 0.0 else self._thruster_names[i])
            for i, multiplier in enumerate(found.bounds.tolist())
            if multiplier > _BINDS
        ]
        return tuple(dict.fromkeys([*binding, *by_bound]))

    def _off(self, thruster: int) -> str:
        """Name of the power limit that leaves a thruster nothing; empty: none does."""
        power, bus = self._room.power, self.bus[thruster]
        if isinstance(power, float) or power[bus] > NO_POWER * self._scaling.power_unit:
            return ""
        return f"power:{self.bus_names[bus]}"


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{name}: {value!r}; allowed: one of {', '.join(allowed)}")


def _positive(name: str, value: npt.ArrayLike, n: int, *, zero: bool) -> Floats:
    try:
        values = np.broadcast_to(np.asarray(value, dtype=float), (n,)).copy()
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name}: {value!r}; allowed: one number or {n}") from None
    good = np.isfinite(values) & ((values >= 0.0) if zero else (values > 0.0))
    if not good.all():
        worst = int(np.argmin(good))
        raise ConfigurationError(
            f"{name}[{worst}]: {values[worst]}; allowed: finite, {'at least' if zero else 'above'} 0"
        )
    return values
