"""Destination of a recorder's samples: an MCAP file."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from qiki_eventstore.files import sync_folder
from qiki_eventstore.mcap_file import McapWriter, Sample


class McapSink:
    """A new MCAP file; flushed samples are readable after kill -9.

    Args:
        path: the file; an existing one is refused.
        define: as for `McapWriter`.

    Raises:
        FileExistsError: the file is there already.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, define: Callable[[str], str | None]) -> None:
        self._file = path.open("xb")
        sync_folder(path.parent)
        self._writer = McapWriter(self._file, define)

    def write(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            self._writer.write(sample)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.finish()
        self._file.close()

    def abandon(self) -> None:
        # Closing writes the buffer, which fails again; no index: it would name chunks that are not there.
        with contextlib.suppress(OSError):
            self._file.close()


def open_sink(destination: str, define: Callable[[str], str | None], now: datetime | None = None) -> McapSink:
    """The sink that a URL names.

    Args:
        destination: `mcap:///relative/file.mcap`, `mcap:////absolute/file.mcap`, or the same with a folder and a `/` at
            the end (the file is then named after the time).
        define: as for `McapWriter`.
        now: for the file's name; None: the present.

    Raises:
        ValueError: not such a URL.
        OSError: the file is there already, or cannot be written.
    """
    path = unquote(destination.removeprefix("mcap:///"))
    if not destination.startswith("mcap:///") or not path or "\0" in path:
        raise ValueError(
            f"destination {destination!r}: allowed: mcap:///relative/file.mcap, mcap:////absolute/file.mcap,"
            " mcap:////absolute/folder/"
        )
    if not path.endswith("/"):
        return McapSink(Path(path), define)
    Path(path).mkdir(parents=True, exist_ok=True)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S.%fZ")
    return McapSink(Path(path) / f"recording_{stamp}.mcap", define)
