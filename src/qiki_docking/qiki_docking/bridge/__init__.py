"""Power bridges: the network of docked bodies, its flows and budgets, and the supervision of one edge."""

from qiki_docking.bridge.graph import BridgeGraph
from qiki_docking.bridge.network import chain_volts, most_power
from qiki_docking.bridge.supervisor import EdgeCommand, EdgeFault, EdgeReading, EdgeState, EdgeSupervisor
from qiki_docking.bridge.values import Body, Edge, Flow, Load, Refusal, Removal, Role, Verdict

__all__ = [
    "Body",
    "BridgeGraph",
    "Edge",
    "EdgeCommand",
    "EdgeFault",
    "EdgeReading",
    "EdgeState",
    "EdgeSupervisor",
    "Flow",
    "Load",
    "Refusal",
    "Removal",
    "Role",
    "Verdict",
    "chain_volts",
    "most_power",
]
