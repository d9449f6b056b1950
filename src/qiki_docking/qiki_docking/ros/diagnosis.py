"""Health of docking and of its bridges, for the diagnostics."""

from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.exchange import BridgeStatus, DockState
from qiki_docking.phases import Phase
from qiki_node.health import Health, Level

_NONE = "no cycle yet"


def of_docking(state: DockState | None, remembered: str, trouble: str) -> Health:
    """Phase of docking.

    Args:
        remembered: source of the state before the start. trouble: of memory, keys or allocator; empty: none.
    """
    if state is None:
        return Health(Level.WARN, _NONE, {"remembered": remembered})
    values = {
        "phase": state.phase.value,
        "step": state.step,
        "partner": f"{state.partner}:{state.partner_port}" if state.partner else "none",
        "checks": ", ".join(state.checks) or "none",
        "tries": state.tries,
        "reason": state.text,
        "remembered": remembered,
        "partner_identity": state.partner_identity or "unverified",
        "trouble": trouble or "none",
    }
    if state.phase in (Phase.FAULT, Phase.EMERGENCY_RELEASE):
        return Health(Level.ERROR, f"{state.phase}: {state.text}", values)
    if not state.confirmed:
        return Health(Level.WARN, f"{state.phase}: not confirmed by the sensors yet", values)
    unfit = [f"port {offer.port}: {offer.reason}" for offer in state.offers if not offer.fit]
    if trouble or unfit:
        return Health(Level.WARN, "; ".join([*filter(None, [trouble]), *unfit]), values)
    return Health(Level.OK, state.phase.value, values)


def of_bridge(status: BridgeStatus | None) -> Health:
    """Edges and loads of the network of bridges."""
    if status is None:
        return Health(Level.WARN, _NONE)
    values = {
        "role": status.role.value,
        "source": status.source or "none",
        "depth": status.depth,
        "shed": ", ".join(status.shed) or "none",
        **{edge.name: f"{edge.state} {edge.fault}".strip() for edge in status.edges},
    }
    faults = [f"{edge.name}: {edge.fault}" for edge in status.edges if edge.fault or edge.state is EdgeState.FAULT]
    if faults:
        return Health(Level.ERROR, "; ".join(faults), values)
    if status.shed:
        return Health(Level.WARN, f"shed: {', '.join(status.shed)}", values)
    return Health(Level.OK, f"{len(status.edges)} bridges", values)
