"""Destination of a recording by its URL."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote


def destination_of(url: str) -> tuple[Path, bool]:
    """Path of a URL, and whether it is a folder of recordings.

    Args:
        url: `mcap:///relative/file.mcap`, `mcap:////absolute/file.mcap`, or a folder with a `/` at the end.

    Raises:
        ValueError: not such a URL.
    """
    path = unquote(url.removeprefix("mcap:///"))
    if not url.startswith("mcap:///") or not path or "\0" in path:
        raise ValueError(
            f"destination {url!r}: allowed: mcap:///relative/file.mcap, mcap:////absolute/file.mcap,"
            " mcap:////absolute/folder/"
        )
    return Path(path), path.endswith("/")


def new_name(now: datetime | None = None) -> str:
    """Name of a recording that begins now."""
    return f"recording_{(now or datetime.now(UTC)).strftime('%Y%m%dT%H%M%S.%fZ')}"
