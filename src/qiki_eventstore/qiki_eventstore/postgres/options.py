"""Options of a PostgreSQL store."""

from dataclasses import dataclass
from pathlib import Path

from qiki_eventstore.engine import options
from qiki_eventstore.engine.options import number


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(options.Options):
    """Options of `PostgresStore.open`. No heads are signed here unless `heads` is given; one file per process.

    Attributes:
        schema: PostgreSQL schema that holds the tables: one per store.
        password_file: file with nothing but the password, read again for each connection; None: as the URL says.
        reconnect_patience: s for which appends, reads and followers wait for a server that takes writes (fail-over).
        standby: s for which opening waits for the end of another writer; `math.inf` for a node that stands by.
        segments: folder for the segments that retention drops; None: there is no retention here.
    """

    schema: str = "qiki"
    password_file: Path | str | None = None
    reconnect_patience: float = number(30.0, 0)
    standby: float = number(5.0, 0)
    segments: Path | str | None = None

    def __post_init__(self) -> None:
        options.Options.__post_init__(self)
        if self.key is not None and self.heads is None:
            raise ValueError("option key: without the option heads nothing is signed")
