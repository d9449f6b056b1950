"""Records chosen topics, whatever their types, into an MCAP file."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from rclpy.qos import QoSProfile

from qiki_eventstore.definitions import DefinitionError, message_definition
from qiki_eventstore.mcap_file import Sample
from qiki_eventstore.recorder import Counts, Recorder
from qiki_eventstore.sinks import open_sink
from qiki_node.health import Health, Level
from qiki_node.message_classes import UnknownTypeError, message_class
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, parameter
from qiki_node.qos import strictest
from qiki_node.run import run

if TYPE_CHECKING:
    from rclpy.subscription import Subscription

    from qiki_eventstore.recorder import Sink

_LOOK = 1.0
"""s between two looks for new topics."""


@dataclass(frozen=True)
class RecorderParameters(NodeParameters):
    destination: str = parameter(
        "",
        "mcap:////absolute/file.mcap, or mcap:////absolute/folder/ (named after the time)",
        read_only=True,
    )
    topics: list[str] = parameter(["*"], "names of topics to record; * stands for anything", read_only=True)
    exclude: list[str] = parameter(
        ["/rosout", "/parameter_events", "*/transition_event"], "names of topics to leave out", read_only=True
    )
    capacity: int = parameter(
        64 << 20, "messages that may wait for the disk", unit="B", minimum=1 << 16, maximum=1 << 32, read_only=True
    )
    flush_period: float = parameter(
        1.0, "time between two flushes: what kill -9 can lose", unit="s", minimum=0.05, maximum=60.0, read_only=True
    )
    depth: int = parameter(100, "depth of each subscription", minimum=1, maximum=10_000, read_only=True)


class RecorderNode(QikiNode[RecorderParameters]):
    """The node `recorder`. While it is active, it records; each activation begins a new recording."""

    def __init__(self) -> None:
        super().__init__("recorder", RecorderParameters)
        self._recorder: Recorder | None = None
        self._heard: dict[str, Subscription] = {}
        self._unknown: dict[str, str] = {}
        self.add_diagnostic("recording", self._health)
        self.registry.register(_Metrics(self))

    def on_configure_node(self) -> None:
        self.add_timer(_LOOK, self._look, steady=True)

    def on_activate_node(self) -> None:
        self._recorder = Recorder(
            self._open(),
            capacity=self.params.capacity,
            flush_period=self.params.flush_period,
        )
        self.activated.callback(self._end_recording)
        self.log.info("recording", destination=self.params.destination)
        self._look()

    def _end_recording(self) -> None:
        for subscription in self._heard.values():
            self.destroy_subscription(subscription)
        self._heard.clear()
        self._unknown.clear()
        if self._recorder is not None:
            self._recorder.close()
            total = _total(self._recorder.counts())
            self.log.info("recording ended", error=self._recorder.error or "none", **asdict(total))

    def counts(self) -> dict[str, Counts]:
        """Counts of the present or last recording, by topic."""
        return {} if self._recorder is None else self._recorder.counts()

    def _open(self) -> "Sink":
        return open_sink(self.params.destination, self._define)

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
        if not self.clock_runs:
            return
        for topic, types in self.get_topic_names_and_types():
            if topic not in self._heard and topic not in self._unknown and self._is_wanted(topic):
                self._subscribe(topic, types[0])

    def _is_wanted(self, topic: str) -> bool:
        params = self.params
        return any(fnmatchcase(topic, pattern) for pattern in params.topics) and not any(
            fnmatchcase(topic, pattern) for pattern in params.exclude
        )

    def _subscribe(self, topic: str, type_name: str) -> None:
        qos = self._qos(topic)
        if qos is None:
            return
        try:
            kind = message_class(type_name)
        except UnknownTypeError as error:
            self._unknown[topic] = type_name
            self.log.warning("not recorded: type is not installed", topic=topic, type=type_name, reason=str(error))
            return

        def take(data: bytes) -> None:
            now = self.get_clock().now().nanoseconds
            # At the moment of a reset the clock shows 0, which is no time.
            if self._recorder is not None and now > 0:
                self._recorder.offer(Sample(topic, type_name, data, now))

        self._heard[topic] = self.create_subscription(kind, topic, take, qos, raw=True)

    def _qos(self, topic: str) -> QoSProfile | None:
        """The strictest that all its publishers can serve; None while there is none."""
        offered = [info.qos_profile for info in self.get_publishers_info_by_topic(topic)]
        if not offered:
            return None
        return strictest(offered, self.params.depth)

    # How it is ------------------------------------------------------------------------------------------------------

    def _health(self) -> Health:
        if self._recorder is None:
            return Health(Level.OK, "not recording")
        total = _total(self._recorder.counts())
        values = {"topics": len(self._heard), "unknown_types": ", ".join(self._unknown.values()), **asdict(total)}
        if self._recorder.error:
            reason = f"nothing is recorded any more: {self._recorder.error}"
            return Health(Level.ERROR, reason, values, unready=reason)
        if total.dropped:
            return Health(Level.WARN, f"{total.dropped} messages were dropped", values)
        if self._unknown:
            return Health(Level.WARN, "topics of types that are not installed are not recorded", values)
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


def _total(counts: dict[str, Counts]) -> Counts:
    values = [asdict(count) for count in counts.values()]
    return Counts(**{name: sum(value[name] for value in values) for name in asdict(Counts())})


def main() -> None:
    """Entry point."""
    run(RecorderNode)


if __name__ == "__main__":
    main()
