"""Options for opening a SQLite store."""

from dataclasses import dataclass

from qiki_eventstore.engine import options
from qiki_eventstore.engine.options import MIB, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(options.Options):
    """Options of `SqliteStore.open`. Signed heads and their key are kept beside the database unless they are given.

    Attributes:
        synchronous: `FULL`: what is acknowledged survives a power cut. `NORMAL`: it may not; only for comparison.
        checkpoint_bytes: size of the write-ahead log at which it is moved into the database. A small log is soon
            written over again, which a disk syncs in half the time that a growing file takes.
        reserve_bytes: free space below which the store takes nothing more, so that it can still be closed and read.
    """

    synchronous: str = "FULL"
    checkpoint_bytes: int = number(4 * MIB, 4096)
    reserve_bytes: int = number(64 * MIB, 0)

    def __post_init__(self) -> None:
        options.Options.__post_init__(self)
        if self.synchronous not in ("FULL", "NORMAL"):
            raise ValueError(f"option synchronous={self.synchronous!r}: allowed are FULL and NORMAL")
