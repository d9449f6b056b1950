"""Occurrences as log records with fields."""

from qiki_allocator.flight import occurrences
from qiki_allocator.flight.following import ORDERED
from qiki_allocator.flight.occurrences import Occurrence
from qiki_node.log import NodeLog

_WARNINGS = {
    occurrences.WRENCH_REFUSED,
    occurrences.REQUEST_REFUSED,
    occurrences.FAULT_DETECTED,
    occurrences.WATCHDOG_STOPPED,
}


def log_occurrence(log: NodeLog, occurrence: Occurrence, ahead: float = 0.0) -> None:
    """One record, whose text is the type without its subject: `gate changed`; `ahead`: s that ROS time is ahead."""
    data = occurrence.data
    ended = (
        occurrence.type == occurrences.ASSEMBLY_CHANGED and not data["lead"] and not data["reason"].endswith(ORDERED)
    )
    say = log.warning if occurrence.type in _WARNINGS or data.get("warning") or ended else log.info
    text = occurrence.type.rpartition(".")[2].replace("_", " ")
    say(text, stamp=round(occurrence.time + ahead, 6), **occurrence.data)
