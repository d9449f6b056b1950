"""What can be set when a PostgreSQL store is opened."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of `PostgresStore.open`.

    Attributes:
        schema: PostgreSQL schema that holds the tables: one per store.
        password_file: file with nothing but the password, read anew for each connection; None: as the URL says.
        max_events: events that may wait for the writer of this process.
        max_bytes: bytes of payload that may wait for the writer of this process.
        patience: s that an audit append waits for room in the queue.
        reconnect_patience: s for which appends, reads and followers wait for a server that takes writes (fail-over).
        partition_days: days of recording time in a partition; counts when the store is made.
        seal_seconds: s between looks for events to add to the hash chain.
        heads: file of signed heads; None: none are signed here. It shows a cut-off tail. One file per process.
        key: file of the private key that signs; None: `.key` instead of the suffix of `heads`.
        sign_events: events after which a head is signed.
        sign_seconds: s after which a head is signed, if there is a new one.
    """

    schema: str = "qiki"
    password_file: Path | str | None = None
    max_events: int = 65_536
    max_bytes: int = 64 * 1024 * 1024
    patience: float = 5.0
    reconnect_patience: float = 30.0
    partition_days: int = 7
    seal_seconds: float = 0.2
    heads: Path | str | None = None
    key: Path | str | None = None
    sign_events: int = 10_000
    sign_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                raise ValueError(f"option {name}={value!r}: must be a number from {least}")
        if not isinstance(self.partition_days, int):
            raise ValueError(f"option partition_days={self.partition_days!r}: must be a whole number from 1")
        if self.key is not None and self.heads is None:
            raise ValueError("option key: without the option heads nothing is signed")


_LEAST: Final = {
    "max_events": 1,
    "max_bytes": 1,
    "patience": 0,
    "reconnect_patience": 0,
    "partition_days": 1,
    "seal_seconds": 0.01,
    "sign_events": 1,
    "sign_seconds": 0.01,
}


def options_from(values: dict[str, Any]) -> Options:
    """Options by name; an unknown name is refused."""
    known = [field.name for field in fields(Options)]
    for name in values:
        if name not in known:
            raise ValueError(f"option {name}: unknown; known are {', '.join(known)}")
    return Options(**values)
