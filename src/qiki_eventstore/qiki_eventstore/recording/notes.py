"""Events of a recording's files that its operator should see."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from qiki_eventstore.recording.metadata import RecordedFile


class Outcome(StrEnum):
    """A change of a file."""

    BEGUN = "begun"
    """It is there, and takes messages."""
    CLOSED = "closed"
    """It is finished and has its index."""
    ABANDONED = "abandoned"
    """It could not be written any further, or begun; it stays without index."""
    LOST = "lost"
    """It was moved or removed while it was written; recording goes on in another."""
    REMOVED = "removed"
    """By the policy."""
    STUCK = "stuck"
    """The policy could not remove it."""
    RECOVERED = "recovered"
    """An earlier recorder had not finished it; it has an index now."""
    DAMAGED = "damaged"
    """An earlier recorder had not finished it, and it could not be finished now."""


@dataclass(frozen=True, slots=True)
class Note:
    """A file and its outcome, with the reason or other particulars.

    Attributes:
        file: facts about the file, where it is begun, closed or recovered.
    """

    outcome: Outcome
    path: Path
    detail: str = ""
    file: RecordedFile | None = None


Notify = Callable[[Note], None]
"""Takes a note, in any thread."""


def ignore(_note: Note) -> None:
    """Take a note and do nothing."""
