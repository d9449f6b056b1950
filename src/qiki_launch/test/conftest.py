"""A package prefix made for the test, with small executables as nodes, and launches of it as real processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

SOURCE = Path(__file__).resolve().parents[1]
PATIENCE = 30.0
"""s after which something that must happen is called missing."""


class FakePrefix:
    """An installed package `fake`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.share = path / "share/fake"
        self.share.mkdir(parents=True)
        index = path / "share/ament_index/resource_index/packages"
        index.mkdir(parents=True)
        (index / "fake").touch()
        (path / "lib/fake").mkdir(parents=True)
        self.environment = {"AMENT_PREFIX_PATH": str(path), "PATH": os.environ["PATH"]}

    def executable(self, name: str, source: str = "", *, options: str = "-SE") -> Path:
        """Install a Python script; without site packages it starts quickly."""
        path = self.path / "lib/fake" / name
        path.write_text(f"#!{sys.executable} {options}".rstrip() + f"\n{source}\n")
        path.chmod(0o755)
        return path

    def launch_file(self, name: str, text: str) -> Path:
        path = self.share / name
        path.write_text(text)
        return path


class Run:
    """A launch in a process of its own, with a run directory of its own."""

    def __init__(self, prefix: FakePrefix, folder: Path) -> None:
        self.prefix = prefix
        self.folder = folder
        self.environment = {
            **os.environ,
            "AMENT_PREFIX_PATH": os.pathsep.join([str(prefix.path), os.environ.get("AMENT_PREFIX_PATH", "")]),
            "PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")]),
            "QIKI_RUN_DIR": str(folder),
        }
        self.process: subprocess.Popen[str] | None = None

    @staticmethod
    def heed_signals() -> None:
        """Undo what nohup or a background job of a script has the tests ignore, and everything they start."""
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "qiki_launch", *words]

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end."""
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def start(self, text: str, *arguments: str, terminal: int | None = None) -> "subprocess.Popen[str]":
        """Launch a file of that text; its output goes to `self.output`, or to a terminal."""
        file = self.prefix.launch_file("run.launch.yaml", text)
        self.output = self.folder.parent / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                self.command("launch", str(file), *arguments),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output if terminal is None else terminal,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=self.heed_signals,  # noqa: PLW1509  (no thread of a test runs here)
            )
        return self.process

    def state(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return data

    def record(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(record for record in self.state()["processes"] if record["name"] == name)
        return found

    def pid(self, name: str) -> int:
        """The pid of a node, once it runs."""
        wait_for(lambda: (self.folder / "state.json").exists() and self.record(name)["state"] == "running")
        return int(self.record(name)["identity"]["pid"])

    def says(self, text: str) -> None:
        """Wait until the output has a text."""
        wait_for(lambda: text in self.output.read_text(), self.output.read_text)

    def stop(self) -> int:
        """SIGINT; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def clean_up(self) -> None:
        if self.process is None:
            return
        pids = [record["identity"]["pid"] for record in self._records() if record["identity"]]
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):  # it may go between any two looks
                process = psutil.Process(pid)
                if process.ppid() in (0, 1, os.getpid()):
                    process.kill()

    def _records(self) -> list[dict[str, Any]]:
        return self.state()["processes"] if (self.folder / "state.json").exists() else []


def wait_for(condition: Callable[[], bool], explain: Callable[[], str] = lambda: "") -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {explain()}"
        time.sleep(0.02)


@pytest.fixture
def prefix(tmp_path: Path) -> FakePrefix:
    return FakePrefix(tmp_path / "prefix")


@pytest.fixture
def run(prefix: FakePrefix, tmp_path: Path) -> Iterator[Run]:
    one = Run(prefix, tmp_path / "run")
    yield one
    one.clean_up()
