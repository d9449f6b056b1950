"""Motion of a docking, and tracks, from recordings: finished ones, those under way, those that kill -9 left."""

import csv
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from mcap.writer import Writer
from rclpy.serialization import serialize_message

from qiki_console.graph.docking_recording import recorded_samples
from qiki_msgs.msg import DockingState, RadarTrack, RadarTracks
from qiki_node.errors import CommandError
from qiki_node.stamps import from_seconds

FLOWN = 150


def recording() -> bytes:
    """A docking of alpha, which is bridged then; of bravo one at the same time; in chunks of about ten messages."""
    file = BytesIO()
    writer = Writer(file, chunk_size=3000)
    writer.start()
    schema = writer.register_schema("qiki_msgs/msg/DockingState", "ros2msg", b"")
    topics = [writer.register_channel(f"/{body}/docking", "cdr", schema) for body in ("alpha", "bravo")]
    for step in range(FLOWN + 40):
        phase = DockingState.BRIDGE if step >= FLOWN else DockingState.APPROACH
        for number, topic in enumerate(topics):
            state = DockingState(docking_id=f"d{number}", phase=phase, range=float(FLOWN - step))
            state.header.stamp = from_seconds(10.0 + 0.25 * step)
            writer.add_message(topic, step, serialize_message(state), step)
    writer.finish()
    return file.getvalue()


CONTENT = recording()


def test_the_samples_are_those_of_the_docking_until_it_is_bridged(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("deep/a.mcap", "b.mcap"):  # the same times twice
        (tmp_path / name).write_bytes(CONTENT)
    found = recorded_samples(tmp_path, "alpha", "d0")
    assert [sample.time for sample in found] == [10.0 + 0.25 * step for step in range(FLOWN)]
    assert [sample.range for sample in found] == [float(FLOWN - step) for step in range(FLOWN)]
    assert recorded_samples(tmp_path, "alpha", "d1") == []


@given(st.integers(0, len(CONTENT) - 1))
def test_of_a_file_that_is_being_written_the_whole_chunks_are_read(tmp_path_factory, length: int) -> None:
    file = tmp_path_factory.getbasetemp() / "growing.mcap"
    file.write_bytes(CONTENT[:length])
    found = recorded_samples(file, "alpha", "d0")
    assert [sample.range for sample in found] == [float(FLOWN - step) for step in range(len(found))]
    assert len(found) == FLOWN or len(found) >= FLOWN * length / len(CONTENT) - 20


def test_tracks_of_a_recording_become_a_table(qiki: Callable[..., Result], tmp_path: Path) -> None:
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("qiki_msgs/msg/RadarTracks", "ros2msg", b"")
        topic = writer.register_channel("/alpha/tracks", "cdr", schema)
        for step in range(3):
            message = RadarTracks(tracks=[RadarTrack(id=f"alpha-{number}", range=60.0 + step) for number in (1, 2)])
            message.header.stamp = from_seconds(0.1 * step)
            writer.add_message(topic, step, serialize_message(message), step)
        writer.finish()
    result = qiki("tracks", "alpha", "--recording", str(tmp_path), "--csv", str(tmp_path / "a.csv"))
    assert (result.exit_code, result.stdout) == (0, f"6 rows in {tmp_path / 'a.csv'}\n"), result.output
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [(row["time_s"], row["track"], row["range_m"]) for row in rows[-2:]] == [
        ("0.200000000", "alpha-1", "62.0"), ("0.200000000", "alpha-2", "62.0")
    ]  # fmt: skip
    result = qiki("tracks", "bravo", "--recording", str(tmp_path), "--csv", "-")
    assert (result.exit_code, "no message of /bravo/tracks" in result.output) == (1, True)


def test_a_file_that_is_no_recording_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.mcap").write_text("these are no messages, but a text of some length")
    with pytest.raises(CommandError, match=r"notes\.mcap: cannot be read"):
        recorded_samples(tmp_path, "alpha", "d0")
