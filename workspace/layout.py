"""Paths of a checkout."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths of one checkout; `root` is absolute and free of symbolic links."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def venv_python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def build(self) -> Path:
        return self.root / "build"

    @property
    def install(self) -> Path:
        return self.root / "install"

    @property
    def requirements(self) -> Path:
        return self.root / "requirements"

    @property
    def state(self) -> Path:
        """State of `./qiki` between two starts."""
        return self.root / ".qiki"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def run(self) -> Path:
        """Run folder of the launched graph, shared with `qiki_launch`; a relative QIKI_RUN_DIR is the caller's."""
        return Path(os.environ.get("QIKI_RUN_DIR") or self.state / "run").absolute()

    @property
    def environment_file(self) -> Path:
        return self.state / "environment.json"
