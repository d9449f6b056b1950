"""Admission of messages: those whose stamp or values cannot be are refused, counted and logged."""

from prometheus_client import CollectorRegistry, Counter

from qiki_docking.ros.host import Host
from qiki_vehicle.intake import Intake


class Admission:
    """Admits the inputs of a docking node by their stamps.

    registry: for `qiki_docking_telemetry_refused_total{topic}`.
    """

    def __init__(self, node: Host, registry: CollectorRegistry) -> None:
        self._node, self._intake = node, Intake()
        text = "Telemetry refused for its stamp or values"
        self._refused = Counter("qiki_docking_telemetry_refused", text, ["topic"], registry=registry)

    def reset(self) -> None:
        """The clock was set back: nothing has come yet."""
        self._intake.reset()

    def admits(self, topic: str, stamp: float, body: str = "") -> bool:
        """True if a message is taken that is stamped at `stamp`, s of control time; body: another one that sent it."""
        taken = self._intake.admits(f"{body}/{topic}", self._node.seconds(), stamp)
        if not taken:
            self.refuse(topic, self._intake.reason)
        return taken

    def refuse(self, topic: str, reason: str) -> None:
        """Count a message that is not taken, and log the reason."""
        self._refused.labels(topic).inc()
        self._node.log.warning(f"{topic} refused", throttle=1.0, reason=reason)
