"""Events of the recorder: stream `qiki/recorder`, and in old stores `recording/<topic>`."""

from typing import Final

from qiki_events.proto import recording_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema(
        "recording.closed",
        (proto.RecordingClosed,),
        stream="qiki/recorder",
        when="a file is whole, with its index, by its recorder or a later one",
    ),
    Schema(
        "recording.failed",
        (proto.RecordingFailed,),
        stream="qiki/recorder",
        when="what comes is dropped until the next `recording.started`, or a file was removed while it was written",
    ),
    Schema(
        "recording.sample",
        (proto.RecordedSample,),
        stream="recording/<topic>",
        delivery="telemetry",
        when="by recorders of version 0.1 alone",
    ),
    Schema("recording.started", (proto.RecordingStarted,), stream="qiki/recorder", when="a file is begun"),
)
