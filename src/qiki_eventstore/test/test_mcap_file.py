"""Recordings as MCAP files: what any tool reads, what a torn file still gives, the pace of playing."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.stream_reader import MAGIC_SIZE

from qiki_eventstore.files import new_file
from qiki_eventstore.recording.definitions import DefinitionError, message_definition
from qiki_eventstore.recording.pacing import paced
from qiki_eventstore.recording.reading import read_samples
from qiki_eventstore.recording.recovery import repair
from qiki_eventstore.recording.sample import RecordingError, Sample
from qiki_eventstore.recording.summary import summarise
from qiki_eventstore.recording.writing import McapWriter

TOPICS = ("/alpha/odom", "/alpha/energy", "/clock")


def sample(number: int, topic: str = "/alpha/odom", data: bytes = b"\x00\x01\x00\x00abcd") -> Sample:
    return Sample(topic, f"qiki_msgs/msg/{topic.rsplit('/', 1)[-1].title()}", data, number * 1_000_000)


def write(path: Path, samples: list[Sample], *, finish: bool = True, flush_every: int = 10) -> None:
    with path.open("wb") as file:
        writer = McapWriter(file, lambda name: f"# {name}\nfloat64 x\n")
        for index, one in enumerate(samples):
            writer.write(one)
            if index % flush_every == flush_every - 1:
                writer.flush()
        if finish:
            writer.finish()


def test_standard_reader_finds_messages_channels_and_definitions(tmp_path: Path) -> None:
    samples = [sample(number, TOPICS[number % 3]) for number in range(100)]
    write(tmp_path / "a.mcap", samples)
    with (tmp_path / "a.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        messages = list(reader.iter_messages())
    assert [(channel.topic, message.data, message.log_time) for _, channel, message in messages] == [
        (one.topic, one.data, one.time) for one in samples
    ]
    schema, channel, _ = messages[0]
    assert schema is not None
    assert (schema.name, schema.encoding, channel.message_encoding) == ("qiki_msgs/msg/Odom", "ros2msg", "cdr")
    assert schema.data == b"# qiki_msgs/msg/Odom\nfloat64 x\n"


@given(
    st.lists(
        st.builds(
            Sample,
            st.sampled_from(TOPICS),
            st.sampled_from(["a/msg/B", "c/msg/D"]),
            st.binary(max_size=50),
            st.integers(0, 2**63 - 1),
        ),
        max_size=30,
    )
)
def test_what_was_written_is_read_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, samples: list[Sample]
) -> None:
    path = tmp_path_factory.mktemp("mcap") / "a.mcap"
    write(path, samples, flush_every=7)
    assert list(read_samples(path)) == samples
    summary = summarise(path)
    assert summary.finished
    assert sum(topic.count for topic in summary.topics.values()) == len(samples)
    assert summary.start == min((one.time for one in samples), default=None)
    assert summary.end == max((one.time for one in samples), default=None)


@pytest.mark.requirement("EVENT-12d")
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.floats(0.0, 1.0))
def test_a_file_cut_at_any_byte_is_repaired_up_to_its_last_whole_chunk(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[int], where: float
) -> None:
    folder = tmp_path_factory.mktemp("mcap")
    numbers = itertools.count()
    samples = [sample(next(numbers), data=os.urandom(40)) for size in chunks for _ in range(size)]
    whole, torn = folder / "whole.mcap", folder / "torn.mcap"
    with whole.open("wb") as file:
        writer = McapWriter(file, lambda name: f"# {name}\nfloat64 x\n")
        rest = iter(samples)
        for size in chunks:
            for one in itertools.islice(rest, size):
                writer.write(one)
            writer.flush()
        writer.finish()
    with whole.open("rb") as file:
        index = make_reader(file).get_summary()
    assert index is not None
    content = whole.read_bytes()
    cut = int(where * (len(content) - 1))
    torn.write_bytes(content[:cut])
    if cut < MAGIC_SIZE:
        with pytest.raises(RecordingError, match=r"torn\.mcap: not an MCAP file"):
            repair(torn)
        assert torn.read_bytes() == content[:cut]
        return
    ends = [one.chunk_start_offset + one.chunk_length for one in index.chunk_indexes]
    expected = samples[: sum(size for size, end in zip(chunks, ends, strict=True) if end <= cut)]
    assert list(read_samples(torn)) == expected
    assert not summarise(torn).finished
    assert repair(torn) == len(expected)
    assert summarise(torn).finished
    with torn.open("rb") as file:
        found = [message.data for _, _, message in make_reader(file, validate_crcs=True).iter_messages()]
    assert found == [one.data for one in expected]
    assert set(folder.iterdir()) == {whole, torn}


def test_zeros_after_the_last_chunk_are_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    write(path, [sample(number) for number in range(10)], finish=False)
    with path.open("ab") as file:
        file.write(bytes(5000))
    assert len(list(read_samples(path))) == 10


def test_flipped_byte_in_a_chunk_is_an_error_not_a_wrong_message(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    # Random, so that the compressor keeps it as it is and only the checksum can tell.
    write(path, [sample(number, data=os.urandom(1000)) for number in range(100)], flush_every=1000)
    content = bytearray(path.read_bytes())
    content[50_000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"a\.mcap: damaged"):
        list(read_samples(path))


def test_other_files_are_no_recordings(tmp_path: Path) -> None:
    for content in (b"", b"abc", b"not an MCAP file at all"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(RecordingError, match="not an MCAP file"):
            list(read_samples(tmp_path / "x"))


def test_reading_by_time_and_topic(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", [sample(number, TOPICS[number % 3]) for number in range(30)])
    found = list(read_samples(tmp_path / "a.mcap", start=3_000_000, end=9_000_000, topics=["/clock"]))
    assert [one.time for one in found] == [5_000_000, 8_000_000]


def test_unknown_type_is_recorded_without_definition(tmp_path: Path) -> None:
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = McapWriter(file, lambda _name: None)
        writer.write(sample(1))
        writer.finish()
    assert list(read_samples(tmp_path / "a.mcap")) == [sample(1)]


def test_new_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail() -> None:
        with new_file(tmp_path / "a") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


# Definitions --------------------------------------------------------------------------------------------------------


def install(prefix: Path, name: str, text: str) -> None:
    package, short = name.split("/")
    folder = prefix / "share" / package / "msg"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{short}.msg").write_text(text)


def test_definition_holds_every_type_once(tmp_path: Path) -> None:
    install(
        tmp_path, "a/Top", "# top\nuint8 MODE=1\nLeaf[<=3] leaves\nb/Other other # a/Ghost ghost\nstring<=10 name\n"
    )
    install(tmp_path, "a/Leaf", "float64[9] x 1.0\nb/Other other\n")
    install(tmp_path, "b/Other", "int32 OTHER=3\nbool flag true\n")
    text = message_definition("a/msg/Top", [tmp_path / "elsewhere", tmp_path])
    parts = text.split("=" * 80 + "\n")
    assert [part.splitlines()[0] for part in parts] == ["# top", "MSG: a/Leaf", "MSG: b/Other"]
    assert "bool flag true" in parts[2]


def test_feedback_of_an_action_has_a_definition(tmp_path: Path) -> None:
    folder = tmp_path / "share" / "a" / "action"
    folder.mkdir(parents=True)
    (folder / "Fly.action").write_text("int32 goal\n---\nint32 result\n---\n# how far\nb/Other other\n")
    install(tmp_path, "b/Other", "int32 x\n")
    install(tmp_path, "unique_identifier_msgs/UUID", "uint8[16] uuid\n")
    parts = message_definition("a/action/Fly_FeedbackMessage", [tmp_path]).split("=" * 80 + "\n")
    assert parts[0].splitlines() == ["unique_identifier_msgs/UUID goal_id", "a/action/Fly_Feedback feedback"]
    names = [part.splitlines()[0] for part in parts[1:]]
    assert names == ["MSG: unique_identifier_msgs/UUID", "MSG: a/action/Fly_Feedback", "MSG: b/Other"]
    assert "result" not in "".join(parts)


def test_missing_definition_names_the_file(tmp_path: Path) -> None:
    install(tmp_path, "a/Top", "b/Other other\n")
    with pytest.raises(DefinitionError, match=r"b/msg/Other: no share/b/msg/Other\.msg"):
        message_definition("a/msg/Top", [tmp_path])
    with pytest.raises(DefinitionError, match=r"Top_Feedback: no share/a/action"):
        message_definition("a/action/Top_Feedback", [tmp_path])


# Playing ------------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that only sleeping moves, and each look at it by a little."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        self.time += 1e-5
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0.0
        self.time += seconds + 1e-4


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0])
def test_pace_does_not_drift(speed: float) -> None:
    clock = Clock()
    samples = [sample(10 * number) for number in range(1000)]
    times = []
    for _ in paced(samples, speed, clock.now, clock.sleep):
        times.append(clock.time)
    for index, time in enumerate(times):
        assert time - times[0] == pytest.approx(index * 0.01 / speed, abs=5e-4)


def test_time_that_jumps_back_begins_anew() -> None:
    clock = Clock()
    samples = [sample(number) for number in (1000, 1500, 0, 500)]
    times = [clock.time for _ in paced(samples, 1.0, clock.now, clock.sleep)]
    assert [later - times[0] for later in times] == pytest.approx([0.0, 0.5, 0.5, 1.0], abs=1e-2)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"speed = .*allowed: more than 0"):
        paced([], speed)
