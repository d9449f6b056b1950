"""Metrics of the node, set once in a radar frame."""

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from qiki_xpdr.iff import Iff
from qiki_xpdr.modes import SpoofState, Status
from qiki_xpdr.watch import Frame, Watch

_BOUNDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # s


class Metrics:
    """Tracks by status, verdicts, alerts by rule, time from frame to tracks, signatures that wait, refusals."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tracks = Gauge("qiki_xpdr_tracks", "Tracks by status", ["status"], registry=registry)
        self._verdicts = Gauge("qiki_xpdr_identities", "Identities of tracks by verdict", ["state"], registry=registry)
        self._alerts = Counter("qiki_xpdr_alerts", "Alerts raised, by rule", ["rule"], registry=registry)
        self._checks = Gauge("qiki_xpdr_checks_queued", "Signatures that wait for their check", registry=registry)
        text = "Inputs refused: topics, and parts of radar frames and receptions by the reason"
        self._refused = Counter("qiki_xpdr_refused", text, ["input", "reason"], registry=registry)
        text = "Time from the arrival of a radar frame to the publication of its tracks"
        self._seconds = Histogram("qiki_xpdr_frame_seconds", text, buckets=_BOUNDS, registry=registry)
        self._counted: dict[tuple[str, str], int] = {}

    def frame(self, frame: Frame, watch: Watch, iff: Iff, seconds: float) -> None:
        """Count a frame and all that the cores have refused. seconds: steady, spent on the frame."""
        statuses, verdicts = Tally(frame.picture.status.tolist()), Tally(one.spoof for one in frame.identified.values())
        for status in Status:
            self._tracks.labels(status.name).set(statuses[int(status)])
        for state in SpoofState:
            self._verdicts.labels(state.name).set(verdicts[state])
        for alert in frame.alerts:
            self._alerts.labels(alert.rule).inc()
        self._checks.set(iff.queued)
        self._seconds.observe(seconds)
        for name, number in watch.tracker.refused.items():
            self._so_far("detection", name, number)
        for name, number in watch.refused.items():
            self._so_far("reception", name, number)
        for reason, number in iff.refusals.items():
            self._so_far("reception", reason.name.lower(), number)

    def refuse(self, input: str, reason: str, number: int = 1) -> None:
        """Count inputs that are not taken."""
        self._refused.labels(input, reason).inc(number)

    def _so_far(self, input: str, reason: str, total: int) -> None:
        """Count what a core has refused since it was made; less than before: it is another one."""
        before = self._counted.get((input, reason), 0)
        if total != before:
            self._counted[input, reason] = total
            self._refused.labels(input, reason).inc(total - before if total > before else total)
