"""Health of the allocator's components, for the diagnostics."""

import math

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.telemetry import State, Telemetry
from qiki_allocator.health.table import Condition
from qiki_node.health import Health, Level


def of_commands(controller: Controller | None) -> Health:
    """Whether wrenches come and are taken."""
    if controller is None:
        return Health(Level.STALE, "not configured")
    state, refusal, refused = controller.status
    values = {"state": state.value, "refused": refused, "last refusal": refusal or "none"}
    if refusal:
        return Health(Level.WARN, f"last command refused: {refusal}", values)
    return Health(Level.WARN if state is State.WATCHDOG else Level.OK, state.value, values)


def of_allocation(controller: Controller | None) -> Health:
    """Whether the answers are certified, and the thrusters good."""
    if controller is None:
        return Health(Level.STALE, "not configured")
    answer = controller.allocation
    bad = [
        f"{i}: {one.condition.value}"
        for i, one in enumerate(controller.drive.health)
        if one.condition is not Condition.OK
    ]
    values = {
        "margin": "unknown" if math.isnan(answer.margin) else f"{answer.margin:.4f}",
        "binding": ", ".join(answer.binding) or "none",
        "thrusters not OK": ", ".join(bad) or "none",
        "uncontrollable axes": ", ".join(controller.drive.uncontrollable) or "none",
        "primal violation": answer.certificate.primal_violation,
        "duality gap": answer.certificate.gap,
    }
    if answer.fallback:
        return Health(Level.ERROR, f"certificate failed; flown instead: {answer.fallback}", values)
    if bad:
        return Health(Level.WARN, f"{len(bad)} thrusters not OK", values)
    return Health(Level.OK, "certified", values)


def of_limits(controller: Controller | None, now: float) -> Health:
    """Whether energy, heat and odometry allow what they should."""
    if controller is None:
        return Health(Level.STALE, "not configured")
    limits = controller.limits(now)
    warnings = controller.warnings(now)
    values = {
        "gate": limits.energy.gate.value,
        "reason": limits.energy.reason,
        "power limit": f"{limits.energy.power_limit:.0f} W",
        "clusters tripped": ", ".join(limits.heat.tripped) or "none",
        "mode": controller.mode.value,
    }
    if warnings:
        return Health(Level.WARN, "; ".join(warnings), values)
    if limits.heat.tripped:
        return Health(Level.WARN, f"clusters tripped: {', '.join(limits.heat.tripped)}", values)
    return Health(Level.OK, limits.energy.gate.value, values)


def of_thrust(told: Telemetry | None) -> Health:
    """What is asked for and what is given; nothing of it is a fault."""
    if told is None:
        return Health(Level.STALE, "no telemetry yet")
    answer = told.allocation
    values = {
        "commanded": _numbers(told.commanded),
        "achieved": _numbers(answer.wrench),
        "residual": _numbers(answer.residual),
        "binding": ", ".join(told.binding) or "none",
        "margin": _number(answer.margin, ""),
        "power": _number(answer.power, "W"),
        "power now": _number(told.power_now, "W"),
        "power mean": _number(told.power_mean, "W"),
        "energy": _number(told.energy, "J"),
        "duty": _numbers(told.duty),
        "firings": " ".join(map(str, told.firings.tolist())),
        "solve time": _number(told.solve_time * 1e6, "us"),
    }
    return Health(Level.OK, told.activity.value, values)


def _number(value: float, unit: str) -> str:
    return "unknown" if math.isnan(value) else f"{value:.4g} {unit}".strip()


def _numbers(values: Floats) -> str:
    return " ".join("unknown" if math.isnan(value) else f"{value:.3f}" for value in values.tolist())
