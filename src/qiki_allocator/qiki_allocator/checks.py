"""Refusal of requests, and of configuration values out of range, in one wording."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from qiki_vehicle import ConfigurationError


class RefusalError(ValueError):
    """A request is refused; the text names field, value and allowed range. Any other error is a fault."""


@contextmanager
def refusing() -> Iterator[None]:
    """A ValueError in the block, about a value that was requested, becomes a refusal.

    Raises:
        RefusalError: with its text.
    """
    try:
        yield
    except ValueError as error:
        raise RefusalError(str(error)) from error


def require(name: str, value: float, unit: str, low: float, high: float = math.inf, *, above: bool = False) -> None:
    """Refuse a value that is not finite or outside [low, high] (`above`: `low` itself is refused too).

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """
    if math.isfinite(value) and low <= value <= high and not (above and value == low):
        return
    if math.isfinite(high):
        allowed = f"{'above ' if above else ''}{low:g} to {high:g}"
    else:
        allowed = f"finite, {'above' if above else 'at least'} {low:g}"
    raise ConfigurationError(f"{name}: {value} {unit}".rstrip() + f"; allowed: {allowed} {unit}".rstrip())
