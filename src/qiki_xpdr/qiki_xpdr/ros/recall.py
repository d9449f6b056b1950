"""State before a restart into the cores, once; an order that comes first counts."""

import math
import time
from collections.abc import Callable
from typing import Any, Final

from qiki_xpdr.guard import ALERT_ENDED
from qiki_xpdr.modes import Mode
from qiki_xpdr.numbers import Numbers, by_clock
from qiki_xpdr.ros.memory import Memory, Remembered
from qiki_xpdr.tracker import Tracker
from qiki_xpdr.transponder import MODE_CHANGED

TRACKLESS: Final = 2.0
"""s of steady time for which tracks wait for the store, so that no number is used twice."""

_SPOOF_ENDED: Final = "SPOOF ended with the process: it takes two steps again"


class Recall:
    """Takes mode of the transponder, guard mode, numbers of tracks, and the alerts that a restart has interrupted.

    Args:
        node: rclpy's, a `Host`. memory: None: there is none. clock: s, steady.

    Attributes:
        first: number of the first track; None: not known yet, so that no track may begin.
    """

    def __init__(self, node: Any, memory: Memory | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._node, self._memory, self._clock = node, memory, clock
        self._until = math.inf
        self._ordered: set[str] = set()
        self._numbers: Numbers | None = None
        self.first = 1 if memory is None else None

    @property
    def begun(self) -> bool:
        """Numbers have been reserved: tracks may have begun."""
        return self._numbers is not None

    def begin_again(self) -> None:
        """Count from 1, as after a reset of the world."""
        self._numbers = None if self._numbers is None else Numbers(1)

    def number(self, tracker: Tracker) -> bool:
        """Reserve numbers for new tracks; false: those before a restart are not known yet."""
        if self._numbers is None:
            if self.first is None:
                return False
            self._numbers = Numbers(self.first)
            tracker.number_from(self.first)
        reserved = self._numbers.reserve(tracker.next)
        if reserved is not None:
            self._node.emit(reserved.type, dict(reserved.payload))
        return True

    def ordered(self, kind: str) -> None:
        """Note an accepted order: the "mode" or the "guard" mode before the restart counts no more."""
        self._ordered.add(kind)

    def look(self) -> None:
        """Take the state as soon as it is known."""
        if self._memory is None:
            return
        node = self._node
        # From the first look on: before it, as with simulated time that stands still, nothing is asked.
        self._until = min(self._until, self._clock() + TRACKLESS)
        remembered = self._memory.look(settled=node.events.values()["queued"] == 0)
        if remembered is not None:
            self._memory = None
            self._take(remembered)
        elif self.first is None and self._clock() >= self._until:
            self.first = by_clock(node.seconds())
            node.log.warning("the numbers of tracks before the start are not known yet", first=self.first)

    def _take(self, remembered: Remembered) -> None:
        node = self._node
        for reason in remembered.lost:
            node.log.error("a part of the state before the start is lost", reason=reason)
        if self.first is None:
            known = remembered.source == "event store" and not remembered.lost
            self.first = remembered.number or (1 if known else by_clock(node.seconds()))
        mode, guard = remembered.mode, remembered.guard
        names = {name: None if one is None else one.name for name, one in (("mode", mode), ("guard", guard))}
        node.log.info("state before the start", **names, first_track=self.first, source=remembered.source)
        if guard is not None and "guard" not in self._ordered:
            node.guard.set_mode(guard, node.seconds())
        if mode is not None and "mode" not in self._ordered:
            self._set_mode(mode)
        for alert in remembered.alerts:
            # Tracks of this life have other numbers: the alerts are those of the life before.
            if alert.track < self.first:
                seconds = max(node.seconds() - alert.raised, 0.0)
                payload = {"rule": alert.rule, "track": alert.track, "seconds": seconds, "cause": "restart"}
                node.emit(ALERT_ENDED, payload)
        node.report()

    def _set_mode(self, mode: Mode) -> None:
        node, now = self._node, self._node.seconds()
        if mode is not Mode.SPOOF:
            if mode is not node.transponder.mode:
                node.transponder.set_mode(mode, "xpdr", "mode before the restart", now)
            return
        node.log.warning(_SPOOF_ENDED, mode="OFF")
        if node.transponder.mode is Mode.OFF:  # the newest event must not show SPOOF
            off = {"to": "OFF", "effective": "OFF", "user": "xpdr", "reason": _SPOOF_ENDED, "cause": "ORDER"}
            node.emit(MODE_CHANGED, {"from": "SPOOF", "effective_from": "SPOOF", **off})
        node.transponder.set_mode(Mode.OFF, "xpdr", _SPOOF_ENDED, now)
