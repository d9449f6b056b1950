"""Health of the allocator's components, from its newest telemetry, for the diagnostics."""

import math
from collections.abc import Mapping

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.telemetry import State, Telemetry
from qiki_allocator.health.table import Condition
from qiki_node.health import Health, Level

_NONE = "no telemetry yet"


def of_commands(latest: Telemetry | None) -> Health:
    """State of the demand, and refusals."""
    if latest is None:
        return Health(Level.STALE, _NONE)
    state, refusal = latest.state, latest.refusal
    values = {"state": state.value, "refused": latest.refused, "last refusal": refusal or "none"}
    if refusal:
        return Health(Level.WARN, f"last command refused: {refusal}", values)
    return Health(Level.WARN if state is State.WATCHDOG else Level.OK, state.value, values)


def of_allocation(latest: Telemetry | None) -> Health:
    """Certificate of the allocation, and health of the thrusters."""
    if latest is None:
        return Health(Level.STALE, _NONE)
    answer = latest.allocation
    bad = [f"{i}: {one.value}" for i, one in enumerate(latest.conditions) if one is not Condition.OK]
    values = {
        "margin": "unknown" if math.isnan(answer.margin) else f"{answer.margin:.4f}",
        "binding": ", ".join(answer.binding) or "none",
        "thrusters not OK": ", ".join(bad) or "none",
        "uncontrollable axes": ", ".join(latest.uncontrollable) or "none",
        "authority left": _shares(latest.authority),
        "primal violation": answer.certificate.primal_violation,
        "duality gap": answer.certificate.gap,
    }
    if answer.fallback:
        return Health(Level.ERROR, f"certificate failed; flown instead: {answer.fallback}", values)
    if bad:
        return Health(Level.WARN, f"{len(bad)} thrusters not OK", values)
    return Health(Level.OK, "certified", values)


def of_limits(latest: Telemetry | None) -> Health:
    """Limits by energy and heat, and missing telemetry."""
    if latest is None:
        return Health(Level.STALE, _NONE, unready=_NONE)
    limits, warnings = latest.limits, latest.warnings
    values = {
        "gate": limits.energy.gate.value,
        "reason": limits.energy.reason,
        "power limit": f"{limits.energy.power_limit:.0f} W",
        "clusters tripped": ", ".join(limits.heat.tripped) or "none",
        "mode": latest.mode.value,
        "modulator": latest.modulator,
        "inhibited": _inhibited(latest),
    }
    if warnings:
        stale = "; ".join(warnings)
        return Health(Level.WARN, stale, values, unready=stale)
    if limits.heat.tripped:
        return Health(Level.WARN, f"clusters tripped: {', '.join(limits.heat.tripped)}", values)
    return Health(Level.OK, limits.energy.gate.value, values)


def of_thrust(latest: Telemetry | None) -> Health:
    """Wrench commanded and achieved, with its cost; nothing of it is a fault."""
    if latest is None:
        return Health(Level.STALE, _NONE)
    answer = latest.allocation
    values = {
        "commanded": _numbers(latest.commanded),
        "allocated": _numbers(answer.wrench),
        "achieved": _numbers(latest.achieved),
        "residual": _numbers(answer.residual),
        "binding": ", ".join(latest.binding) or "none",
        "margin": _number(answer.margin, ""),
        "power": _number(answer.power, "W"),
        "power now": _number(latest.power_now, "W"),
        "power mean": _number(latest.power_mean, "W"),
        "energy": _number(latest.energy, "J"),
        "duty": _numbers(latest.duty),
        "firings": " ".join(map(str, latest.firings.tolist())),
        "valve commands": f"{latest.way.commands} sent, {_count(latest.way.commands_read)} read",
        "late edges": _count(latest.way.late_edges),
        "lead": _number(latest.way.lead, "s"),
        "solve time": _number(latest.solve_time * 1e6, "us"),
    }
    return Health(Level.OK, latest.activity.value, values)


def _inhibited(latest: Telemetry) -> str:
    """Thrusters that are inhibited, with the reason."""
    order = latest.limits.inhibition
    bounds = [f"{i}: {factor:.0%}" for i, factor in enumerate(order.factor.tolist()) if factor < 1.0]
    return f"{', '.join(bounds)} ({order.reason or 'no reason'})" if bounds else "none"


def _count(value: int | None) -> str:
    return "unknown" if value is None else str(value)


def _number(value: float, unit: str) -> str:
    return "unknown" if math.isnan(value) else f"{value:.4g} {unit}".strip()


def _numbers(values: Floats) -> str:
    return " ".join("unknown" if math.isnan(value) else f"{value:.3f}" for value in values.tolist())


def _shares(authority: Mapping[str, float]) -> str:
    """Those of all axes of which not everything is left."""
    less = [f"{axis} {_percent(share)}" for axis, share in authority.items() if not share >= 1.0 - 5e-4]
    return ", ".join(less) or "100 % of every axis"


def _percent(share: float) -> str:
    return "none when healthy" if math.isnan(share) else f"{100.0 * share:.1f} %"
