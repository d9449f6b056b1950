"""The recorder's core: every message is counted, the queue is bounded, what was flushed survives kill -9."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_eventstore.recording.destination import destination_of, new_name
from qiki_eventstore.recording.reading import read_samples
from qiki_eventstore.recording.recorder import Counts, Recorder
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.sinks import FileSink

PATIENCE = 30.0
"""s, how long anything is waited for: generous, as tests must not depend on speed."""


def sample(number: int, topic: str = "/alpha/odom", size: int = 8) -> Sample:
    return Sample(topic, "nav_msgs/msg/Odometry", number.to_bytes(4, "big") + bytes(size), (number + 1) * 1_000_000)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "condition did not come true in time"
        time.sleep(0.005)


class FakeSink:
    """Keeps its samples; can be held up, can fail."""

    def __init__(self, *, fail_after: int | None = None) -> None:
        self.samples: list[Sample] = []
        self.flushed = 0
        self.closed = False
        self.abandoned = False
        self.room = False
        self.gate = threading.Event()
        self.gate.set()
        self._fail_after = fail_after

    def write(self, samples: Sequence[Sample]) -> None:
        assert self.gate.wait(PATIENCE)
        if self._fail_after is not None and len(self.samples) + len(samples) > self._fail_after:
            raise OSError(28, "No space left on device")
        self.samples.extend(samples)

    def flush(self) -> None:
        self.flushed = len(self.samples)

    def close(self) -> None:
        self.closed = True

    def abandon(self, reason: str) -> None:
        self.abandoned = bool(reason)

    def resume(self) -> bool:
        self._fail_after = None if self.room else self._fail_after
        return self.room


def test_every_message_is_written_in_order_and_counted() -> None:
    sink = FakeSink()
    recorder = Recorder(sink, flush_period=0.01)
    samples = [sample(number, f"/alpha/t{number % 3}") for number in range(300)]
    for one in samples:
        recorder.offer(one)
    recorder.close()
    recorder.close()
    assert sink.samples == samples
    assert sink.closed
    assert recorder.counts() == {f"/alpha/t{number}": Counts(received=100, stored=100) for number in range(3)}


def test_flushed_while_it_runs() -> None:
    sink = FakeSink()
    recorder = Recorder(sink, flush_period=0.01)
    recorder.offer(sample(1))
    wait_until(lambda: recorder.counts()["/alpha/odom"].stored == 1)
    recorder.close()


def test_full_queue_drops_the_newest_and_counts_them() -> None:
    sink = FakeSink()
    sink.gate.clear()
    recorder = Recorder(sink, capacity=10_000, flush_period=0.001)
    for number in range(100):
        recorder.offer(sample(number, size=796))
    counts = recorder.counts()["/alpha/odom"]
    assert counts.received == 100
    assert counts.stored == 0
    assert counts.dropped >= 70
    sink.gate.set()
    recorder.close()
    counts = recorder.counts()["/alpha/odom"]
    assert counts.waiting == 0
    assert counts.stored == len(sink.samples) == 100 - counts.dropped


def test_sample_larger_than_the_queue_is_dropped_not_waited_for() -> None:
    recorder = Recorder(FakeSink(), capacity=1000)
    recorder.offer(sample(1, size=2000))
    recorder.close()
    assert recorder.counts()["/alpha/odom"] == Counts(received=1, dropped=1)


def test_failing_destination_is_named_and_everything_after_it_counted() -> None:
    sink = FakeSink(fail_after=50)
    recorder = Recorder(sink, capacity=8000, flush_period=0.001)
    for number in range(30):
        recorder.offer(sample(number))
    wait_until(lambda: recorder.counts()["/alpha/odom"].stored == 30)
    for number in range(30, 100):
        recorder.offer(sample(number))
        time.sleep(0.0005)
    wait_until(lambda: bool(recorder.error))
    recorder.offer(sample(100))
    recorder.close()
    assert "No space left on device" in recorder.error
    assert sink.abandoned
    counts = recorder.counts()["/alpha/odom"]
    assert counts.waiting == 0
    assert counts.received == 101
    assert 30 <= counts.stored <= 50
    assert counts.stored == sink.flushed


def test_recording_goes_on_when_the_destination_takes_more() -> None:
    sink = FakeSink(fail_after=10)
    recorder = Recorder(sink, flush_period=0.001, retry_period=0.005)
    for number in range(20):
        recorder.offer(sample(number))
    wait_until(lambda: bool(recorder.error))
    sink.room = True
    wait_until(lambda: not recorder.error)
    recorder.offer(sample(20))
    recorder.close()
    counts = recorder.counts()["/alpha/odom"]
    assert sink.samples[-1] == sample(20)
    assert (counts.received, counts.waiting) == (21, 0)
    assert counts.dropped >= 10
    assert sink.closed


def test_a_message_without_a_time_is_dropped_and_counted() -> None:
    sink = FakeSink()
    recorder = Recorder(sink)
    recorder.offer(Sample("/a", "a/msg/B", b"", 0))
    recorder.close()
    assert (sink.samples, recorder.counts()["/a"]) == ([], Counts(received=1, dropped=1))


@pytest.mark.requirement("EVENT-12")
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 500)), max_size=60),
    st.integers(0, 20_000),
    st.none() | st.integers(0, 30),
)
def test_nothing_is_lost_uncounted(offers: list[tuple[str, int]], capacity: int, fail_after: int | None) -> None:
    sink = FakeSink(fail_after=fail_after)
    recorder = Recorder(sink, capacity=capacity, flush_period=0.0005)
    for number, (topic, size) in enumerate(offers):
        recorder.offer(sample(number, topic, size))
    recorder.close()
    counts = recorder.counts()
    assert all(one.waiting == 0 for one in counts.values())
    assert sum(one.received for one in counts.values()) == len(offers)
    assert sum(one.stored for one in counts.values()) == sink.flushed


# Destinations -------------------------------------------------------------------------------------------------------

KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from qiki_eventstore.recording.recorder import Recorder
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.sinks import FileSink

recorder = Recorder(FileSink(Path(sys.argv[1]), lambda name: "float64 x"), flush_period=0.02)
number = 1
while True:
    recorder.offer(Sample("/a", "a/msg/B", number.to_bytes(4, "big") * 50, number))
    number += 1
    if number % 100 == 0:
        print(recorder.counts()["/a"].stored, flush=True)
"""


@pytest.mark.requirement("EVENT-12")
def test_what_was_stored_survives_kill_9(tmp_path: Path) -> None:
    for round_number in range(5):
        path = tmp_path / f"{round_number}.mcap"
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        try:
            stored = last_figure(process, at_least=200 + 500 * round_number)
        finally:
            process.kill()
            rest, _ = process.communicate()
        stored = max([stored, *map(int, rest.split("\n")[:-1])])
        found = list(read_samples(path))
        assert len(found) >= stored
        assert [one.time for one in found] == list(range(1, len(found) + 1))


def last_figure(process: "subprocess.Popen[str]", at_least: int) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= at_least:
            return int(line)
    raise AssertionError("the recorder ended by itself")


FULL = """
import os, resource, signal, sys, time
from pathlib import Path
from qiki_eventstore.recording.recorder import Recorder
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.sinks import FileSink

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
recorder = Recorder(FileSink(Path(sys.argv[1]), lambda name: None), flush_period=0.005)
number = 1
while not recorder.error:
    recorder.offer(Sample("/a", "a/msg/B", os.urandom(500), number))
    number += 1
    time.sleep(0.0005)
recorder.offer(Sample("/a", "a/msg/B", b"late", number))
recorder.close()
counts = recorder.counts()["/a"]
print(counts.received, counts.stored, counts.dropped, counts.waiting, recorder.error)
"""


def test_disk_that_takes_no_more_ends_the_recording_and_leaves_what_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    command = [sys.executable, "-W", "error", "-c", FULL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    received, stored, dropped, waiting, *error = done.stdout.split()
    assert (int(received), int(waiting)) == (int(stored) + int(dropped), 0)
    assert "OSError:" in error
    assert int(stored) > 0
    assert int(dropped) > 0
    found = list(read_samples(path))
    assert len(found) >= int(stored)
    assert [one.time for one in found] == list(range(1, len(found) + 1))


def test_mcap_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        FileSink(tmp_path / "a.mcap", lambda _name: None)
    assert (tmp_path / "a.mcap").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "destination", ["", "mcap:", "mcap:///", "sqlite:///x.db", "tape:///x", "mcap://host/x.mcap", "/x.mcap"]
)
def test_bad_destination_is_refused(destination: str) -> None:
    with pytest.raises(ValueError, match=r"destination .*allowed: mcap:///relative/file\.mcap"):
        destination_of(destination)


def test_destinations_are_files_and_folders() -> None:
    assert destination_of("mcap:///flights/a%20b.mcap") == (Path("flights/a b.mcap"), False)
    assert destination_of("mcap:////data/recordings/") == (Path("/data/recordings"), True)
    assert new_name(datetime(2030, 1, 2, 3, 4, 5, 6, UTC)) == "recording_20300102T030405.000006Z"
