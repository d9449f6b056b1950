"""Messages to values and back."""

import math
from typing import Final

import numpy as np
from geometry_msgs.msg import Point
from nav_msgs.msg import Odometry

from qiki_msgs.msg import Evidence as EvidenceMessage
from qiki_msgs.msg import GuardAlert, RadarFrame, RadarTrack, RfReception
from qiki_node import stamps
from qiki_xpdr.geometry import Floats
from qiki_xpdr.guard import Alert
from qiki_xpdr.modes import Allegiance, Band, Mode, ObjectType, SpoofState, Status
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.reasons import Reason
from qiki_xpdr.report import TrackReport, Triple, track_id
from qiki_xpdr.spoof import Evidence
from qiki_xpdr.watch import Reception

_DETECTION: Final = ("range", "bearing", "elevation", "radial_velocity", "snr")
_AS_IS: Final = (
    "id",
    "transponder_id",
    "range",
    "bearing",
    "elevation",
    "radial_velocity",
    "snr",
    "rcs",
    "quality",
    "age",
    "silent",
    "misses",
    "cpa",
    "cpa_time",
)
_SEVERITIES: Final = {"info": GuardAlert.INFO, "warning": GuardAlert.WARNING, "critical": GuardAlert.CRITICAL}
_MOST: Final = 2**32 - 1


def detections_of(message: RadarFrame) -> Floats:
    """(M, 5) of a frame, as `Tracker.update` takes them; any numbers."""
    rows = [[getattr(one, name) for name in _DETECTION] for one in message.detections]
    return np.array(rows, dtype=np.float64).reshape(-1, len(_DETECTION))


def reception_of(message: RfReception) -> Reception:
    """A radio frame as it arrived."""
    return Reception(
        number=message.number,
        frame=bytes(message.frame),
        bearing=message.bearing,
        elevation=message.elevation,
        round_trip=message.round_trip,
        strength=message.strength,
    )


def take_odometry(motion: OwnMotion, message: Odometry, stamp: float) -> None:
    """Add a sample.

    Raises:
        ValueError: naming field, value and what is allowed.
    """
    p, q = message.pose.pose.position, message.pose.pose.orientation
    v, w = message.twist.twist.linear, message.twist.twist.angular
    motion.add(stamp, (p.x, p.y, p.z), (q.x, q.y, q.z, q.w), (v.x, v.y, v.z), (w.x, w.y, w.z))
    variances = message.pose.covariance[::7].tolist()  # the diagonal of 6 x 6
    motion.position_sigma, motion.turn_sigma = _sigma(variances[:3]), _sigma(variances[3:])


def track_message(report: TrackReport, ingest: float) -> RadarTrack:
    """A track. `ingest`: s, time of processing."""
    message = RadarTrack()
    for name in _AS_IS:
        setattr(message, name, getattr(report, name))
    message.object_type = int(report.object_type)
    message.iff, message.iff_reason = int(report.iff), int(report.iff_reason)
    message.id_present = bool(report.transponder_id)
    message.transponder_on = report.transponder_mode is not None and report.transponder_mode.transmits
    message.transponder_mode = int(report.transponder_mode or Mode.OFF)
    message.spoof_state, message.status, message.band = int(report.spoof), int(report.status), int(report.band)
    message.evidence = [_evidence_message(one) for one in report.evidence]
    p, v = message.position, message.velocity
    p.x, p.y, p.z = report.position
    v.x, v.y, v.z = report.velocity
    message.covariance = np.array(report.covariance)
    message.event_time = stamps.from_seconds(report.event_time)
    message.ingest_time = stamps.from_seconds(ingest)
    return message


def track_report(message: RadarTrack, time: float) -> TrackReport:
    """The track of a message; numbers of 32 bits are as exact as those. `time`: s, of the frame.

    Raises:
        ValueError: an enumeration has no such value.
    """
    values = {name: getattr(message, name) for name in _AS_IS}
    return TrackReport(
        **values,
        object_type=ObjectType(message.object_type),
        iff=Allegiance(message.iff),
        iff_reason=Reason(message.iff_reason),
        transponder_mode=Mode(message.transponder_mode) if message.id_present else None,
        spoof=SpoofState(message.spoof_state),
        evidence=tuple(
            Evidence(one.channel, one.statistic, one.threshold, one.looks, one.text) for one in message.evidence
        ),
        position=_triple(message.position),
        velocity=_triple(message.velocity),
        covariance=tuple(float(x) for x in message.covariance),
        status=Status(message.status),
        band=Band(message.band),
        time=time,
    )


def alert_message(alert: Alert, bot: str) -> GuardAlert:
    """An alert that lasts."""
    contact = alert.contact
    return GuardAlert(
        rule=alert.rule,
        severity=_SEVERITIES[alert.severity],
        effect=alert.effect,
        track=track_id(bot, alert.track),
        transponder_id=contact.identity,
        iff=int(contact.iff),
        spoof_state=int(contact.spoof),
        range=contact.range,
        closing=contact.closing,
        quality=contact.quality,
        raised=stamps.from_seconds(alert.raised),
    )


def point(values: Triple) -> Point:
    """A point, m."""
    x, y, z = values
    return Point(x=x, y=y, z=z)


def count(number: int) -> int:
    """A count in 32 bits; beyond, the largest."""
    return min(number, _MOST)


def _sigma(variances: list[float]) -> float:
    """Largest deviation; NaN where one is unknown."""
    return math.nan if any(map(math.isnan, variances)) else math.sqrt(max(0.0, *variances))


def _triple(message: object) -> Triple:
    return tuple(float(getattr(message, name)) for name in "xyz")  # type: ignore[return-value]


def _evidence_message(one: Evidence) -> EvidenceMessage:
    return EvidenceMessage(
        channel=one.channel, statistic=one.statistic, threshold=one.threshold, looks=one.looks, text=one.text
    )
