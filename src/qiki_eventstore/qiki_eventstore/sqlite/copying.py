"""A consistent copy of a store while it is written to."""

from pathlib import Path

import apsw

from qiki_eventstore.engine.heads import load_head
from qiki_eventstore.errors import StoreUnavailable
from qiki_eventstore.files import draft_of, publish, read_regular, sync
from qiki_eventstore.heads import public_keys_file, read_heads
from qiki_eventstore.sqlite.location import beside
from qiki_eventstore.sqlite.pool import Readers


def backup(readers: Readers, path: Path, heads: Path) -> None:
    """Copy the database, the signed heads that it reaches and the public keys, to `path` and the files beside it.

    Raises:
        FileExistsError: one of them exists.
        FileNotFoundError: its folder does not exist.
        StoreFull: no room for the copy.
        StoreUnavailable: it cannot be written.
    """
    to_heads, to_keys = beside(path, ".heads"), beside(path, ".pub")
    made: list[Path] = []
    try:
        with draft_of(path) as draft, draft_of(to_heads) as head_lines, draft_of(to_keys) as keys:
            position = _copy(readers, draft)
            # The database last: a backup is there when all that belongs to it is.
            if lines := _lines_up_to(position, heads):
                for file, text, target in (
                    (keys, read_regular(public_keys_file(heads)), to_keys),
                    (head_lines, b"".join(lines), to_heads),
                ):
                    _write(file, text)
                    publish(file, target)
                    made.append(target)
            publish(draft, path)
    except BaseException as error:
        for target in made:
            target.unlink(missing_ok=True)
        if isinstance(error, apsw.CantOpenError):
            raise StoreUnavailable(f"{path}: cannot be written: {error}") from error
        raise


def _copy(readers: Readers, draft: Path) -> int:
    """Copy the database in one step, which is one moment of it; the position that it goes up to."""
    with readers.connection() as source:
        target = apsw.Connection(str(draft))
        try:
            with target.backup("main", source, "main") as copy:
                copy.step(-1)
            position = load_head(target).position
            # One file, until somebody opens it as a store.
            target.execute("PRAGMA journal_mode = DELETE")
        finally:
            target.close()
    with draft.open("rb") as file:
        sync(file)
    return position


def _lines_up_to(position: int, heads: Path) -> list[bytes]:
    lines = read_regular(heads).splitlines(keepends=True) if heads.exists() else []
    return [lines[head.line - 1] for head in read_heads(heads) if head.position <= position]


def _write(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        sync(file)
