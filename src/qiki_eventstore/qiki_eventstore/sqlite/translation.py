"""SQLite's errors as those of the event store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from qiki_eventstore.engine.backend import Stale
from qiki_eventstore.errors import StoreCorrupt, StoreFull, StoreUnavailable

FREE: Final = "free space; the store goes on by itself"


class translated:  # noqa: N801
    """SQLite's errors as those of the event store."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case apsw.ConstraintError():
                raise Stale(str(error)) from error
            case apsw.CorruptError() | apsw.NotADBError():
                reason = f"the database is damaged ({error}): restore a backup, or export what was recorded before"
                raise StoreCorrupt(reason) from error
            case apsw.FullError() | apsw.IOError() | OSError():
                raise StoreFull(f"the disk is full or failed: {error}: {FREE}") from error
            case apsw.Error():
                raise StoreUnavailable(f"not stored: {error!r}") from error


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """SQLite's errors at opening as those of the event store."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StoreCorrupt(f"{path} is damaged or no event store ({error}): restore a backup") from error
    except (apsw.FullError, apsw.IOError) as error:
        raise StoreFull(
            f"{path} cannot be opened, the disk is full or failed ({error}): free space and open it again"
        ) from error
    except apsw.Error as error:
        readable = os.access(path, os.R_OK, effective_ids=True)
        reason = str(error) if readable else "no permission to read it"
        raise StoreUnavailable(f"{path} cannot be opened: {reason}") from error
