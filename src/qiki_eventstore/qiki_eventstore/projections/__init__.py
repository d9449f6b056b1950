"""What events mean: states that are folded over streams."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from qiki_eventstore.projections.agent_state import AGENT_STATE, AgentState
from qiki_eventstore.projections.alarms import ALARMS, Alarms
from qiki_eventstore.projections.bot_state import BOT_STATE, BotState
from qiki_eventstore.projections.command_ledger import COMMAND_LEDGER, CommandLedger
from qiki_eventstore.projections.docking_state import DOCKING_STATE, DockingState
from qiki_eventstore.projections.energy_ledger import ENERGY_LEDGER, EnergyLedger
from qiki_eventstore.projections.fold import Fold

PROJECTIONS: Final[Mapping[str, Fold[Any]]] = MappingProxyType(
    {
        projection.name: projection
        for projection in (BOT_STATE, AGENT_STATE, DOCKING_STATE, ALARMS, ENERGY_LEDGER, COMMAND_LEDGER)
    }
)
"""By name."""

__all__ = [
    "AGENT_STATE",
    "ALARMS",
    "BOT_STATE",
    "COMMAND_LEDGER",
    "DOCKING_STATE",
    "ENERGY_LEDGER",
    "PROJECTIONS",
    "AgentState",
    "Alarms",
    "BotState",
    "CommandLedger",
    "DockingState",
    "EnergyLedger",
    "Fold",
]
