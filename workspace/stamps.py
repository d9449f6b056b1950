"""Finished steps of the set-up and their inputs.

A stamp holds a digest of everything the step depends on. Equal digest: the step is skipped. A stamp is
marked while its step runs; a mark that is left at the next start means that the step was interrupted, and its result
is not used.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RUNNING = "running"
FAILED = "failed"


def digest(parts: Iterable[str | bytes | Path]) -> str:
    """SHA-256 over the parts in order; a Path stands for its file's content (or for its absence)."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            content = part.read_bytes() if part.is_file() else b"(absent)"
        else:
            content = part.encode() if isinstance(part, str) else part
        # The length keeps ("ab", "c") apart from ("a", "bc").
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


@dataclass(frozen=True)
class Stamp:
    """The memory of one step, in one file."""

    path: Path

    def read(self) -> str | None:
        try:
            return self.path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def write(self, value: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.write_text(value + "\n", encoding="utf-8")
        temporary.replace(self.path)

    def matches(self, value: str) -> bool:
        return self.read() == value

    @property
    def interrupted(self) -> bool:
        return self.read() == RUNNING

    @contextmanager
    def during(self, value: Callable[[], str]) -> Iterator[None]:
        """Hold the stamp at "running" for the block; afterwards what `value` returns then, or "failed" where the
        block raised an error.

        An interrupt (Ctrl-C, a signal) leaves "running" behind.
        """
        self.write(RUNNING)
        try:
            yield
        except Exception:
            self.write(FAILED)
            raise
        self.write(value())
