"""Projections: states that are folded over streams."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from qiki_events.projections.bot_state import BOT_STATE, BotState
from qiki_events.projections.command_ledger import COMMAND_LEDGER, CommandLedger
from qiki_events.projections.docking import DOCKING, DockingState
from qiki_events.projections.energy_ledger import ENERGY_LEDGER, EnergyLedger
from qiki_events.projections.fold import Fold

PROJECTIONS: Final[Mapping[str, Fold[Any]]] = MappingProxyType(
    {projection.name: projection for projection in (BOT_STATE, ENERGY_LEDGER, COMMAND_LEDGER, DOCKING)}
)
"""By name."""

__all__ = [
    "BOT_STATE",
    "COMMAND_LEDGER",
    "DOCKING",
    "ENERGY_LEDGER",
    "PROJECTIONS",
    "BotState",
    "CommandLedger",
    "DockingState",
    "EnergyLedger",
    "Fold",
]
