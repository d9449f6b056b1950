"""Recording of topics: a bounded queue, a thread that writes, and a count of every message.

Of each topic, always: received = stored + dropped + waiting. Nothing is lost without being counted.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from qiki_eventstore.recording.sample import Sample
from qiki_eventstore.recording.sinks import Sink


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages of a topic since the recorder began.

    Attributes:
        received: all that came.
        stored: durable: they survive kill -9 of the recorder.
        dropped: lost, as the queue was full, the destination failed, or it had no time.
    """

    received: int = 0
    stored: int = 0
    dropped: int = 0

    @property
    def waiting(self) -> int:
        """Queued, or written but not durable yet."""
        return self.received - self.stored - self.dropped


class Recorder:
    """Takes samples from any thread and writes them in one of its own.

    Args:
        sink: where they go; closed by `close`.
        capacity: bytes of messages that may wait.
        flush_period: s between two flushes: at most that much is lost by kill -9.
        retry_period: s between two attempts to go on after the sink has failed.
        clock: s, monotonic.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        capacity: int = 64 << 20,
        flush_period: float = 1.0,
        retry_period: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._capacity = capacity
        self._flush_period = flush_period
        self._retry_period = retry_period
        self._retry_at = 0.0
        self._clock = clock
        self._queue: deque[Sample] = deque()
        self._queued_bytes = 0
        self._counts: dict[str, Counts] = {}
        self._written: dict[str, int] = {}
        self._error = ""
        self._closing = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def error(self) -> str:
        """Reason why nothing is recorded at present; empty while all is well."""
        return self._error

    def counts(self) -> dict[str, Counts]:
        """Counts of each topic, by name."""
        with self._change:
            return dict(sorted(self._counts.items()))

    def offer(self, sample: Sample) -> None:
        """Take a sample if there is room; never waits for the disk."""
        with self._change:
            self._add(sample.topic, received=1)
            if self._error or self._closing or sample.time <= 0 or self._queued_bytes + _size(sample) > self._capacity:
                self._add(sample.topic, dropped=1)
            else:
                self._queue.append(sample)
                self._queued_bytes += _size(sample)
                if self._is_filling():
                    self._change.notify()

    def close(self) -> None:
        """Write waiting samples, finish the destination, end the thread. May be called twice."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        next_flush = self._clock() + self._flush_period
        closing = False
        while not closing:
            with self._change:
                # One wake-up per flush, not per sample.
                pause = max(0.0, next_flush - self._clock())
                self._change.wait_for(lambda: self._closing or self._is_filling(), pause)
                batch, closing = list(self._queue), self._closing
                self._queue.clear()
                self._queued_bytes = 0
            if self._error and not closing and self._clock() >= self._retry_at:
                self._resume()
            for count, run in enumerate(_runs(batch)):
                if count:  # the sink may end its file here: the messages in it are durable, whatever comes then
                    self._guarded(self._flush)
                self._write(run)
            if closing or self._clock() >= next_flush:
                self._guarded(self._flush)
                next_flush = self._clock() + self._flush_period
        self._close()

    def _is_filling(self) -> bool:
        return self._queued_bytes > self._capacity // 4

    def _write(self, samples: list[Sample]) -> None:
        for sample in samples:
            self._written[sample.topic] = self._written.get(sample.topic, 0) + 1
        self._guarded(lambda: self._sink.write(samples))

    def _flush(self) -> None:
        self._sink.flush()
        with self._change:
            for topic, count in self._written.items():
                self._add(topic, stored=count)
        self._written = {}

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run an action of the sink; while the sink has failed, drop the messages that it would have got."""
        if not self._error:
            try:
                action()
            except Exception as error:  # disk full, file too large, …: recording stops, the process goes on
                self._fail(error)
        if self._error:
            self._drop_written()

    def _fail(self, error: Exception) -> None:
        self._error = f"{type(error).__name__}: {error}"
        self._retry_at = self._clock() + self._retry_period
        self._sink.abandon(self._error)

    def _resume(self) -> None:
        if self._sink.resume():
            self._error = ""
        else:
            self._retry_at = self._clock() + self._retry_period

    def _close(self) -> None:
        try:
            self._sink.close()
        except Exception as error:
            self._fail(error)

    def _drop_written(self) -> None:
        with self._change:
            for topic, count in self._written.items():
                self._add(topic, dropped=count)
        self._written = {}

    def _add(self, topic: str, **more: int) -> None:
        counts = self._counts.get(topic, Counts())
        self._counts[topic] = replace(counts, **{name: getattr(counts, name) + count for name, count in more.items()})


_OVERHEAD: Final = 200
"""Bytes that a waiting sample takes beside its data."""


def _size(sample: Sample) -> int:
    return len(sample.data) + _OVERHEAD


def _runs(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """The samples in pieces within which time does not fall."""
    run: list[Sample] = []
    for sample in samples:
        if run and sample.time < run[-1].time:
            yield run
            run = []
        run.append(sample)
    if run:
        yield run
