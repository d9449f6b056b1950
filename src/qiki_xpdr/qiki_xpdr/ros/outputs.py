"""Publishers of the node: frames for the radio, tracks, the states of transponder and guard."""

import math
from typing import Any

from qiki_msgs.msg import GuardState, RadarTracks, RfTransmit, XpdrState
from qiki_node import stamps
from qiki_node.qos import RADIO, STATE, TELEMETRY
from qiki_vehicle.key_files import KeyFiles
from qiki_vehicle.keys import key_id
from qiki_xpdr.guard import Alert, GuardMode
from qiki_xpdr.iff import Iff
from qiki_xpdr.report import reports
from qiki_xpdr.ros import messages
from qiki_xpdr.ros.host import Host
from qiki_xpdr.transponder import Transponder
from qiki_xpdr.watch import Frame

_GUARD = {
    GuardMode.OFF: XpdrState.GUARD_OFF,
    GuardMode.PASSIVE: XpdrState.GUARD_PASSIVE,
    GuardMode.ACTIVE: XpdrState.GUARD_ACTIVE,
}


class Outputs:
    """Publishers.

    Args:
        eirp: dBm, of a transmission. power: W of a transmitter.
    """

    def __init__(self, node: Host, bot: str, eirp: float, power: float) -> None:
        self._bot, self._frame, self._power = bot, f"{bot}/base_link", power
        self._transmit = RfTransmit(eirp=eirp)
        self._transmit.header.frame_id = self._frame
        publisher = node.create_lifecycle_publisher
        self._rf = publisher(RfTransmit, "rf/tx", RADIO)
        self._tracks = publisher(RadarTracks, "tracks", TELEMETRY)
        self._xpdr = publisher(XpdrState, "xpdr", STATE)
        self._guard = publisher(GuardState, "guard", STATE)
        self._guarded: tuple[Any, ...] | None = None

    def transmit(self, frame: bytes, now: float, answers: int = 0) -> None:
        """Transmit a frame. answers: number of the reception that it answers; 0: none."""
        message = self._transmit
        message.header.stamp = stamps.from_seconds(now)
        message.frame, message.answers = frame, answers
        self._rf.publish(message)

    def tracks(self, frame: Frame, time: float, now: float, detections: int, shed: int) -> None:
        """Publish all tracks, where there is a subscriber: late ones get none of before anyway.

        Args:
            time: s, of the frame. shed: detections that were not processed.
        """
        if not self._tracks.get_subscription_count():
            return
        message = RadarTracks(detections=detections, shed=shed)
        message.header.stamp, message.header.frame_id = stamps.from_seconds(time), "world"
        message.tracks = [messages.track_message(report, now) for report in reports(frame, self._bot)]
        self._tracks.publish(message)

    def transponder(self, xpdr: Transponder, iff: Iff, keys: KeyFiles, guard: GuardMode, now: float) -> None:
        """Publish the state of the transponder."""
        own = keys.own
        message = XpdrState(id=xpdr.identity, mode=int(xpdr.mode), effective=int(xpdr.effective), shed=xpdr.shed)
        message.header.stamp, message.header.frame_id = stamps.from_seconds(now), self._frame
        message.power = xpdr.draws(self._power)
        until = xpdr.armed_until(now)
        if not math.isnan(until):
            message.armed, message.armed_until = True, stamps.from_seconds(until)
        number = None if own is None else own.newest(now)
        if own is not None and number is not None:
            message.signing, message.key = True, key_id(own.public(number).raw).hex()
        message.group = keys.group.newest(now) is not None
        message.checks_queued, message.checks_dropped = iff.queued, messages.count(iff.dropped)
        refusals = sorted(iff.refusals.items())
        message.refusals = [reason.name for reason, _ in refusals]
        message.refusal_counts = [messages.count(number) for _, number in refusals]
        message.guard_mode = _GUARD[guard]
        self._xpdr.publish(message)

    def guard(self, mode: GuardMode, alerts: tuple[Alert, ...], now: float) -> None:
        """Publish the alerts that last, where they are others than before."""
        shown = (mode, tuple((alert.rule, alert.track, alert.raised) for alert in alerts))
        if shown == self._guarded:
            return
        self._guarded = shown
        message = GuardState(mode=_GUARD[mode], alerts=[messages.alert_message(alert, self._bot) for alert in alerts])
        message.header.stamp, message.header.frame_id = stamps.from_seconds(now), self._frame
        self._guard.publish(message)
