"""What can be set when a SQLite store is opened."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of `SqliteStore.open`.

    Attributes:
        synchronous: `FULL`: what is acknowledged survives a power cut. `NORMAL`: it may not; only for comparison.
        max_events: events that may wait for the writer.
        max_bytes: bytes of payload that may wait for the writer.
        patience: s that an audit append waits for room in the queue.
        checkpoint_bytes: size of the write-ahead log at which it is moved into the database.
        reserve_bytes: free space below which the store takes nothing more, so that it can still be closed and read.
        probe: s between attempts to write again after the disk was full.
        heads: file of signed heads; None: next to the database. It shows a cut-off tail only as long as it is not cut
            off too: keep it on another disk or machine. Public keys are kept beside it.
        key: file of the private key that signs; None: next to the database. Made on first use, readable by its owner.
        sign_events: events after which a head is signed.
        sign_seconds: s after which a head is signed, if there is a new one.
        poll: s between looks for news when the store is only read.
        clock: ns since the Unix epoch; it may jump.
    """

    synchronous: str = "FULL"
    max_events: int = 65_536
    max_bytes: int = 64 * _MIB
    patience: float = 5.0
    checkpoint_bytes: int = 32 * _MIB
    reserve_bytes: int = 64 * _MIB
    probe: float = 1.0
    heads: Path | str | None = None
    key: Path | str | None = None
    sign_events: int = 10_000
    sign_seconds: float = 10.0
    poll: float = 0.05
    clock: Callable[[], int] = time.time_ns

    def __post_init__(self) -> None:
        if self.synchronous not in ("FULL", "NORMAL"):
            raise ValueError(f"option synchronous={self.synchronous!r}: allowed are FULL and NORMAL")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                raise ValueError(f"option {name}={value!r}: must be a number from {least}")


_LEAST: Final = {
    "max_events": 1,
    "max_bytes": 1,
    "patience": 0,
    "checkpoint_bytes": 4096,
    "reserve_bytes": 0,
    "probe": 0.01,
    "sign_events": 1,
    "sign_seconds": 0.01,
    "poll": 0.001,
}


def options_from(values: dict[str, Any]) -> Options:
    """Options by name; an unknown name is refused."""
    known = [field.name for field in fields(Options)]
    for name in values:
        if name not in known:
            raise ValueError(f"option {name}: unknown; known are {', '.join(known)}")
    return Options(**values)
