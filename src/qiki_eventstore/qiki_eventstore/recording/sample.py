"""A message as it was recorded."""

from dataclasses import dataclass

from qiki_eventstore.errors import EventStoreError


class RecordingError(EventStoreError):
    """A file or folder that is no recording, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as it came.

    Attributes:
        topic: full name.
        type: such as `nav_msgs/msg/Odometry`.
        data: the message in CDR, as the middleware delivered it.
        time: when it came, ns of the recorder's ROS clock, which may be simulated.
    """

    topic: str
    type: str
    data: bytes
    time: int
