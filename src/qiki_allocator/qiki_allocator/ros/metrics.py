"""Telemetry as metrics, computed when they are scraped."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qiki_allocator.flight.telemetry import Telemetry
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import Gate

_GATES = (Gate.STABILISE, Gate.HOLD, Gate.BOOST)
_AXES = ("fx", "fy", "fz", "tx", "ty", "tz")
_KINDS = ("power", "thruster", "heat", "burn time", "dead", "weak", "stuck", "mode", "gate", "inhibit")
"""Beginnings of the names of binding limits."""


class TelemetryMetrics(Collector):
    """Shows the newest telemetry; nothing while there is none.

    Attributes:
        latest: published last by the control thread; the thread that serves metrics only reads it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latest: Telemetry | None = None
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        latest = self.latest
        if latest is None:
            return
        yield from _of_wrenches(latest)
        yield from _of_thrusters(latest)
        answer, limits = latest.allocation, latest.limits
        ill = sum(condition is not Condition.OK for condition in latest.conditions)
        for name, text, value in (
            ("margin_ratio", "Distance to the facets of the attainable set", answer.margin),
            ("scale_ratio", "Largest factor by which the wrench is attainable", answer.scale),
            ("power_watts", "Power of the forces allocated", answer.power),
            ("power_now_watts", "Power of the valves commanded open", latest.power_now),
            ("power_mean_watts", "The same, mean since the last telemetry", latest.power_mean),
            ("power_limit_watts", "Power limit", limits.energy.power_limit),
            ("solve_time_seconds", "Time of the last solve", latest.solve_time),
            ("heat_factor_ratio", "Smallest bound by heat", min(limits.heat.by_cluster.values(), default=1.0)),
            ("thrusters_not_ok", "Thrusters believed not OK", ill),
            ("lead_seconds", "How far ahead valve edges are planned", latest.way.lead),
            ("gate_level", "0 STABILISE, 1 HOLD, 2 BOOST", _GATES.index(limits.energy.gate)),
        ):
            yield GaugeMetricFamily(f"qiki_allocator_{name}", text, value=value)
        yield _counted(
            "telemetry_refused", "Telemetry refused for its stamp or values", "topic", latest.telemetry_refused
        )
        yield CounterMetricFamily("qiki_allocator_energy_joules", "Energy of all pulses commanded", value=latest.energy)


def _of_wrenches(latest: Telemetry) -> Iterable[Metric]:
    answer = latest.allocation
    wrenches = (
        ("commanded", "Wrench commanded", latest.commanded),
        ("allocated", "Wrench allocated", answer.wrench),
        ("achieved", "Wrench of late by the valves' counters", latest.achieved),
        ("residual", "Wrench commanded less wrench allocated", answer.residual),
    )
    for name, text, wrench in wrenches:
        for unit, axes in (("newtons", slice(0, 3)), ("newton_metres", slice(3, 6))):
            yield _labelled(f"{name}_{unit}", text, "axis", _AXES[axes], wrench[axes].tolist())
    bound = [float(any(name.startswith(kind) for name in latest.binding)) for kind in _KINDS]
    yield _labelled("binding", "1 while a limit of this kind binds", "limit", _KINDS, bound)


def _of_thrusters(latest: Telemetry) -> Iterable[Metric]:
    thrusters = [str(i) for i in range(len(latest.duty))]
    yield _labelled("duty_ratio", "Share of the time commanded open", "thruster", thrusters, latest.duty.tolist())
    firings = dict(zip(thrusters, latest.firings.tolist(), strict=True))
    yield _counted("firings", "Openings commanded", "thruster", firings)
    axes, shares = list(latest.authority), list(latest.authority.values())
    yield _labelled("authority_ratio", "Share left of the healthy authority along an axis", "axis", axes, shares)


def _counted(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"qiki_allocator_{name}", text, labels=[label])
    for of, count in counts.items():
        family.add_metric([of], count)
    return family


def _labelled(name: str, text: str, label: str, labels: Sequence[str], values: Sequence[float]) -> Metric:
    family = GaugeMetricFamily(f"qiki_allocator_{name}", text, labels=[label])
    for of, value in zip(labels, values, strict=True):
        family.add_metric([of], value)
    return family
