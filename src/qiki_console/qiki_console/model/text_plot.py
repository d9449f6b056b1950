"""A curve as text, for a terminal."""

from collections.abc import Sequence
from math import isfinite

_WIDTH, _HEIGHT = 64, 8


def text_plot(title: str, times: Sequence[float], values: Sequence[float]) -> list[str]:
    """Lines of a plot over time. A column shows the extent of all values in it; what is not finite leaves a gap.

    Args:
        title: of the quantity, with its unit.
        times: s, ascending.
        values: as many.
    """
    width, height = _WIDTH, _HEIGHT
    known = [(time, value) for time, value in zip(times, values, strict=True) if isfinite(value)]
    if not known:
        return [f"{title}: N/A"]
    begin, end = times[0], times[-1]
    low, high = min(value for _, value in known), max(value for _, value in known)
    # In halves: the whole span of finite values may not be finite.
    half, duration = (high / 2 - low / 2) or 1.0, (end - begin) or 1.0
    rows = [[" "] * width for _ in range(height)]
    for time, value in known:
        column = min(int((time - begin) / duration * width), width - 1)
        row = min(int((high / 2 - value / 2) / half * height), height - 1)
        rows[row][column] = "*"
    steps = height - 1
    labels = [f"{high * ((steps - row) / steps) + low * (row / steps):10.3f}" for row in range(height)]
    if high == low:
        labels = [f"{high:10.3f}", *[" " * 10] * (height - 1)]
    lines = [title, *(f"{label} |{''.join(row)}" for label, row in zip(labels, rows, strict=True))]
    foot = f"0 s{f'{end - begin:.1f} s':>{width - 3}}"
    return [*lines, f"{' ' * 10} +{'-' * width}", f"{' ' * 12}{foot}"]
