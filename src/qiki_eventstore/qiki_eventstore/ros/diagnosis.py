"""Health and metrics of the store."""

import math
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qiki_eventstore.store import Stats
from qiki_node.health import Health, Level

_LONG_QUEUE = 10_000
"""Events that wait for the writer from which on the store counts as too slow."""
_GIB = 2**30

_GAUGES = {
    "events": "Events stored",
    "streams": "Streams",
    "head": "Position of the last event",
    "bytes": "Size on disk with logs",
    "queued": "Events that wait for the writer",
    "log_bytes": "Size of the log that is not in the database yet",
    "free_bytes": "Free space on the store's disk",
}
_COUNTERS = {
    "appended": "Events acknowledged",
    "commits": "Transactions",
    "conflicts": "Version conflicts",
    "duplicates": "Events that had been stored before",
    "dropped": "Telemetry events without room",
    "skipped": "Events that a projection could not take",
    "callback_errors": "Callbacks of receipts that raised",
}


def of_store(stats: Stats | None, lag: int, reserve: int, problem: str = "") -> Health:
    """Health by the newest counts.

    Args:
        stats: as they were read last.
        lag: events committed and not yet published.
        reserve: free bytes below which the store is read-only.
        problem: reason for which `stats` are outdated; empty if they are not.
    """
    if stats is None:
        reason = problem or "no store is open"
        return Health(Level.ERROR if problem else Level.WARN, reason, unready=reason)
    values = {
        "engine": stats.engine,
        "events": stats.events,
        "head": stats.head,
        "queued": stats.queued,
        "lag": lag,
        "bytes": stats.bytes,
        "log_bytes": stats.log_bytes,
        "free_bytes": stats.free_bytes if math.isfinite(stats.free_bytes) else "unknown",
        "checkpoint_age_s": round(stats.checkpoint_age, 1) if math.isfinite(stats.checkpoint_age) else "none yet",
        "dropped": stats.dropped,
        "conflicts": stats.conflicts,
        "duplicates": stats.duplicates,
        "read_only": stats.read_only,
    }
    if reason := problem or (f"read-only: {stats.read_only}" if stats.read_only else ""):
        return Health(Level.ERROR, reason, values, unready=reason)
    if stats.free_bytes < 2.0 * reserve:
        free = f"{stats.free_bytes / _GIB:.2f} GiB"
        return Health(Level.WARN, f"disk: {free} free, read-only below {reserve / _GIB:.2f} GiB", values)
    if stats.warning:
        return Health(Level.WARN, stats.warning, values)
    if stats.queued > _LONG_QUEUE:
        return Health(Level.WARN, f"{stats.queued} events wait for the writer", values)
    return Health(Level.OK, f"{stats.events} events", values)


class StoreMetrics(Collector):
    """The store's counts for Prometheus; nothing while no store is open.

    Attributes:
        latest: counts, and events committed and not yet published, as they were read last: neither the executor
            nor the thread that serves metrics asks the store.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latest: tuple[Stats, int] | None = None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        latest = self.latest
        if latest is None:
            return
        stats, lag = latest
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"qiki_eventstore_{name}", text, getattr(stats, name))
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"qiki_eventstore_{name}", text, getattr(stats, name))
        yield GaugeMetricFamily("qiki_eventstore_lag", "Events committed and not yet published", lag)
        yield GaugeMetricFamily("qiki_eventstore_read_only", "1 while it takes nothing", float(bool(stats.read_only)))
        yield GaugeMetricFamily(
            "qiki_eventstore_last_checkpoint_timestamp_seconds", "Last checkpoint of the log", stats.last_checkpoint
        )
