"""Options for opening a store of any engine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from qiki_events import Projection

MIB: Final = 1024 * 1024


def number(default: Any, least: float) -> Any:
    """An option that is a number of the default's type, from `least` on."""
    return field(default=default, metadata={"least": least})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of every engine.

    Attributes:
        max_events: events that may wait for the writer.
        max_bytes: bytes of payload that may wait for the writer.
        patience: s that an audit append waits for room in the queue.
        probe: s between attempts to write again after the disk was full.
        heads: file of signed heads; None: the engine's default. It shows a cut-off tail only as long as it is not cut
            off too: keep it on another disk or machine. Public keys are kept beside it.
        key: file of the private key that signs; None: the engine's default. Made on first use, readable by its owner.
        sign_events: events after which a head is signed.
        sign_seconds: s after which a head is signed, if there is a new one.
        projections: of which snapshots are kept by themselves, for each group of streams (`alpha/*`), and are folded
            again by `verify`.
        snapshot_events: events between two such snapshots.
        poll: s between looks for news when the store is only read.
        clock: ns since the Unix epoch; it may jump.
    """

    max_events: int = number(65_536, 1)
    max_bytes: int = number(64 * MIB, 1)
    patience: float = number(5.0, 0)
    probe: float = number(1.0, 0.01)
    heads: Path | str | None = None
    key: Path | str | None = None
    sign_events: int = number(10_000, 1)
    sign_seconds: float = number(10.0, 0.01)
    projections: Sequence[Projection[Any]] = ()
    snapshot_events: int = number(10_000, 1)
    poll: float = number(0.05, 0.001)
    clock: Callable[[], int] = time.time_ns

    def __post_init__(self) -> None:
        for option in fields(self):
            if (least := option.metadata.get("least")) is not None:
                value, whole = getattr(self, option.name), isinstance(option.default, int)
                allowed = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
                if not allowed or not value >= least:
                    kind = "whole number" if whole else "number"
                    raise ValueError(f"option {option.name}={value!r}: must be a {kind} from {least}")

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Options by name; an unknown name is refused."""
        known = [option.name for option in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(f"option {name}: unknown; known are {', '.join(known)}")
        return cls(**values)
