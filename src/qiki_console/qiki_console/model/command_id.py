"""Id of the operator's command under way, which every event that it causes carries."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from uuid_utils.compat import uuid7

_CURRENT: ContextVar[str] = ContextVar("command_id", default="")


def in_procedure() -> bool:
    """True inside of `one_command`, which records each command itself."""
    return bool(_CURRENT.get())


def command_id() -> str:
    """Id of the command: that of the procedure's step, or a new one."""
    return _CURRENT.get() or str(uuid7())


@contextmanager
def one_command() -> Iterator[str]:
    """Give every command inside one new id."""
    token = _CURRENT.set(str(uuid7()))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)
