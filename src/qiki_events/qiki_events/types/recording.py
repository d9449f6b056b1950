"""Messages recorded as events: streams `recording/<topic>`."""

from typing import Final

from qiki_events.proto import recording_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema(
        "recording.sample",
        (proto.RecordedSample,),
        stream="recording/<topic>",
        delivery="telemetry",
        when="by recorders of version 0.1 alone",
    ),
)
