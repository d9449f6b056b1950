"""Messages of a topic, from recordings."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mcap.exceptions import EndOfFile, McapError
from mcap.reader import NonSeekingReader, make_reader
from mcap.writer import MCAP0_MAGIC
from rclpy.serialization import deserialize_message

from qiki_node.errors import CommandError


def recorded(place: Path, topic: str, kind: Any) -> Iterator[Any]:
    """Messages of a topic from an MCAP file or from all below a folder, each file's in the order of their recording.

    Raises:
        CommandError: a file cannot be read.
    """
    for file in [place] if place.is_file() else sorted(place.rglob("*.mcap")):
        try:
            with file.open("rb") as stream:
                for message in _messages(stream, topic):
                    yield deserialize_message(message.data, kind)
        except (McapError, OSError, ValueError, struct.error) as error:
            raise CommandError(f"recording {file}: cannot be read: {error}") from error


def _messages(stream: IO[bytes], topic: str) -> Iterator[Any]:
    """Messages of a topic; a file without its end, which has no index, is read up to its last whole chunk."""
    ended = os.fstat(stream.fileno()).st_size >= 2 * len(MCAP0_MAGIC)
    if ended:
        stream.seek(-len(MCAP0_MAGIC), os.SEEK_END)
        ended = stream.read() == MCAP0_MAGIC
        stream.seek(0)
    if ended:
        for _, _, message in make_reader(stream).iter_messages(topics=[topic]):
            yield message
        return
    try:
        for _, _, message in NonSeekingReader(stream).iter_messages(topics=[topic], log_time_order=False):
            yield message
    except (EndOfFile, struct.error):  # the second where the file ends inside of a number
        return
