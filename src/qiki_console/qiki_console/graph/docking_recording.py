"""Motion of a docking, from recordings of its topic."""

from itertools import takewhile
from pathlib import Path
from typing import Final

from qiki_console.graph.recorded import recorded
from qiki_console.model.dock_report import Sample
from qiki_msgs.msg import DockingState
from qiki_node.stamps import seconds

_OVER: Final = frozenset({DockingState.BRIDGE, DockingState.FREE})
"""Phases in which there is no motion of a docking any more, though its id stays."""


def recorded_samples(place: Path, body: str, docking_id: str) -> list[Sample]:
    """Samples of one docking until it is bridged or given up, in the order of their stamps, from an MCAP file or from
    all below a folder. Of a file that is being written, or that kill -9 left, they are those of its whole chunks.

    Raises:
        CommandError: a file cannot be read.
    """
    states = [one for one in recorded(place, f"/{body}/docking", DockingState) if one.docking_id == docking_id]
    states.sort(key=lambda state: seconds(state.header.stamp))
    flown = takewhile(lambda state: state.phase not in _OVER, states)
    samples = (Sample(seconds(one.header.stamp), one.range, one.closing, one.lateral_offset) for one in flown)
    return list({sample.time: sample for sample in samples}.values())
