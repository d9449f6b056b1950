"""Retention while the store is in use: a thread of its own drops what the policy does not keep, now and then."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from qiki_eventstore.opening import engine_of
from qiki_eventstore.retention.policy import Policy
from qiki_eventstore.retention.retention import Outcome, Retention
from qiki_eventstore.retention.segment import Retainable
from qiki_eventstore.store import EventStore
from qiki_node.health import Health, Level
from qiki_node.log import NodeLog
from qiki_node.parameters import NodeParameters, ParameterError, parameter

DAY = 86_400.0  # s
_GIB = 2**30


@dataclass(frozen=True)
class RetentionParameters(NodeParameters):
    retention_max_age_days: float = parameter(
        0.0, "events recorded longer ago leave the store for segment files; 0: off",
        unit="days", minimum=0.0, maximum=36_500.0, read_only=True,
    )  # fmt: skip
    retention_max_events: int = parameter(0, "newest events that stay in the store; 0: off", minimum=0, read_only=True)
    retention_max_gib: float = parameter(
        0.0, "payloads of the newest events that stay in the store; 0: off",
        unit="GiB", minimum=0.0, maximum=1e6, read_only=True,
    )  # fmt: skip
    retention_segment_events: int = parameter(
        10_000, "events of a segment; they leave the store together", minimum=1, maximum=1_000_000, read_only=True
    )
    segments: str = parameter(
        "", "folder for the segment files of a PostgreSQL store; those of SQLite are beside the database",
        read_only=True,
    )  # fmt: skip
    retention_period: float = parameter(
        3600.0, "time between two runs; the first is at activation",
        unit="s", minimum=1.0, maximum=DAY * 7, read_only=True,
    )  # fmt: skip


def policy_of(params: RetentionParameters, url: str) -> Policy | None:
    """The policy of the parameters for the store of that URL; None if all bounds are off.

    Raises:
        ParameterError: the store has no folder for segments; names the first parameter that needs it.
    """
    names = ("retention_max_age_days", "retention_max_events", "retention_max_gib")
    asked = next((name for name in names if getattr(params, name) > 0), None)
    if asked is None:
        return None
    scheme = engine_of(url)
    if scheme != "sqlite" and not params.segments:
        raise ParameterError(
            f"parameter {asked}: {getattr(params, asked)!r} is not allowed; allowed: 0 with a {scheme} store for which"
            " parameter segments names no folder"
        )
    return Policy(
        max_age=params.retention_max_age_days * DAY or None,
        max_events=params.retention_max_events or None,
        # A bound below one byte is still a bound.
        max_bytes=int(params.retention_max_gib * _GIB) if params.retention_max_gib else None,
        segment_events=params.retention_segment_events,
    )


@dataclass(frozen=True)
class _Run:
    """Runs so far: end of the last one in s since the Unix epoch, 0 if there was none."""

    ended: float = 0.0
    outcome: Outcome | None = None
    error: str = ""
    segments: int = 0


class Retaining:
    """Applies a policy at once and then each `period` s, in a thread, until it is closed.

    Args:
        store: of the node; stays open until this is closed.
        policy: what stays; None: nothing is ever done, and no thread is started.
        period: s between the end of a run and the next.
        log: of the node.
        join: waits for the thread, for as long as a segment takes.
    """

    def __init__(
        self,
        store: EventStore,
        policy: Policy | None,
        period: float,
        log: NodeLog,
        join: Callable[[threading.Thread], None],
    ) -> None:
        self._join = join
        self._store, self._period, self._log = store, period, log
        self._end = threading.Event()
        self._last = _Run()
        self._thread: threading.Thread | None = None
        if policy is not None:
            self._thread = threading.Thread(target=self._keep_on, args=(policy,), name="retention", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; waits for the segment that is being worked on."""
        self._end.set()
        if self._thread is not None:
            self._join(self._thread)

    def health(self) -> Health:
        """Result of the last run, and the hold that keeps it from dropping more."""
        last = self._last
        if self._thread is None:
            return Health(Level.OK, "retention is off")
        hold = last.outcome.hold if last.outcome is not None else ""
        ended = datetime.fromtimestamp(last.ended, UTC).isoformat(timespec="seconds") if last.ended else "none yet"
        values = {
            "segments": last.segments,
            "last_run": ended,
            "last_dropped": len(last.outcome.dropped) if last.outcome is not None else 0,
            "due": last.outcome.due if last.outcome is not None else 0,
            "hold": hold or "none",
        }
        if last.error:
            return Health(Level.ERROR, f"retention failed: {last.error}", values)
        if hold:
            return Health(Level.OK, f"hold {hold!r} keeps events that are due", values)
        return Health(Level.OK, f"{last.segments} segments", values)

    def _keep_on(self, policy: Policy) -> None:
        while not self._end.is_set():
            self._last = self._once(policy)
            self._end.wait(self._period)

    def _once(self, policy: Policy) -> _Run:
        try:
            outcome = Retention.of(self._store, policy).apply(lambda: not self._end.is_set())
            assert isinstance(self._store, Retainable)
            segments = len(self._store.catalogue.segments())
        except Exception as error:  # the node goes on whatever retention meets
            reason = str(error) or type(error).__name__
            self._log.error("retention failed", reason=reason, error_type=type(error).__name__)
            return replace(self._last, ended=time.time(), error=reason)
        events = sum(segment.extent.events for segment in outcome.dropped)
        hold = outcome.hold or "none"
        self._log.info("retention applied", dropped=len(outcome.dropped), events=events, due=outcome.due, hold=hold)
        return _Run(time.time(), outcome, "", segments)
