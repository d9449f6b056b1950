"""Errors of this package: each names where it was found."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A place in a launch file: the file, the line (from 1) and the path in the document."""

    file: Path
    line: int
    path: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}"


class LaunchError(Exception):
    """A launch file, an argument of it or a package cannot be used as given.

    The text begins with the file, the line and the path in the document where there is one.
    """

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place


class RunError(Exception):
    """A run cannot be started, found or stopped."""
