"""rosbag2's `metadata.yaml`, version 9 (earlier ones are read), by which ROS 2's tools take a folder for one recording.

QIKI's own facts are in `custom_data`: a JSON text for each file under `qiki:<name>`, and the profiles of publishers
that came later under `qiki late publishers:<topic>`. Those of rosbag2 list finished files only, so that a file without
index does not keep its tools from the others.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from qiki_eventstore.recording.offers import Offer, as_values, of_values
from qiki_eventstore.recording.sample import RecordingError
from qiki_eventstore.recording.summary import Summary, TopicSummary

FILE: Final = "metadata.yaml"
RECORD: Final = "rosbag2"
"""Name of the metadata record of an MCAP file that holds the same about this file."""

_SERIALIZED: Final = "serialized_metadata"
_ROOT: Final = "rosbag2_bagfile_information"
_OWN: Final = "qiki:"
_LATE: Final = "qiki late publishers:"
_VERSION: Final = 9


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file of a recording.

    Attributes:
        name: in the folder of the recording.
        epoch: how often the recorder's ROS clock had jumped back before.
        start, end: earliest and latest time, ns of the recorder's ROS clock; None if it is empty, or not read.
        messages: 0 if it is not read; the catalogue holds those of finished files only.
        wall_start, wall_end: ns since 1970 of the computer's clock; None where not known.
        finished: it is closed and has its index.
        reason: why it could not be finished later, if that was tried.
    """

    name: str
    epoch: int = 0
    start: int | None = None
    end: int | None = None
    messages: int = 0
    wall_start: int | None = None
    wall_end: int | None = None
    finished: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Contents of a recording: its files in the order of recording, and the topics of the finished ones."""

    files: tuple[RecordedFile, ...] = ()
    topics: Mapping[str, TopicSummary] = field(default_factory=dict)

    def with_file(self, file: RecordedFile, contents: Summary | None = None) -> "Metadata":
        """The same with this file, in the place of an unfinished one of its name or at the end."""
        others = [one for one in self.files if one.name != file.name]
        place = next((n for n, one in enumerate(self.files) if one.name == file.name), len(others))
        topics = dict(self.topics)
        for topic, found in (contents.topics if contents else {}).items():
            topics[topic] = topics[topic].joined(found) if topic in topics else found
        return Metadata((*others[:place], file, *others[place:]), dict(sorted(topics.items())))

    def without(self, name: str, contents: Summary | None) -> "Metadata":
        """The same without this file, which has these contents (None if it was not finished)."""
        topics = dict(self.topics)
        for topic, gone in (contents.topics if contents else {}).items():
            if topic in topics:
                topics[topic] = replace(topics[topic], count=max(0, topics[topic].count - gone.count))
        return Metadata(tuple(one for one in self.files if one.name != name), topics)


def to_text(metadata: Metadata) -> str:
    """Text of a `metadata.yaml`."""
    text = yaml.dump({_ROOT: _values(metadata)}, Dumper=_DUMPER, sort_keys=False, width=1 << 20)
    return str(text)


def to_record(metadata: Metadata) -> dict[str, str]:
    """Contents of the metadata record of an MCAP file."""
    return {_SERIALIZED: str(yaml.dump(_values(metadata), Dumper=_DUMPER, sort_keys=False, width=1 << 20))}


def of_text(text: str, source: object) -> Metadata:
    """Metadata of the text of a `metadata.yaml`.

    Raises:
        RecordingError: it is none; names the source.
    """
    try:
        return _of_values(yaml.load(text, Loader=_LOADER)[_ROOT])
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(f"{source}: not the metadata of a recording: {type(error).__name__} {error}") from error


def of_record(record: Mapping[str, str] | None) -> RecordedFile | None:
    """QIKI's facts about a file, of its own metadata record; None if there are none."""
    try:
        values = yaml.load((record or {})[_SERIALIZED], Loader=_LOADER)
        return _of_values(values).files[0]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None


# The C versions, where PyYAML has them, are ten times as fast.
_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _values(metadata: Metadata) -> dict[str, Any]:
    finished = [one for one in metadata.files if one.finished]
    starts = [one.start for one in finished if one.start is not None]
    ends = [one.end for one in finished if one.end is not None]
    start, end = min(starts, default=0), max(ends, default=0)
    return {
        "version": _VERSION,
        "storage_identifier": "mcap",
        "duration": {"nanoseconds": end - start},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": sum(one.messages for one in finished),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": name,
                    "type": topic.type,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": as_values(topic.offer.profiles),
                    "type_description_hash": topic.offer.type_hash,
                },
                "message_count": topic.count,
            }
            for name, topic in metadata.topics.items()
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [one.name for one in finished],
        "files": [
            {
                "path": one.name,
                "starting_time": {"nanoseconds_since_epoch": one.start or 0},
                "duration": {"nanoseconds": (one.end or 0) - (one.start or 0)},
                "message_count": one.messages,
            }
            for one in finished
        ],
        "custom_data": {
            **{_OWN + one.name: json.dumps(asdict(one)) for one in metadata.files},
            **{
                _LATE + name: json.dumps(as_values(topic.late)) for name, topic in metadata.topics.items() if topic.late
            },
        },
        "ros_distro": os.environ.get("ROS_DISTRO", ""),
    }


def _of_values(values: Mapping[str, Any]) -> Metadata:
    custom: Mapping[str, str] = values.get("custom_data") or {}
    own = {
        key.removeprefix(_OWN): RecordedFile(**json.loads(text)) for key, text in custom.items() if key.startswith(_OWN)
    }
    for name in own:
        if name != Path(name).name:  # one that is removed must be in the folder itself
            raise ValueError(f"file {name!r}: allowed: a name without /")
    files = own or {one.name: one for one in _foreign_files(values)}
    topics = {}
    for one in values["topics_with_message_count"]:
        topic = one["topic_metadata"]
        offer = Offer(of_values(topic.get("offered_qos_profiles")), topic.get("type_description_hash", ""))
        name = str(topic["name"])
        late = of_values(json.loads(custom.get(_LATE + name, "[]")))
        topics[name] = TopicSummary(str(topic["type"]), int(one["message_count"]), offer, late)
    return Metadata(tuple(files.values()), dict(sorted(topics.items())))


def _foreign_files(values: Mapping[str, Any]) -> list[RecordedFile]:
    """Files of a recording that another program wrote."""
    facts = {one["path"]: one for one in values.get("files") or ()}
    found = []
    for path in values["relative_file_paths"]:
        fact = facts.get(path)
        if fact is None or not fact["message_count"]:
            found.append(RecordedFile(path, messages=0 if fact else values["message_count"]))
            continue
        start = int(fact["starting_time"]["nanoseconds_since_epoch"])
        end = start + int(fact["duration"]["nanoseconds"])
        found.append(RecordedFile(path, start=start, end=end, messages=int(fact["message_count"])))
    return found
