"""The store's errors as those of a command (`qiki_node.errors`)."""

from collections.abc import Iterator
from contextlib import contextmanager

from qiki_eventstore.errors import EventStoreError, StoreCorrupt, StoreUnavailable
from qiki_node.errors import CommandError, RefusedError, UnreachableError, up_hint

_ALONE = "only one process writes to a store: if a node has it open, stop that node (./qiki down) and try again"


@contextmanager
def store_errors(*, on_graph: bool, write: bool = False) -> Iterator[None]:
    """Raise the store's errors as the command's, each with its exit code and a hint."""
    try:
        yield
    except BrokenPipeError:  # of the output
        raise
    except StoreUnavailable as error:
        hint = f"{up_hint()}; or name a store with --store sqlite:///path" if on_graph else _ALONE if write else ""
        raise UnreachableError(str(error), hint) from error
    except StoreCorrupt as error:
        raise CommandError(str(error), "qiki events restore brings a backup back") from error
    except EventStoreError as error:
        raise CommandError(str(error)) from error
    except (ValueError, FileExistsError) as error:
        raise RefusedError(str(error)) from error
    except FileNotFoundError as error:
        reason = (error.strerror or "").lower().replace("no such file or directory", "no such file")
        raise RefusedError(f"{error.filename}: {reason}" if error.filename else str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CommandError(f"{where}{error.strerror or error}") from error
