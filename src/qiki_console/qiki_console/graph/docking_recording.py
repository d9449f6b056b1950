"""Motion of a docking, from recordings of its topic."""

import os
import struct
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Final

from mcap.exceptions import EndOfFile, McapError
from mcap.reader import NonSeekingReader, make_reader
from mcap.writer import MCAP0_MAGIC
from rclpy.serialization import deserialize_message

from qiki_console.model.dock_report import Sample
from qiki_msgs.msg import DockingState
from qiki_node.errors import CommandError
from qiki_node.stamps import seconds

_OVER: Final = frozenset({DockingState.BRIDGE, DockingState.FREE})
"""Phases in which there is no motion of a docking any more, though its id stays."""


def recorded_samples(place: Path, body: str, docking_id: str) -> list[Sample]:
    """Samples of one docking until it is bridged or given up, in the order of their stamps, from an MCAP file or from
    all below a folder. Of a file that is being written, or that kill -9 left, they are those of its whole chunks.

    Raises:
        CommandError: a file cannot be read.
    """
    files = [place] if place.is_file() else sorted(place.rglob("*.mcap"))
    states = [state for file in files for state in _states(file, body) if state.docking_id == docking_id]
    states.sort(key=lambda state: seconds(state.header.stamp))
    flown = takewhile(lambda state: state.phase not in _OVER, states)
    samples = (Sample(seconds(one.header.stamp), one.range, one.closing, one.lateral_offset) for one in flown)
    return list({sample.time: sample for sample in samples}.values())


def _states(file: Path, body: str) -> Iterator[DockingState]:
    try:
        with file.open("rb") as stream:
            for message in _messages(stream, f"/{body}/docking"):
                yield deserialize_message(message.data, DockingState)
    except (McapError, OSError, ValueError, struct.error) as error:
        raise CommandError(f"recording {file}: cannot be read: {error}") from error


def _messages(stream: IO[bytes], topic: str) -> Iterator[Any]:
    """Messages of a topic; a file without its end, which has no index, is read up to its last whole chunk."""
    ended = os.fstat(stream.fileno()).st_size >= 2 * len(MCAP0_MAGIC)
    if ended:
        stream.seek(-len(MCAP0_MAGIC), os.SEEK_END)
        ended = stream.read() == MCAP0_MAGIC
        stream.seek(0)
    if ended:
        for _, _, message in make_reader(stream).iter_messages(topics=[topic]):
            yield message
        return
    try:
        for _, _, message in NonSeekingReader(stream).iter_messages(topics=[topic], log_time_order=False):
            yield message
    except (EndOfFile, struct.error):  # the second where the file ends inside of a number
        return
