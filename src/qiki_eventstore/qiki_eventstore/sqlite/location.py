"""Location of a store: its URL, and the names of the files beside the database."""

import re
from pathlib import Path
from urllib.parse import quote, unquote

from qiki_eventstore.errors import StoreUnavailable

_SCHEME = "sqlite:///"
_EXPECTED = "must be sqlite:///relative/path.db or sqlite:////absolute/path.db"


def parse_url(url: str) -> tuple[Path, bool]:
    """Path of the database and whether it is only read, from `sqlite:///path?mode=ro` or a plain path.

    In a URL, `%23` and the like stand for the characters that they encode, and `?` begins the mode. A text without
    `scheme:` is the path itself, character by character.

    Raises:
        ValueError: neither of them.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", url)
    if scheme is None:
        return _checked(url, url), False
    if scheme[1] != "sqlite":  # its URLs may contain a password
        raise ValueError(f"store URL {scheme[0]}…: {_EXPECTED}")
    address, _, query = url.partition("?")
    path = unquote(address.removeprefix(_SCHEME), errors="surrogateescape")
    if not address.startswith(_SCHEME) or not path or path.endswith("/"):
        raise ValueError(f"store URL {url!r}: {_EXPECTED}")
    mode = "rw"
    for pair in query.split("&") if query else ():
        if pair not in ("mode=ro", "mode=rw"):
            raise ValueError(f"store URL {url!r}: {pair}: allowed are mode=ro and mode=rw; a ? of the path is %3F")
        mode = pair.removeprefix("mode=")
    return _checked(path, url), mode == "ro"


def _checked(path: str, url: str) -> Path:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"store {url!r}: the path must be UTF-8; give the file or its folder another name") from None
    if "\0" in path or not path or path.endswith("/"):
        raise ValueError(f"store {url!r}: {_EXPECTED}, or the path of a file")
    return Path(path)


def url_of(path: Path, *, read_only: bool = False) -> str:
    """URL of a database: the inverse of `parse_url`."""
    text = re.sub(r"[%?#\x00-\x20\x7f]", lambda found: quote(found[0]), str(path.absolute()))
    return f"{_SCHEME}{text}{'?mode=ro' if read_only else ''}"


def resolved(path: Path) -> Path:
    """The path of the file itself: absolute, without symbolic links and `..`, so that all names give one.

    Raises:
        StoreUnavailable: symbolic links that lead in a circle, or a folder that may not be looked into.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise StoreUnavailable(f"{path} cannot be opened: {error}") from error


def beside(path: Path, suffix: str) -> Path:
    """A file next to the database, such as `events.db.lock`."""
    return path.with_name(path.name + suffix)
