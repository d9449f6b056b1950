"""Log records with fields: through rclpy's logger, or as JSON lines with QIKI_LOG_FORMAT=json.

The format is chosen by the environment and not by a parameter, because rclpy's own console output is set up before a
node has parameters. In JSON form rclpy's console output is off; its records still reach /rosout and its log file.
Python's own output (uncaught exceptions, and warnings such as rclpy's about an answer that could not be sent) becomes a
record too. Fast DDS prints on standard output.
"""

import os
import sys
import threading
import time
import traceback
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from rclpy.impl.rcutils_logger import RcutilsLogger

from qiki_node.json_text import to_json
from qiki_node.terminal import printable

ENVIRONMENT_VARIABLE = "QIKI_LOG_FORMAT"


def json_wanted() -> bool:
    """True if the environment asks for JSON lines.

    Raises:
        ValueError: the variable has another value than text or json.
    """
    value = os.environ.get(ENVIRONMENT_VARIABLE, "text") or "text"
    if value not in ("text", "json"):
        raise ValueError(f"{ENVIRONMENT_VARIABLE}: {value!r} is not allowed; allowed: one of text, json")
    return value == "json"


class NodeLog:
    """Logger of one node: ``log.info("valves closed", cause="watchdog")``.

    `throttle` (s) lets a record with the same text through only once in that time and adds how many were held back.
    In JSON, a field that is named like one of the record's own (time, level, node, message) gets a trailing underscore.
    """

    def __init__(self, logger: RcutilsLogger, *, as_json: bool, stream: TextIO = sys.stderr) -> None:
        self._logger = logger
        self._as_json = as_json
        self._stream = stream
        self._lock = threading.Lock()
        self._held_back: dict[str, tuple[float, int]] = {}

    def debug(self, text: str, /, *, throttle: float = 0.0, **fields: Any) -> None:
        if self._passes(text, throttle, fields):
            self._logger.debug(self._line("debug", text, fields))

    def info(self, text: str, /, *, throttle: float = 0.0, **fields: Any) -> None:
        if self._passes(text, throttle, fields):
            self._logger.info(self._line("info", text, fields))

    def warning(self, text: str, /, *, throttle: float = 0.0, **fields: Any) -> None:
        if self._passes(text, throttle, fields):
            self._logger.warning(self._line("warning", text, fields))

    def error(self, text: str, /, *, throttle: float = 0.0, **fields: Any) -> None:
        if self._passes(text, throttle, fields):
            self._logger.error(self._line("error", text, fields))

    def _passes(self, text: str, throttle: float, fields: dict[str, Any]) -> bool:
        if throttle <= 0.0:
            return True
        now = time.monotonic()
        last, held_back = self._held_back.get(text, (-throttle, 0))
        if now - last < throttle:
            self._held_back[text] = (last, held_back + 1)
            return False
        if held_back:
            fields["held_back"] = held_back
        self._held_back[text] = (now, 0)
        return True

    def _line(self, level: str, text: str, fields: dict[str, Any]) -> str:
        keep = {"traceback": "\n"}
        shown = (f"{name}={printable(str(value), keep.get(name, ''))}" for name, value in fields.items())
        line = " ".join([printable(text), *shown])
        if self._as_json:
            self._write_json(level, text, fields)
        return line

    def _write_json(self, level: str, text: str, fields: dict[str, Any]) -> None:
        record = _record(level, self._logger.name, text, fields)
        with self._lock:
            _write(record, self._stream)


def _record(level: str, node: str, text: str, fields: dict[str, Any]) -> dict[str, Any]:
    record = {
        "time": datetime.now(UTC).isoformat(timespec="microseconds"),
        "level": level,
        "node": node,
        "message": text,
    }
    record.update({f"{name}_" if name in record else name: value for name, value in fields.items()})
    return record


def _write(record: dict[str, Any], stream: TextIO) -> None:
    line = to_json(record, default=str) + "\n"
    with suppress(OSError, ValueError):  # a log whose reader is gone, or whose disk is full, ends no node
        stream.write(line)
        stream.flush()


def write_crash(error: BaseException, node: str, stream: TextIO = sys.stderr) -> None:
    """The last record of a dying process, as a JSON line with its traceback."""
    text = f"{type(error).__name__}: {error}"
    write_fatal(text, node, {"traceback": "".join(traceback.format_exception(error))}, stream)


def write_fatal(text: str, node: str, fields: dict[str, Any], stream: TextIO = sys.stderr) -> None:
    """A last record as a JSON line. It waits for no lock."""
    _write(_record("fatal", node, text, fields), stream)


def python_as_json(node: str) -> None:
    """From here on Python's own warnings and uncaught exceptions of this process are JSON records of `node`."""

    def warn(*warning: Any, **_: Any) -> None:
        message, category, filename, lineno = warning[:4]
        where = f"{filename}:{lineno}"
        _write(_record("warning", node, str(message), {"category": category.__name__, "where": where}), sys.stderr)

    def ignored(event: Any) -> None:
        # Exceptions of finalizers and of threads: the process lives on.
        fields = {"traceback": "".join(traceback.format_exception(event.exc_value))} if event.exc_value else {}
        _write(_record("error", node, f"{event.exc_type.__name__}: {event.exc_value}", fields), sys.stderr)

    warnings.showwarning = warn
    sys.excepthook = lambda _kind, error, _trace: write_crash(error, node)
    sys.unraisablehook = ignored
    threading.excepthook = ignored
