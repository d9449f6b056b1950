"""The wall clock of a child process, which a test can set; every other clock of it is the machine's."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class WallClock:
    """Wall clock of the processes that get `environment`.

    Args:
        folder: for the library and the offset.
    """

    def __init__(self, folder: Path) -> None:
        compiler = next(found for name in ("cc", "gcc", "clang") if (found := shutil.which(name)))
        library, offset = folder / "wall_clock.so", folder / "offset"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True)
        offset.write_bytes(struct.pack("q", 0))
        with offset.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": str(library), "QIKI_WALL_OFFSET": str(offset)}
        self.offset = 0.0

    def step(self, seconds: float) -> None:
        """Set the clock forward, or back where negative."""
        self.offset += seconds
        struct.pack_into("q", self._page, 0, round(self.offset * 1e9))
