"""A bot's tracks of other bodies, as an operator sees them, and these as values for JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

OBJECTS: Final = ("UNSPECIFIED", "DRONE", "SHIP", "STATION", "ASTEROID", "DEBRIS")
ALLEGIANCES: Final = ("UNSPECIFIED", "FRIEND", "FOE", "UNKNOWN")
VERDICTS: Final = ("UNKNOWN", "TRUSTED", "UNVERIFIED", "SUSPECT", "SPOOF")
STATUSES: Final = ("UNSPECIFIED", "NEW", "TRACKED", "LOST", "COASTING")
BANDS: Final = ("UNKNOWN", "SR", "LR")
MODES: Final = ("OFF", "ON", "SILENT", "SPOOF")

STALE: Final = 1.0
"""s from which a picture is stale: ten radar frames."""

_UNITS: Final = {
    "range": "m",
    "bearing": "rad",
    "elevation": "rad",
    "radial_velocity": "m_s",
    "snr": "db",
    "rcs": "m2",
    "position": "m",
    "velocity": "m_s",
    "age": "s",
    "silent": "s",
    "cpa": "m",
    "cpa_time": "s",
}


@dataclass(frozen=True)
class TrackEvidence:
    """One channel of evidence: `statistic` of `threshold`, over `looks` (0: a sum of all)."""

    channel: str
    statistic: float
    threshold: float
    looks: int
    text: str


@dataclass(frozen=True)
class Track:
    """One track; NaN: unknown.

    Attributes:
        iff_reason: code. transponder_mode: as declared; empty: nothing is declared. transponder_id: as claimed.
        range, bearing, elevation, radial_velocity: m, rad clockwise from +y, rad, m/s (negative: closing), in the bot's
            base_link. snr: dB. rcs: m². position, velocity: m, m/s, world.
        quality: 0 to 1. age, silent: s since the first and the last return. misses: frames.
        cpa, cpa_time: m, s, closest point of approach; NaN: none ahead.
        event_time_ns, ingest_time_ns: of the last return, and of the processing.
    """

    id: str
    object_type: str
    iff: str
    iff_reason: int
    transponder_mode: str
    transponder_id: str
    spoof: str
    evidence: tuple[TrackEvidence, ...]
    range: float
    bearing: float
    elevation: float
    radial_velocity: float
    snr: float
    rcs: float
    position: tuple[float, float, float]
    velocity: tuple[float, float, float]
    quality: float
    status: str
    age: float
    silent: float
    misses: int
    band: str
    cpa: float
    cpa_time: float
    event_time_ns: int
    ingest_time_ns: int


@dataclass(frozen=True)
class Tracks:
    """All tracks of a bot after a radar frame.

    Attributes:
        bot: name. time_ns: of the frame's measurement. tracks: in the order of the message.
        detections, shed: of the frame; those of them that were more than can be processed.
        age: s since the measurement.
    """

    bot: str
    time_ns: int
    tracks: tuple[Track, ...]
    detections: int
    shed: int
    age: float

    @property
    def stale(self) -> bool:
        """True where frames have stopped, or the clock was set back."""
        return not -STALE <= self.age <= STALE

    @property
    def confirmed(self) -> tuple[Track, ...]:
        """Tracks with enough returns; most of the others are clutter."""
        return tuple(track for track in self.tracks if track.status != "NEW")

    @property
    def count_text(self) -> str:
        """Numbers of tracks for an operator."""
        confirmed = len(self.confirmed)
        new = len(self.tracks) - confirmed
        return f"{confirmed} track{'' if confirmed == 1 else 's'}" + (f", {new} new" if new else "")

    @property
    def age_text(self) -> str:
        """The age for an operator."""
        return f"{round(self.age, 1) + 0.0:.1f} s"  # no minus zero: the clock comes after the tracks at times


def with_unit(name: str) -> str:
    """Name of a track's field for files, with its unit."""
    return f"{name}_{_UNITS[name]}" if name in _UNITS else name


def select(tracks: Iterable[Track], bot: str, name: str) -> Track | None:
    """The track of a name: its id, or the number at the id's end; None: there is none."""
    wanted = f"{bot}-{name}" if name.isascii() and name.isdecimal() else name
    return next((track for track in tracks if track.id == wanted), None)


def report(shown: Tracks) -> dict[str, Any]:
    """The values for JSON; times in ns are texts, which no reader rounds."""
    return {
        "bot": shown.bot,
        "time_ns_text": str(shown.time_ns),
        "age_s": round(shown.age, 4),
        "stale": shown.stale,
        "detections": shown.detections,
        "shed": shown.shed,
        "tracks": [track_report(track) for track in shown.tracks],
    }


def track_report(track: Track) -> dict[str, Any]:
    """The values of one track for JSON."""
    values = {with_unit(name): value for name, value in asdict(track).items()}
    for name in ("event_time_ns", "ingest_time_ns"):
        values[f"{name}_text"] = str(values.pop(name))
    for name in ("transponder_mode", "transponder_id"):
        values[name] = values[name] or None
    return values
