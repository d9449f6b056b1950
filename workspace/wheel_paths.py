"""Makes the CMake files of the ROS 2 wheels name this machine's paths instead of their build machine's."""

import re
from pathlib import Path

_INCLUDE = re.compile(r"/opt/python/cp3[^/\s;\"]*/include/python3\.\d+")
_LIBRARY = re.compile(r"/opt/python/cp3[^/\s;\"]*/lib(?![\w.])")


def repaired(text: str, include: str, library: str) -> str:
    """`text` with the build machine's Python include folder and library folder replaced."""
    return _LIBRARY.sub(lambda _: library, _INCLUDE.sub(lambda _: include, text))


def repair(prefix: Path, include: str) -> int:
    """Repair every CMake file below `prefix`/share and return how many changed. Safe to repeat."""
    changed = 0
    for path in sorted((prefix / "share").rglob("*.cmake")):
        before = path.read_text(encoding="utf-8", errors="surrogateescape")
        after = repaired(before, include, str(prefix / "lib"))
        if after != before:
            path.write_text(after, encoding="utf-8", errors="surrogateescape")
            changed += 1
    return changed
