"""Recordings as folders: numbered files with an index, a catalogue that rosbag2 reads, epochs, a policy, recovery."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader

from qiki_eventstore.cli.recordings import recordings
from qiki_eventstore.cli.replay import replay
from qiki_eventstore.recording.echoes import Echoes
from qiki_eventstore.recording.folder import is_locked, load, recordings_in
from qiki_eventstore.recording.folder_sink import FolderSink, Rolling
from qiki_eventstore.recording.metadata import RecordedFile
from qiki_eventstore.recording.offers import INFINITE, Offer, QosProfile, as_values, of_text, of_values, to_text, widest
from qiki_eventstore.recording.playback import Recording
from qiki_eventstore.recording.reading import read_samples
from qiki_eventstore.recording.recorder import Recorder
from qiki_eventstore.recording.retention import Kept, Limits, surplus
from qiki_eventstore.recording.sample import RecordingError, Sample
from qiki_eventstore.recording.sinks import FileSink
from qiki_eventstore.recording.summary import summarise
from qiki_eventstore.recording.tending import finish_recordings

if TYPE_CHECKING:
    from qiki_eventstore.recording.notes import Note

SECOND = 10**9
BEST_EFFORT = QosProfile(reliability="best_effort")
LATCHED = QosProfile(history="keep_last", depth=1, durability="transient_local", deadline=1_500_000_000)


def sample(seconds: float, topic: str = "/alpha/odom") -> Sample:
    return Sample(topic, "nav_msgs/msg/Odometry", b"\x00\x01\x00\x00abcd", round(seconds * SECOND))


class Machine:
    """Clocks of a recorder, set by hand, and its notes."""

    def __init__(self) -> None:
        self.steady = 0.0
        self.wall = 1_700_000_000 * SECOND
        self.notes: list[Note] = []

    def sink(self, folder: Path, rolling: Rolling = Rolling(), limits: Limits = Limits()) -> FolderSink:  # noqa: B008
        return FolderSink(
            folder,
            lambda name: f"# {name}\nfloat64 x\n",
            lambda _topic: Offer((BEST_EFFORT, LATCHED), "RIHS01_00"),
            rolling=rolling,
            limits=limits,
            notify=self.notes.append,
            wall=lambda: self.wall,
            steady=lambda: self.steady,
        )

    def wait(self, seconds: float) -> None:
        self.steady += seconds
        self.wall += round(seconds * SECOND)

    def outcomes(self) -> dict[str, int]:
        return dict(Counter(note.outcome for note in self.notes))


@pytest.fixture
def machine() -> Machine:
    return Machine()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(recordings, [str(argument) for argument in arguments])


# Files --------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-12b")
def test_files_are_closed_by_steady_time_and_by_size(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r", Rolling(10.0, 2000))
    for number in range(3):
        sink.write([sample(100 + number)])
        sink.flush()
        machine.wait(6.0)
    assert [(one.finished, one.messages) for one in load(tmp_path / "r").files] == [(True, 3)]
    sink.write([sample(150.0)])
    machine.wait(20.0)
    sink.flush()  # no more messages have come: the file is closed all the same
    assert [one.messages for one in load(tmp_path / "r").files] == [3, 1]
    sink.write([sample(200.0, f"/a{number}") for number in range(60)])
    sink.flush()
    sink.write([sample(201.0)])
    sink.close()
    files = load(tmp_path / "r").files
    assert [one.name for one in files] == [f"r_{number}.mcap" for number in range(len(files))]
    assert sum(one.messages for one in files) == 65
    assert files[-1].messages == 1, "the file before was too large"
    for one in files:
        with (tmp_path / "r" / one.name).open("rb") as file:
            index = make_reader(file).get_summary()
        assert index is not None
        assert index.statistics is not None
        assert (index.statistics.message_start_time, index.statistics.message_end_time) == (one.start, one.end)


@pytest.mark.requirement("EVENT-12b")
@given(st.lists(st.integers(1, 20), min_size=1, max_size=40))
def test_each_jump_back_begins_an_epoch_and_all_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, times: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("recordings") / "r"
    recorder = Recorder(Machine().sink(folder), flush_period=10.0)
    samples = [sample(time) for time in times]
    for one in samples:
        recorder.offer(one)
    recorder.close()
    recording = Recording.open(folder)
    jumps = sum(later < earlier for earlier, later in pairwise(times))
    assert recording.epochs == list(range(jumps + 1))
    assert list(recording.read()) == samples
    assert recorder.counts()["/alpha/odom"].stored == len(samples)
    for epoch in recording.epochs:
        part = [one.time for one in recording.read(epoch=epoch)]
        assert part == sorted(part)
    chosen = [one for one in samples if 5 * SECOND <= one.time < 15 * SECOND]
    assert list(recording.read(start=5 * SECOND, end=15 * SECOND)) == chosen


def test_two_clocks_at_once_do_not_fill_the_folder_with_files(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    samples = [sample(100.0 + 50.0 * (number % 2) + number * 1e-3) for number in range(400)]
    sink.write(samples)
    sink.close()
    recording = Recording.open(tmp_path / "r")
    assert len(recording.files) <= 31
    assert list(recording.read()) == samples


@pytest.mark.requirement("EVENT-12b")
def test_only_the_chunks_that_are_wanted_are_read(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    for number in range(50):
        sink.write([sample(100 + number), sample(100 + number, f"/topic{number // 10}")])
        sink.flush()
    sink.close()
    path = tmp_path / "r" / "r_0.mcap"
    content = bytearray(path.read_bytes())
    with path.open("rb") as file:
        index = make_reader(file).get_summary()
    assert index is not None
    unwanted = [one for one in index.chunk_indexes if one.message_end_time < 130 * SECOND]
    assert len(unwanted) == 30
    for one in unwanted:
        content[one.chunk_start_offset : one.chunk_start_offset + one.chunk_length] = bytes(one.chunk_length)
    path.write_bytes(content)
    assert [one.time for one in read_samples(path, topics=["/topic3"])] == [n * SECOND for n in range(130, 140)]
    assert len(list(read_samples(path, start=130 * SECOND))) == 40
    with pytest.raises(RecordingError, match=r"r_0\.mcap: damaged"):
        list(read_samples(path, start=129 * SECOND))


def test_a_garbled_index_is_not_believed(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    sink.write([sample(100.0), sample(101.0)])
    sink.close()
    path = tmp_path / "r" / "r_0.mcap"
    content = bytearray(path.read_bytes())
    content[-60] ^= 0xFF
    path.write_bytes(content)
    assert not summarise(path).finished
    assert len(list(read_samples(path, start=0))) == 2


# rosbag2's metadata -------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-12c")
def test_metadata_is_that_of_rosbag2(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    sink.write([sample(100.5), sample(103.0, "/clock"), sample(50.0)])
    sink.close()
    found = yaml.safe_load((tmp_path / "r" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (found["version"], found["storage_identifier"], found["message_count"]) == (9, "mcap", 3)
    assert found["starting_time"] == {"nanoseconds_since_epoch": 50 * SECOND}
    assert found["duration"] == {"nanoseconds": 53 * SECOND}
    assert found["relative_file_paths"] == ["r_0.mcap", "r_1.mcap"]
    assert found["files"][0] == {
        "path": "r_0.mcap",
        "starting_time": {"nanoseconds_since_epoch": 100_500_000_000},
        "duration": {"nanoseconds": 2_500_000_000},
        "message_count": 2,
    }
    topic = found["topics_with_message_count"][0]
    assert topic["message_count"] == 2
    assert topic["topic_metadata"]["type_description_hash"] == "RIHS01_00"
    assert topic["topic_metadata"]["offered_qos_profiles"] == as_values((BEST_EFFORT, LATCHED))
    assert all(isinstance(value, str) for value in found["custom_data"].values())
    with (tmp_path / "r" / "r_1.mcap").open("rb") as file:
        reader = make_reader(file)
        index = reader.get_summary()
        assert [one.name for one in reader.iter_metadata()] == ["rosbag2", "rosbag2"]
    assert index is not None
    assert of_text(next(iter(index.channels.values())).metadata["offered_qos_profiles"]) == (BEST_EFFORT, LATCHED)


@pytest.mark.requirement("EVENT-12c")
def test_profiles_are_read_in_all_of_their_forms() -> None:
    profiles = (BEST_EFFORT, LATCHED, QosProfile(lifespan=0))
    assert of_text(to_text(profiles)) == profiles
    assert as_values((LATCHED,))[0]["deadline"] == {"sec": 1, "nsec": 500_000_000}
    assert as_values((LATCHED,))[0]["lifespan"] == {"sec": 9223372036, "nsec": 854775807}
    numbers = {**as_values((LATCHED,))[0], "history": 1, "reliability": 1, "durability": 1, "liveliness": 1}
    assert of_values(yaml.safe_dump([numbers])) == (LATCHED,)
    foxy = {**as_values((BEST_EFFORT,))[0], "deadline": {"sec": 2147483647, "nsec": 4294967295}}
    assert of_values([{**foxy, "lifespan": {"sec": 2**63 - 1, "nsec": 0}}])[0].lifespan == INFINITE
    assert of_text("nonsense: [") == ()


def test_the_widest_profile_is_heard_by_every_subscription() -> None:
    assert widest([BEST_EFFORT, LATCHED]) == QosProfile(durability="transient_local")
    assert widest([BEST_EFFORT]) == BEST_EFFORT
    assert widest([]) == QosProfile(durability="transient_local")


def test_a_recording_of_rosbag2_is_read(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    sink.write([sample(100.0)])
    sink.close()
    path = tmp_path / "r" / "metadata.yaml"
    found = yaml.safe_load(path.read_text())
    del found["rosbag2_bagfile_information"]["custom_data"]
    path.write_text(yaml.safe_dump(found))
    contents = load(tmp_path / "r")
    assert contents.files == (RecordedFile("r_0.mcap", start=100 * SECOND, end=100 * SECOND, messages=1),)
    path.unlink()
    assert load(tmp_path / "r").files[0].wall_start == machine.wall, "the file itself has the facts"
    path.write_text("rosbag2_bagfile_information: 3")
    with pytest.raises(RecordingError, match=r"metadata\.yaml: not the metadata of a recording"):
        load(tmp_path / "r")


# Unfinished files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def killed(tmp_path: Path, machine: Machine) -> Iterator[Path]:
    """Recordings whose recorder was killed in its second file."""
    sink = machine.sink(tmp_path / "recordings" / "a")
    sink.write([sample(100.0), sample(101.0), sample(10.0)])
    sink.flush()
    with (tmp_path / "recordings" / "a" / "a_1.mcap").open("ab") as file:
        file.write(b"\x06\xff\xff\x00")  # the beginning of a chunk
    (tmp_path / "recordings" / "a" / "a_1.mcap.12-0.part").write_bytes(b"draft")
    assert is_locked(tmp_path / "recordings" / "a")
    sink._lock.release()  # as the kernel does
    yield tmp_path / "recordings"
    sink.abandon("")


@pytest.mark.requirement("EVENT-12d")
def test_the_next_recorder_finishes_what_the_one_before_could_not(killed: Path, machine: Machine) -> None:
    found = load(killed / "a")
    assert [(one.finished, one.epoch) for one in found.files] == [(True, 0), (False, 1)]
    assert [one.time for one in Recording.open(killed / "a").read()] == [100 * SECOND, 101 * SECOND, 10 * SECOND]
    assert "unfinished" in run("list", killed).output
    finish_recordings(killed, machine.notes.append)
    assert machine.outcomes() == {"begun": 2, "closed": 1, "recovered": 1}
    facts = load(killed / "a").files[1]
    assert (facts.finished, facts.epoch, facts.start, facts.messages) == (True, 1, 10 * SECOND, 1)
    assert facts.wall_start == machine.wall
    with (killed / "a" / "a_1.mcap").open("rb") as file:
        assert make_reader(file).get_summary() is not None
    assert not list((killed / "a").glob("*.part"))
    assert load(killed / "a").topics["/alpha/odom"].count == 3
    finish_recordings(killed, machine.notes.append)
    assert machine.outcomes() == {"begun": 2, "closed": 1, "recovered": 1}, "nothing is left to do"


@pytest.mark.requirement("EVENT-12d")
def test_a_file_that_cannot_be_finished_stays_and_the_reason_is_kept(killed: Path, machine: Machine) -> None:
    path = killed / "a" / "a_1.mcap"
    path.write_bytes(b"garbled")
    for _ in range(2):
        finish_recordings(killed, machine.notes.append)
    assert machine.outcomes() == {"begun": 2, "closed": 1, "damaged": 1}, "reported once"
    assert path.read_bytes() == b"garbled"
    assert load(killed / "a").files[1].reason.endswith("not an MCAP file")
    done = run("recover", killed / "a")
    assert (done.exit_code, "1 of 2 files are finished" in done.output) == (1, True)
    assert run("info", killed / "a").exit_code == 0


def test_a_recording_in_progress_is_left_alone(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "a")
    sink.write([sample(100.0)])
    sink.flush()
    before = (tmp_path / "a" / "a_0.mcap").read_bytes()
    finish_recordings(tmp_path, machine.notes.append)
    done = run("recover", tmp_path / "a")
    assert (done.exit_code, "a recorder is writing it" in done.output) == (2, True)
    assert "a  recording" in run("list", tmp_path).output
    assert (machine.outcomes(), (tmp_path / "a" / "a_0.mcap").read_bytes()) == ({"begun": 1}, before)
    sink.close()


# Policy -------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("EVENT-12e")
@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50), st.booleans()), max_size=20),
    st.integers(0, 10),
    st.integers(0, 300),
    st.integers(0, 60),
)
def test_the_oldest_go_as_far_as_needed_and_none_that_is_open(
    files: list[tuple[int, int, bool]], max_files: int, max_bytes: int, max_age: int
) -> None:
    kept = [
        Kept(Path("r"), RecordedFile(f"{number}", wall_start=begun, wall_end=begun * SECOND), size, is_open)
        for number, (begun, size, is_open) in enumerate(files)
    ]
    gone = surplus(kept, Limits(max_files, max_bytes, float(max_age)), 100 * SECOND)
    left = [one for one in kept if one not in gone]
    assert not any(one.is_open for one in gone)
    closed = [one for one in left if not one.is_open]
    assert not max_files or len(left) <= max_files or not closed
    assert not max_bytes or sum(one.size for one in left) <= max_bytes or not closed
    assert not max_age or all(100 - one.file.wall_start <= max_age for one in closed)  # type: ignore[operator]
    assert all(old.file.wall_start <= new.file.wall_start for old in gone for new in closed)  # type: ignore[operator]
    if not (max_files or max_bytes or max_age):
        assert not gone


@pytest.mark.requirement("EVENT-12e")
def test_the_policy_spans_recordings_and_keeps_their_catalogues_right(tmp_path: Path, machine: Machine) -> None:
    for name in ("a", "b"):
        sink = machine.sink(tmp_path / name, Rolling(10.0))
        for number in range(2):
            sink.write([sample(100 + number)])
            machine.wait(20.0)
            sink.flush()
        sink.close()
    (tmp_path / "foreign.mcap").write_bytes(b"precious")
    sink = machine.sink(tmp_path / "c", Rolling(10.0), Limits(max_files=2))
    assert not (tmp_path / "a").exists()
    assert [one.name for one in load(tmp_path / "b").files] == ["b_1.mcap"]
    assert load(tmp_path / "b").topics["/alpha/odom"].count == 1
    for number in range(3):
        sink.write([sample(200 + number)])
        machine.wait(20.0)
        sink.flush()
    sink.close()
    assert [one.name for one in load(tmp_path / "c").files] == ["c_1.mcap", "c_2.mcap"]
    assert [one.time for one in Recording.open(tmp_path / "c").read()] == [201 * SECOND, 202 * SECOND]
    assert (tmp_path / "foreign.mcap").read_bytes() == b"precious"
    assert machine.outcomes()["removed"] == 5


def test_recording_goes_on_in_a_new_file_when_there_is_room_again(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    sink.write([sample(100.0)])
    sink.flush()
    sink.abandon("disk full")
    assert sink.resume()
    sink.write([sample(103.0)])
    sink.close()
    assert [one.finished for one in load(tmp_path / "r").files] == [False, True]
    assert [one.time for one in Recording.open(tmp_path / "r").read()] == [100 * SECOND, 103 * SECOND]
    assert machine.outcomes() == {"begun": 2, "abandoned": 1, "closed": 1}
    assert machine.notes[1].detail == "disk full"


@pytest.mark.requirement("EVENT-12g")
def test_a_full_disk_stops_the_recording_until_there_is_room(small_disk: Path, machine: Machine) -> None:
    ballast = small_disk / "ballast"

    def fill() -> None:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    fill()
    recorder = Recorder(machine.sink(small_disk / "recordings" / "r"), flush_period=0.001, retry_period=0.01)
    times = count(100)
    sent = []

    def record_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30.0
        while not condition():
            assert time.monotonic() < deadline
            sent.append(sample(next(times)))
            recorder.offer(sent[-1])
            time.sleep(0.001)

    def stored() -> int:
        return recorder.counts()["/alpha/odom"].stored

    for _ in range(2):
        record_until(lambda: "No space left" in recorder.error or "no room" in recorder.error)
        ballast.unlink()
        record_until(lambda: not recorder.error)
        goal = stored() + 1
        record_until(lambda goal=goal: stored() >= goal)  # type: ignore[misc]
        fill()
    record_until(lambda: bool(recorder.error))
    ballast.unlink()
    recorder.close()
    found = list(Recording.open(small_disk / "recordings" / "r").read())
    counts = recorder.counts()["/alpha/odom"]
    assert (counts.received, counts.waiting) == (len(sent), 0)
    assert len(found) >= counts.stored, "what was counted as stored is there"
    assert [one for one in sent if one in found] == found
    assert machine.outcomes()["abandoned"] >= 3
    finish_recordings(small_disk / "recordings", machine.notes.append)
    assert all(one.finished for one in load(small_disk / "recordings" / "r").files)
    assert list(Recording.open(small_disk / "recordings" / "r").read()) == found


@pytest.mark.requirement("EVENT-12g")
@pytest.mark.parametrize("place", ["folder", "file", "parent"])
def test_recording_goes_on_when_its_files_are_moved(tmp_path: Path, machine: Machine, place: str) -> None:
    folder = tmp_path / "recordings" / "r"
    sink = machine.sink(folder, limits=Limits(max_files=100))
    sink.write([sample(100.0)])
    sink.flush()
    away = {"folder": folder, "file": folder / "r_0.mcap", "parent": folder.parent}[place]
    away.rename(tmp_path / "moved")
    sink.write([sample(101.0)])
    sink.flush()
    sink.write([sample(102.0)])
    sink.flush()
    sink.close()
    moved = next(iter(sorted((tmp_path / "moved").rglob("*.mcap"))), tmp_path / "moved")
    found = [one.time for path in (moved, folder / "r_1.mcap") for one in read_samples(path)]
    assert found == [100 * SECOND, 101 * SECOND, 102 * SECOND], "none is lost"
    assert machine.outcomes() == {"begun": 2, "lost": 1, "closed": 1}
    assert [one.name for one in load(folder).files] == ["r_1.mcap"]
    if place != "file":
        assert run("recover", moved.parent).exit_code == 0
        assert load(moved.parent).files[0].finished


@pytest.mark.requirement("EVENT-12g")
def test_a_place_taken_by_another_is_loud_and_left_alone(tmp_path: Path, machine: Machine) -> None:
    recorder = Recorder(machine.sink(tmp_path / "r"), flush_period=0.001, retry_period=0.01)
    (tmp_path / "r").rename(tmp_path / "moved")
    (tmp_path / "r").mkdir()
    seconds = count(100)

    def record_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30.0
        while not condition():
            assert time.monotonic() < deadline
            recorder.offer(sample(next(seconds)))
            time.sleep(0.001)

    record_until(lambda: "File exists" in recorder.error)
    assert list((tmp_path / "r").iterdir()) == []
    (tmp_path / "r").rmdir()
    record_until(lambda: not recorder.error)
    recorder.close()
    assert load(tmp_path / "r").files[0].finished


def test_a_single_file_that_is_removed_ends_its_recording(tmp_path: Path, machine: Machine) -> None:
    recorder = Recorder(FileSink(tmp_path / "a.mcap", str, notify=machine.notes.append), flush_period=0.001)
    (tmp_path / "a.mcap").unlink()
    deadline = time.monotonic() + 30.0
    while not recorder.error:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    recorder.close()
    assert recorder.error.endswith("a.mcap: it was removed while it was written")
    assert machine.outcomes() == {"begun": 1, "abandoned": 1}


@pytest.mark.requirement("EVENT-12e")
def test_two_recorders_in_one_folder_leave_each_other_alone(tmp_path: Path, machine: Machine) -> None:
    sinks = [machine.sink(tmp_path / name, Rolling(10.0), Limits(max_files=1)) for name in ("a", "b")]
    for number in range(6):
        sinks[number % 2].write([sample(100 + number)])
        machine.wait(6.0)
        for sink in sinks:
            sink.flush()
        finish_recordings(tmp_path, machine.notes.append)
        assert [path.name for path in recordings_in(tmp_path)] == ["a", "b"]
        assert all(is_locked(path) for path in recordings_in(tmp_path))
    for sink in sinks:
        sink.close()
    assert machine.outcomes().keys() == {"begun", "closed", "removed"}
    found = [one for path in recordings_in(tmp_path) for one in Recording.open(path).read()]
    assert found == [sample(105)]


# Copies -------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.sampled_from(["both", "weak"]), st.booleans()), max_size=40)
)
def test_each_message_is_recorded_once_whichever_way_it_comes_first(messages: list[tuple[bytes, str, bool]]) -> None:
    echoes = Echoes(256)
    recorded: Counter[bytes] = Counter()
    for number, (data, ways, weak_first) in enumerate(messages):
        subscriptions = [1] if ways == "weak" else [1, 0] if weak_first else [0, 1]
        for subscription in subscriptions:
            recorded[data] += echoes.is_new(subscription, data, number * 0.01)
    assert recorded == Counter(data for data, _, _ in messages)


def test_equal_messages_later_are_messages_of_their_own() -> None:
    echoes = Echoes(256)
    assert echoes.is_new(0, b"on", 0.0)
    assert echoes.is_new(1, b"on", 10.0), "not a copy of the one 10 s before"
    assert echoes.is_new(0, b"latched", 20.0)
    assert not echoes.is_new(2, b"latched", 500.0, latched=True), "the history of a publisher that was there before"


# Commands -----------------------------------------------------------------------------------------------------------


def test_recordings_are_listed_and_shown(tmp_path: Path, machine: Machine) -> None:
    sink = machine.sink(tmp_path / "r")
    sink.write([sample(100.0), sample(101.0, "/clock"), sample(5.0)])
    sink.close()
    listed = json.loads(run("list", tmp_path, "--json").output)
    assert (listed["state"], listed["files"], listed["epochs"], listed["messages"]) == ("finished", 2, 2, 3)
    assert (listed["start_ns"], listed["end_ns"]) == (5 * SECOND, 101 * SECOND)
    shown = json.loads(run("info", tmp_path / "r", "--json").output)
    assert [(one["epoch"], one["start_ns"]) for one in shown["parts"]] == [(0, 100 * SECOND), (1, 5 * SECOND)]
    assert [one["name"] for one in shown["topics"]] == ["/alpha/odom", "/clock"]
    text = run("info", tmp_path / "r").output
    assert "epoch 1  5.000 to 5.000  1 messages  r_1.mcap" in text
    assert "reliable, transient_local" in text
    assert "r_0.mcap  finished" in run("info", tmp_path / "r" / "r_0.mcap").output
    content = (tmp_path / "r" / "r_0.mcap").read_bytes()
    (tmp_path / "torn.mcap").write_bytes(content[: len(content) // 2])
    assert "torn.mcap  unfinished  100.000 to 101.000  2 messages" in run("info", tmp_path / "torn.mcap").output
    (tmp_path / "torn.mcap").unlink()
    backwards = CliRunner().invoke(replay, [str(tmp_path / "r"), "--from", "10", "--to", "5"])
    assert (backwards.exit_code, "allowed: the first before the second" in backwards.output) == (2, True)
    for wrong in (("list", tmp_path / "none"), ("info", tmp_path / "none"), ("recover", tmp_path / "r" / "r_0.mcap")):
        assert run(*wrong).exit_code == 2
    assert run("info", tmp_path).exit_code == 1
    with pytest.raises(RecordingError, match="a folder of them; allowed: one of r"):
        Recording.open(tmp_path)


@pytest.mark.requirement("EVENT-12d")
def test_a_folder_that_cannot_be_read_does_not_hide_the_others(
    killed: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (killed / "secret").mkdir(mode=0)
    for path in (killed.parent, *killed.parent.rglob("*")):
        path.chmod(0 if path.name == "secret" else 0o777)
    monkeypatch.chdir(killed.parent)
    user = os.geteuid()
    os.seteuid(user or 65534)  # root may read everything
    try:
        listed = run("list", "recordings")
        finish_recordings(Path("recordings"), machine.notes.append)
        machine.sink(Path("recordings") / "b", limits=Limits(max_files=5)).close()
    finally:
        os.seteuid(user)
    assert listed.exit_code == 1
    assert "a  unfinished" in listed.output
    assert "secret  [Errno 13] Permission denied" in listed.output
    assert machine.outcomes() == {"begun": 3, "closed": 2, "recovered": 1, "damaged": 1}
