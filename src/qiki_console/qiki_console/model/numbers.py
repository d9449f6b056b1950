"""Numbers as text for an operator."""

from math import isfinite
from typing import Final

NA: Final = "N/A"
"""A value that is not known."""


def number(value: float, digits: int) -> str:
    """A number, N/A if it is not finite."""
    return f"{value:.{digits}f}" if isfinite(value) else NA
