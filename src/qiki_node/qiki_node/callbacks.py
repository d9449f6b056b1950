"""The one place where the exceptions of callbacks end. No ROS in here."""

import functools
import inspect
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from prometheus_client import Counter

from qiki_node.health import Health, Level

E = TypeVar("E")

ERROR_FOR = 60.0
"""s after the latest exception of a callback for which the diagnostics are an ERROR; from then on they warn."""

_LOG_PERIOD = 5.0
"""s between two log records of the same exception, that is of the same callback, type and line."""

_FRAMES = 20
"""Innermost frames of a traceback that are logged."""


class Life:
    """Life of one entity that is called back, such as a subscription."""

    def __init__(self) -> None:
        self.is_over = False

    def of(self, entity: E) -> E:
        """The entity; its `destroy` ends this life."""
        destroy = entity.destroy  # type: ignore[attr-defined]

        def destroy_for_good() -> None:
            self.is_over = True
            destroy()

        entity.destroy = destroy_for_good  # type: ignore[attr-defined]
        return entity


class Callbacks:
    """Guards the callbacks of one node: an exception is logged with its traceback and counted, and the node goes on.

    Args:
        log: takes a sentence and the fields of a record.
        make_safe: called first, with the callback's name, in the thread of the callback: it brings what the node drives
            into a safe state.
        clock: s, steady.

    Attributes:
        counter: `qiki_node_callback_errors_total{callback}`, for the node's registry.
    """

    def __init__(
        self, log: Callable[..., None], make_safe: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._make_safe, self._clock = log, make_safe, clock
        self._logged: dict[tuple[str, type, str, int], tuple[float, int]] = {}
        self._counts: dict[str, int] = {}
        self._latest: tuple[float, str] | None = None
        self.counter = Counter(
            "qiki_node_callback_errors", "Exceptions that callbacks raised", ["callback"], registry=None
        )

    def guard(
        self,
        name: str,
        callback: Callable[..., Any],
        instead: Callable[..., Any] | None = None,
        life: "Life | None" = None,
    ) -> Callable[..., Any]:
        """The callback, with its exceptions caught.

        Args:
            name: label of the callback in log and metrics; of a bounded set.
            instead: called after an exception with the arguments of the callback and the reason; gives the value that
                the callback could not return.
            life: of the entity that is called back; once it is over, calls do nothing and return their last argument.
        """
        life = life or Life()

        def failed(error: Exception, args: tuple[Any, ...]) -> Any:
            self.failed(name, error)
            return instead(*args, reason_of(error)) if instead else None

        if inspect.iscoroutinefunction(callback):

            @functools.wraps(callback)
            async def guarded_coroutine(*args: Any) -> Any:
                if life.is_over:
                    return args[-1] if args else None
                try:
                    return await callback(*args)
                except Exception as error:
                    return failed(error, args)

            return guarded_coroutine

        @functools.wraps(callback)
        def guarded(*args: Any) -> Any:
            if life.is_over:
                return args[-1] if args else None
            try:
                return callback(*args)
            except Exception as error:
                return failed(error, args)

        return guarded

    def failed(self, name: str, error: BaseException, *, drives: bool = True) -> None:
        """Take an exception of a callback.

        Args:
            drives: False in a thread that is not the executor's: it must not touch what the node drives.
        """
        if drives:
            try:
                self._make_safe(name)
            except Exception as second:
                self._note(f"{name}: make safe", second)
        self._note(name, error)

    def _note(self, name: str, error: BaseException) -> None:
        now = self._clock()
        self.counter.labels(name).inc()
        self._counts[name] = self._counts.get(name, 0) + 1
        self._latest = now, f"{name}: {reason_of(error)}"
        held_back = self._held_back(name, error, now)
        if held_back is not None:
            fields = {"held_back": held_back} if held_back else {}
            trace = "".join(traceback.format_exception(error, limit=-_FRAMES)).rstrip()
            self._log(f"{name} failed", error=reason_of(error), **fields, traceback=trace)

    def _held_back(self, name: str, error: BaseException, now: float) -> int | None:
        """Records held back since the latest; None if this one is held back too."""
        *_, last = traceback.extract_tb(error.__traceback__, limit=-1) or [traceback.FrameSummary("", 0, "")]
        key = name, type(error), last.filename, last.lineno or 0
        logged, held_back = self._logged.get(key, (-_LOG_PERIOD, 0))
        if now - logged < _LOG_PERIOD:
            self._logged[key] = logged, held_back + 1
            return None
        self._logged[key] = now, 0
        return held_back

    def settle(self) -> None:
        """Forget the latest exception: the node has been made afresh."""
        self._latest = None

    def health(self) -> Health:
        """ERROR for a minute after an exception, a warning from then on."""
        if self._latest is None:
            return Health(Level.OK, "no callback failed")
        at, reason = self._latest
        level = Level.ERROR if self._clock() - at < ERROR_FOR else Level.WARN
        return Health(level, reason, dict(self._counts))


def reason_of(error: BaseException) -> str:
    """The exception in one line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def failed_answer(kind: type[E], reason: str) -> E:
    """A response of a service or a result of an action that reports a failure, as far as its fields can."""
    answer: Any = kind()
    for field in ("message", "reason"):
        if isinstance(getattr(answer, field, None), str):
            setattr(answer, field, reason)
    for field, constant in (("code", "UNAVAILABLE"), ("outcome", "FAILED")):
        if hasattr(answer, field) and hasattr(kind, constant):
            setattr(answer, field, getattr(kind, constant))
    answer_of_kind: E = answer
    return answer_of_kind
