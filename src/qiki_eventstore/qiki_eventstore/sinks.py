"""Destinations of a recorder's samples: an MCAP file for topics of high rate, an event store for those of low rate."""

import base64
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from qiki_events.proto.recording_pb2 import RecordedSample
from qiki_eventstore.events import Event
from qiki_eventstore.files import sync_folder
from qiki_eventstore.mcap_file import McapWriter, Sample
from qiki_eventstore.opening import open_store
from qiki_eventstore.recorder import Sink
from qiki_eventstore.store import Delivery, EventStore

if TYPE_CHECKING:
    from qiki_eventstore.receipt import Receipt

SAMPLE_TYPE: Final = "recording.sample"


class McapSink:
    """A new MCAP file; what was flushed is readable after kill -9.

    Args:
        path: the file; an existing one is refused.
        define: as for `McapWriter`.

    Raises:
        FileExistsError: the file is there already.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, define: Callable[[str], str | None]) -> None:
        self._file = path.open("xb")
        sync_folder(path.parent)
        self._writer = McapWriter(self._file, define)

    def write(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            self._writer.write(sample)

    def flush(self) -> Mapping[str, int]:
        self._writer.flush()
        return {}

    def close(self) -> None:
        self._writer.finish()
        self._file.close()

    def abandon(self) -> None:
        # Closing writes what is buffered, which fails again; no index: it would list chunks that are not there.
        with contextlib.suppress(OSError):
            self._file.close()


class StoreSink:
    """Events `recording.sample` in the streams `recording/<topic>`, as telemetry: dropped, and counted, if the store
    has no room.

    Args:
        store: where to.
        owned: close the store at the end.
    """

    def __init__(self, store: EventStore, *, owned: bool = False) -> None:
        self._store, self._owned = store, owned
        self._waiting: list[tuple[str, int, Receipt]] = []

    def write(self, samples: Sequence[Sample]) -> None:
        of_topic: dict[str, list[Event]] = {}
        for sample in samples:
            of_topic.setdefault(sample.topic, []).append(sample_event(sample))
        for topic, events in of_topic.items():
            receipt = self._store.submit(stream_of(topic), events, delivery=Delivery.TELEMETRY)
            self._waiting.append((topic, len(events), receipt))

    def flush(self) -> Mapping[str, int]:
        lost: dict[str, int] = {}
        for topic, count, receipt in self._waiting:
            if not receipt.result():
                lost[topic] = lost.get(topic, 0) + count
        self._waiting.clear()
        return lost

    def close(self) -> None:
        if self._owned:
            self._store.close()

    def abandon(self) -> None:
        self.close()


class OutboxSink:
    """Events `recording.sample` through an outbox that keeps each until the event store has acknowledged it.

    A sample counts as stored when the outbox has taken it; the outbox has counts of its own.

    Args:
        emit: `emit(type, payload, stream=…, time=…)` of the outbox; empty if it has no room.
    """

    def __init__(self, emit: Callable[..., str]) -> None:
        self._emit = emit
        self._lost: dict[str, int] = {}

    def write(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            data = {
                "topic": sample.topic,
                "message_type": sample.type,
                "data": base64.b64encode(sample.data).decode(),
            }
            if not self._emit(SAMPLE_TYPE, data, stream=stream_of(sample.topic), time=sample.time):
                self._lost[sample.topic] = self._lost.get(sample.topic, 0) + 1

    def flush(self) -> Mapping[str, int]:
        lost, self._lost = self._lost, {}
        return lost

    def close(self) -> None:
        """The outbox is its node's to close."""

    def abandon(self) -> None:
        """As `close`."""


def open_sink(destination: str, define: Callable[[str], str | None], now: datetime | None = None) -> Sink:
    """The sink that a URL names.

    Args:
        destination: `mcap:///relative/file.mcap`, `mcap:////absolute/file.mcap`, the same with a folder and a `/` at
            the end (the file is then named after the time), or the URL of an event store.
        define: as for `McapWriter`.
        now: for the file's name; None: the present.

    Raises:
        ValueError: not such a URL.
        OSError: the file is there already, or cannot be written.
        EventStoreError: the store cannot be opened.
    """
    parts = urlsplit(destination)
    if parts.scheme in ("sqlite", "postgresql", "postgres"):
        return StoreSink(open_store(destination), owned=True)
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme != "mcap" or parts.netloc or not path:
        raise ValueError(
            f"destination {destination!r}: allowed: mcap:///relative/file.mcap, mcap:////absolute/file.mcap,"
            " mcap:////absolute/folder/, or the URL of an event store"
        )
    if not path.endswith("/"):
        return McapSink(Path(path), define)
    Path(path).mkdir(parents=True, exist_ok=True)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S.%fZ")
    return McapSink(Path(path) / f"recording_{stamp}.mcap", define)


def stream_of(topic: str) -> str:
    """Stream in which the samples of a topic are."""
    return f"recording/{topic.lstrip('/')}"


def sample_event(sample: Sample) -> Event:
    """A sample as an event; its event time is the sample's time."""
    data = RecordedSample(topic=sample.topic, message_type=sample.type, data=sample.data)
    return Event(SAMPLE_TYPE, data, time=sample.time, source="recorder")


def event_sample(payload: bytes, time: int) -> Sample:
    """The sample of a stored event, from its payload and event time."""
    data = RecordedSample.FromString(payload)
    return Sample(data.topic, data.message_type, data.data, time)
