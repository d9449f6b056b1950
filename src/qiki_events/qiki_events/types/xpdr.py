"""Events of a bot's transponder, identification, tracks, evidence and guard rules: streams `<bot>/xpdr`."""

from typing import Final

from qiki_events.proto import xpdr_pb2 as proto
from qiki_events.registry import Schema

_STREAM: Final = "<bot>/xpdr"

SCHEMAS: Final = (
    Schema(
        "guard.alert_ended",
        (proto.GuardAlertEnded,),
        stream=_STREAM,
        when="a rule holds no more on a track, or the node has started again and its tracks with it",
    ),
    Schema("guard.alert_raised", (proto.GuardAlertRaised,), stream=_STREAM, when="a rule begins to hold on a track"),
    Schema("guard.mode_changed", (proto.GuardModeChanged,), stream=_STREAM, when="by `set_guard_mode`"),
    Schema(
        "iff.answered",
        (proto.IffAnswered,),
        stream=_STREAM,
        when="an interrogation ends: by an answer that is verified or refused, or by its time",
    ),
    Schema("iff.changed", (proto.IffChanged,), stream=_STREAM, when="the identification of a track is another one"),
    Schema("iff.interrogated", (proto.IffInterrogated,), stream=_STREAM, when="an interrogation is transmitted"),
    Schema(
        "spoof.state_changed",
        (proto.SpoofStateChanged,),
        stream=_STREAM,
        when="the verdict on a track under an id is another one",
    ),
    Schema("track.confirmed", (proto.TrackChanged,), stream=_STREAM, when="enough returns have come: a body is there"),
    Schema("track.ended", (proto.TrackChanged,), stream=_STREAM, when="no return came for `tracking.dead`"),
    Schema("track.entered_sr", (proto.TrackChanged,), stream=_STREAM, when="it came into the band with identity"),
    Schema("track.left_sr", (proto.TrackChanged,), stream=_STREAM, when="it left the band with identity"),
    Schema("track.lost", (proto.TrackChanged,), stream=_STREAM, when="no return came for `tracking.stale`"),
    Schema(
        "track.numbers_reserved",
        (proto.TrackNumbersReserved,),
        stream=_STREAM,
        when="new tracks get numbers of a further block; a restart goes on above the newest",
    ),
    Schema(
        "xpdr.keys_changed",
        (proto.XpdrKeysChanged,),
        stream=_STREAM,
        when="the key ring or the group's secrets are read again after a change of their files",
    ),
    Schema(
        "xpdr.mode_changed",
        (proto.XpdrModeChanged,),
        stream=_STREAM,
        when="by order, or because the power of the transponder is shed or restored; "
        "a restart takes the mode of the newest",
    ),
    Schema("xpdr.mode_refused", (proto.XpdrModeRefused,), stream=_STREAM, when="an order is refused"),
    Schema("xpdr.spoof_armed", (proto.XpdrSpoofArmed,), stream=_STREAM, when="the first of two steps to SPOOF"),
)
