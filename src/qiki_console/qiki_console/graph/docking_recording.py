"""Motion of a docking, from recordings of its topic."""

from collections.abc import Iterator
from pathlib import Path

from mcap.exceptions import McapError
from mcap.reader import make_reader
from rclpy.serialization import deserialize_message

from qiki_console.model.dock_report import Sample
from qiki_msgs.msg import DockingState
from qiki_node.errors import CommandError
from qiki_node.stamps import seconds


def recorded_samples(place: Path, body: str, docking_id: str) -> list[Sample]:
    """Samples of one docking in the order of their stamps, from an MCAP file or from all below a folder.

    Raises:
        CommandError: a file cannot be read.
    """
    files = [place] if place.is_file() else sorted(place.rglob("*.mcap"))
    samples = {sample.time: sample for file in files for sample in _samples(file, body, docking_id)}
    return [samples[time] for time in sorted(samples)]


def _samples(file: Path, body: str, docking_id: str) -> Iterator[Sample]:
    try:
        with file.open("rb") as stream:
            for _, _, message in make_reader(stream).iter_messages(topics=[f"/{body}/docking"]):
                state = deserialize_message(message.data, DockingState)
                if state.docking_id == docking_id:
                    yield Sample(seconds(state.header.stamp), state.range, state.closing, state.lateral_offset)
    except (McapError, OSError, ValueError) as error:
        hint = f"qiki recordings recover {file.parent} finishes one that kill -9 left"
        raise CommandError(f"recording {file}: cannot be read: {error}", hint) from error
