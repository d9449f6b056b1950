"""The clock of an operator's task: simulated time where /clock is published, else wall time."""

import time

from rosgraph_msgs.msg import Clock

from qiki_console.graph.discovery import settle
from qiki_console.model.sim_clock import SimClock
from qiki_node.qos import CLOCK
from qiki_node.session import Session
from qiki_node.stamps import seconds

_FIRST = 1.0
"""s of wall time for the first /clock where something publishes it."""


class TaskClock:
    """Times in s. Without a publisher of /clock it is the wall clock, as for hardware."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._clock = SimClock()
        self._simulated = False
        self._advanced = time.monotonic()
        session.subscribe(Clock, "/clock", self._on_clock, CLOCK)

    def wait(self, discovery: float) -> None:
        """Wait for simulated time, as long as it may come; the clock is one of both from then on."""
        session = self._session
        there = session.wait_for(lambda: bool(session.publishers("/clock")), min(discovery, _FIRST))
        if not there:
            settle(session)  # a busy machine may not have discovered it
            there = bool(session.publishers("/clock"))
        self._simulated = there and session.wait_for(lambda: self._clock.latest is not None, discovery)

    @property
    def restarts(self) -> int:
        """Number of times that simulated time has jumped back."""
        return self._clock.restarts

    def now(self) -> float:
        """Time of now."""
        latest = self._clock.latest
        return latest if self._simulated and latest is not None else time.time()

    def silence(self) -> float:
        """s of wall time since simulated time last advanced; 0 for the wall clock."""
        return 0.0 if not self._simulated else time.monotonic() - self._advanced

    def _on_clock(self, message: Clock) -> None:
        before, now = self._clock.latest, seconds(message.clock)
        self._clock.tick(now, time.monotonic())
        if now != before:
            self._advanced = time.monotonic()
