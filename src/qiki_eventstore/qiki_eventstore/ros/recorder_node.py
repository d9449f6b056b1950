"""Records chosen topics, whatever their types, into MCAP files."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from qiki_eventstore.recording.definitions import DefinitionError, message_definition
from qiki_eventstore.recording.destination import destination_of, new_name
from qiki_eventstore.recording.folder_sink import FolderSink, Rolling
from qiki_eventstore.recording.notes import Note, Outcome
from qiki_eventstore.recording.recorder import Counts, Recorder
from qiki_eventstore.recording.retention import Limits
from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.sinks import FileSink, Sink
from qiki_eventstore.recording.tending import finish_recordings
from qiki_eventstore.ros.recorded_topics import RecordedTopics
from qiki_node.health import Health, Level
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, parameter
from qiki_node.run import run

_LOOK = 1.0
"""s between two looks for new topics and publishers."""


@dataclass(frozen=True)
class RecorderParameters(NodeParameters):
    destination: str = parameter(
        "",
        "mcap:////absolute/folder/ (each recording becomes a folder in it), or mcap:////absolute/file.mcap",
        read_only=True,
    )
    topics: list[str] = parameter(["*"], "names of topics to record; * stands for anything", read_only=True)
    exclude: list[str] = parameter(
        ["/rosout", "/parameter_events", "*/transition_event"], "names of topics to leave out", read_only=True
    )
    include_hidden_topics: bool = parameter(
        True, "record hidden topics too: feedback and status of actions, events of services", read_only=True
    )
    capacity: int = parameter(
        64 << 20, "messages that may wait for the disk", unit="B", minimum=1 << 16, maximum=1 << 32, read_only=True
    )
    flush_period: float = parameter(
        1.0, "time between two flushes: what kill -9 can lose", unit="s", minimum=0.05, maximum=60.0, read_only=True
    )
    depth: int = parameter(100, "depth of each subscription", minimum=1, maximum=10_000, read_only=True)
    max_file_duration: float = parameter(
        300.0,
        "steady time after which a file of a folder is closed and the next one begun; 0 for no bound",
        unit="s",
        minimum=0.0,
        maximum=86_400.0,
        read_only=True,
    )
    max_file_size: int = parameter(
        512 << 20,
        "size at which a file of a folder is closed and the next one begun; 0 for no bound",
        unit="B",
        minimum=0,
        maximum=1 << 40,
        read_only=True,
    )
    max_files: int = parameter(
        0,
        "files in the folder beyond which the oldest are removed; 0 for no bound",
        minimum=0,
        maximum=1_000_000,
        read_only=True,
    )
    max_bytes: int = parameter(
        0,
        "size of all files in the folder beyond which the oldest are removed; 0 for no bound",
        unit="B",
        minimum=0,
        maximum=1 << 50,
        read_only=True,
    )
    max_age: float = parameter(
        0.0,
        "time since the end of a file after which it is removed; 0 for no bound",
        unit="s",
        minimum=0.0,
        maximum=1e9,
        read_only=True,
    )


class RecorderNode(QikiNode[RecorderParameters]):
    """The node `recorder`. While it is active, it records; each activation begins a new recording."""

    def __init__(self) -> None:
        super().__init__("recorder", RecorderParameters)
        self._recorder: Recorder | None = None
        self._topics = RecordedTopics(self, self.params.depth, self._take, self._not_recorded)
        self._path = Path()
        self._late_before = 0
        self.outcomes: Counter[Outcome] = Counter()
        self._damaged: dict[Path, str] = {}
        self.add_diagnostic("recording", self._health)
        self.registry.register(_Metrics(self))

    def on_configure_node(self) -> None:
        self.add_timer(_LOOK, self._look, steady=True)

    def on_activate_node(self) -> None:
        self._damaged.clear()
        self._late_before = self.late_messages.dropped
        self._recorder = Recorder(self._open(), capacity=self.params.capacity, flush_period=self.params.flush_period)
        self.activated.callback(self._end_recording)
        self.log.info("recording", path=str(self._path))
        self._look()

    def _end_recording(self) -> None:
        if self._recorder is not None:
            # The last file asks the topics which publishers came late.
            self._recorder.close()
            total = _total(self._recorder.counts())
            self.log.info("recording ended", error=self._recorder.error or "none", **asdict(total))
        self._topics.close()

    def counts(self) -> dict[str, Counts]:
        """Counts of the present or last recording, by topic."""
        return {} if self._recorder is None else self._recorder.counts()

    def _open(self) -> Sink:
        params = self.params
        path, is_folder = destination_of(params.destination)
        path = path.absolute()  # events and diagnostics are read elsewhere
        if not is_folder:
            self._path = path
            return FileSink(path, self._define, self._topics.offer_of, self._note)
        self._path = path / new_name()
        sink = FolderSink(
            self._path,
            self._define,
            self._topics.offer_of,
            rolling=Rolling(params.max_file_duration, params.max_file_size),
            limits=Limits(params.max_files, params.max_bytes, params.max_age),
            notify=self._note,
        )
        # Files can be large, and the executor must turn.
        threading.Thread(target=finish_recordings, args=(path, self._note), name="finishing", daemon=True).start()
        return sink

    def _note(self, note: Note) -> None:
        """Take what has happened to a file, in any thread."""
        self.outcomes[note.outcome] += 1
        log = self.log.info
        if note.outcome in (Outcome.ABANDONED, Outcome.LOST, Outcome.STUCK, Outcome.DAMAGED):
            log = self.log.warning
            self._damaged[note.path] = note.detail or note.outcome
        log(f"file {note.outcome}", path=str(note.path), detail=note.detail)
        path, file = str(note.path), note.file
        if note.outcome is Outcome.BEGUN and file:
            self.events.emit("recording.started", {"path": path, "epoch": file.epoch})
        elif note.outcome in (Outcome.CLOSED, Outcome.RECOVERED) and file:
            facts = {"epoch": file.epoch, "messages": file.messages, "start": file.start, "end": file.end}
            self.events.emit("recording.closed", {"path": path, **facts})
        elif note.outcome in (Outcome.ABANDONED, Outcome.LOST):
            self.events.emit("recording.failed", {"path": path, "reason": note.detail})

    def _define(self, type_name: str) -> str | None:
        prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
        try:
            return message_definition(type_name, prefixes)
        except DefinitionError as error:
            self.log.warning("recorded without its definition", type=type_name, reason=str(error))
            return None

    # Topics ---------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        # Nothing has a time before the clock runs. Latched messages come all the same: with the subscription.
        if self.clock_runs:
            self._topics.look(self._is_wanted)

    def _is_wanted(self, topic: str) -> bool:
        params = self.params
        if not params.include_hidden_topics and any(part.startswith("_") for part in topic.split("/")):
            return False
        return any(fnmatchcase(topic, pattern) for pattern in params.topics) and not any(
            fnmatchcase(topic, pattern) for pattern in params.exclude
        )

    def _take(self, topic: str, type_name: str, data: bytes) -> None:
        if self._recorder is not None:
            # At the moment of a reset the clock shows 0, which stands for no time.
            now = max(self.get_clock().now().nanoseconds, 1)
            self._recorder.offer(Sample(topic, type_name, data, now))

    def _not_recorded(self, topic: str, type_name: str, reason: str) -> None:
        self.log.warning("not recorded", topic=topic, type=type_name, reason=reason)

    # How it is ------------------------------------------------------------------------------------------------------

    def _health(self) -> Health:
        if self._recorder is None:
            return Health(Level.OK, "not recording")
        total = _total(self._recorder.counts())
        left_out = [f"{topic} ({', '.join(sorted(types))})" for topic, types in sorted(self._topics.unrecorded.items())]
        damaged = dict(self._damaged)
        not_taken = self.late_messages.dropped - self._late_before
        values = {
            "path": self._path,
            "topics": len(self._topics),
            "not_recorded": ", ".join(left_out),
            "mixed_quality_of_service": ", ".join(self._topics.mixed),
            **asdict(total),
            "not_taken": not_taken,
            **{f"files_{outcome}": self.outcomes[outcome] for outcome in Outcome},
        }
        if self._recorder.error:
            reason = f"nothing is recorded: {self._recorder.error}"
            return Health(Level.ERROR, reason, values, unready=reason)
        if total.dropped or not_taken:
            return Health(Level.WARN, f"{total.dropped + not_taken} messages were dropped", values)
        if left_out:
            return Health(Level.WARN, f"not recorded: {', '.join(left_out)}", values)
        if damaged:
            path, reason = next(iter(damaged.items()))
            return Health(Level.WARN, f"{path}: {reason}", values)
        return Health(Level.OK, f"{total.stored} messages recorded", values)


class _Metrics(Collector):
    def __init__(self, node: RecorderNode) -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        counts = {topic: asdict(count) for topic, count in self._node.counts().items()}
        for name in ("received", "stored", "dropped"):
            family = CounterMetricFamily(
                f"qiki_recorder_messages_{name}", f"Messages {name} in this recording", labels=["topic"]
            )
            for topic, values in counts.items():
                family.add_metric([topic], values[name])
            yield family
        files = CounterMetricFamily("qiki_recorder_files", "Files by their outcome", labels=["outcome"])
        for outcome in Outcome:
            files.add_metric([outcome], self._node.outcomes[outcome])
        yield files


def _total(counts: dict[str, Counts]) -> Counts:
    values = [asdict(count) for count in counts.values()]
    return Counts(**{name: sum(value[name] for value in values) for name in asdict(Counts())})


def main() -> None:
    """Entry point."""
    run(RecorderNode)


if __name__ == "__main__":
    main()
