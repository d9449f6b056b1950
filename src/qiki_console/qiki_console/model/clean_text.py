"""Texts of strangers for files."""

from qiki_node.terminal import printable


def clean(text: str, most: int = 200) -> str:
    """A text without characters that XML forbids or that steer a display, cut to `most` with an ellipsis."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
