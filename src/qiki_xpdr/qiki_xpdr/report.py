"""A track as other programs see it: one flat value for each, from the result of a radar frame."""

import math
from dataclasses import dataclass

from qiki_xpdr.modes import Allegiance, Band, Mode, ObjectType, Occurrence, SpoofState, Status
from qiki_xpdr.reasons import Reason
from qiki_xpdr.spoof import Evidence
from qiki_xpdr.watch import Frame

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class TrackReport:
    """One track; NaN: unknown.

    Attributes:
        id: `<bot>-<number>`. iff_reason: of the newest outcome. transponder_mode: as declared; None: no claim.
        transponder_id: as claimed; empty: none.
        range, bearing, elevation, radial_velocity: m, rad, rad, m/s, in base_link at `time`.
        snr: dB. rcs: m². position, velocity: m, m/s, world. covariance: (36,) of both, row by row.
        quality: 0 to 1. age, silent: s since the first and the last return. misses: frames.
        cpa, cpa_time: m and s, closest point of approach; NaN: none ahead.
        time: s, of the frame.
    """

    id: str
    object_type: ObjectType
    iff: Allegiance
    iff_reason: Reason
    transponder_mode: Mode | None
    transponder_id: str
    spoof: SpoofState
    evidence: tuple[Evidence, ...]
    range: float
    bearing: float
    elevation: float
    radial_velocity: float
    snr: float
    rcs: float
    position: Triple
    velocity: Triple
    covariance: tuple[float, ...]
    quality: float
    status: Status
    age: float
    silent: float
    misses: int
    band: Band
    cpa: float
    cpa_time: float
    time: float

    @property
    def event_time(self) -> float:
        """s, time of the last return."""
        return self.time - self.silent


def track_id(bot: str, number: int) -> str:
    """Name of a track for other programs."""
    return f"{bot}-{number}"


def track_number(bot: str, id: str) -> int:
    """Number of a track.

    Raises:
        ValueError: it is no track of the bot.
    """
    digits = id.removeprefix(f"{bot}-")
    if digits == id or not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        raise ValueError(f"track: {id!r}; allowed: {bot}-<number>")
    return int(digits)


def reports(frame: Frame, bot: str) -> tuple[TrackReport, ...]:
    """The tracks of a frame, in its order."""
    picture = frame.picture
    contacts = {contact.track: contact for contact in frame.contacts}
    made = []
    for row, number in enumerate(picture.number.tolist()):
        known, contact = frame.identified.get(number), contacts.get(number)
        x, y, z, vx, vy, vz = picture.state[row].tolist()
        made.append(
            TrackReport(
                id=track_id(bot, number),
                object_type=frame.types.get(number, ObjectType.UNSPECIFIED),
                iff=Allegiance.UNKNOWN if known is None else known.standing.result,
                iff_reason=Reason.NONE if known is None else known.standing.reason,
                transponder_mode=None if known is None else known.mode,
                transponder_id="" if known is None else known.identity,
                spoof=SpoofState.UNKNOWN if known is None else known.spoof,
                evidence=() if known is None else known.evidence,
                range=float(picture.range[row]),
                bearing=float(picture.bearing[row]),
                elevation=float(picture.elevation[row]),
                radial_velocity=float(picture.radial_velocity[row]),
                snr=float(picture.snr[row]),
                rcs=float(picture.rcs[row]),
                position=(x, y, z),
                velocity=(vx, vy, vz),
                covariance=tuple(picture.covariance[row].ravel().tolist()),
                quality=float(picture.quality[row]),
                status=Status(int(picture.status[row])),
                age=float(picture.age[row]),
                silent=float(picture.silent[row]),
                misses=int(picture.misses[row]),
                band=Band(int(picture.band[row])),
                cpa=math.nan if contact is None else contact.cpa,
                cpa_time=math.nan if contact is None else contact.cpa_time,
                time=picture.time,
            )
        )
    return tuple(made)


class Identifications:
    """Identification of each track, for the event `iff.changed`."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[str, Allegiance]] = {}

    def update(self, frame: Frame) -> list[Occurrence]:
        """Changes since the frame before. A track without an identity is UNKNOWN."""
        found = []
        last = dict.fromkeys(frame.picture.number.tolist(), ("", Allegiance.UNKNOWN))
        for number in last:
            before = self._last.get(number, ("", Allegiance.UNKNOWN))
            known = frame.identified.get(number)
            after = ("", Allegiance.UNKNOWN) if known is None else (known.identity, known.standing.result)
            last[number] = after
            if before[1] is not after[1]:
                payload: dict[str, object] = {"track": number, "identity": after[0] or before[0]}
                payload |= {"from": before[1].name, "to": after[1].name}
                payload["reason"] = int(Reason.NONE if known is None else known.standing.reason)
                found.append(Occurrence("iff.changed", payload))
        self._last = last
        return found
