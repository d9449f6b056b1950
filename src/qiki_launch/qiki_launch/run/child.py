"""One process of a run: started in a session of its own, its output read line by line, its end awaited.

Everything happens in the event loop's thread: no other thread exists while a child is forked.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from qiki_launch.run.identity import Identity
from qiki_launch.run.output import LineSplitter

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """A started process.

    If this process dies, the kernel sends the child SIGTERM: nothing is left running without a supervisor.

    Raises (at construction):
        OSError: the executable cannot be started.
    """

    def __init__(
        self,
        command: list[str],
        environment: Mapping[str, str],
        working_folder: Path | None,
        on_line: Callable[[bytes, bool], None],
    ) -> None:
        """`on_line` gets each line and whether it came from standard error."""
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=working_folder,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  (there are no threads here)
        )
        self.pid = self._popen.pid
        self.identity = Identity.of(self.pid)
        self._on_line = on_line
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._pipes = [(self._popen.stdout, LineSplitter(), False), (self._popen.stderr, LineSplitter(), True)]
        for pipe, splitter, is_error in self._pipes:
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._loop.add_reader(pipe.fileno(), self._read, pipe, splitter, is_error)
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:  # too many open files: nobody would notice its end
            self._close()
            raise
        self._loop.add_reader(self._pidfd, self._reap)

    async def wait(self) -> int:
        """Exit status: the code, or minus the signal."""
        return await asyncio.shield(self._ended)

    @property
    def has_ended(self) -> bool:
        return self._ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its descendants; nothing happens where it has ended."""
        if not self.has_ended:
            _signal_group(self.pid, number)

    def _read(self, pipe: IO[bytes], splitter: LineSplitter, is_error: bool) -> None:
        try:
            data = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return
        for line in splitter.feed(data):
            self._on_line(line, is_error)
        if not data:
            self._loop.remove_reader(pipe.fileno())

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        try:
            self._close()
        finally:  # whatever happens to the last lines: the end must be noticed
            self._ended.set_result(self._popen.returncode)

    def _close(self) -> None:
        """End what is left, and pass on the rest of the output."""
        # Before the pid is given back: its descendants must not outlive it.
        _signal_group(self.pid, signal.SIGKILL)
        self._popen.wait()
        for pipe, splitter, is_error in self._pipes:
            assert pipe is not None
            self._loop.remove_reader(pipe.fileno())
            with pipe:
                self._drain(pipe, splitter, is_error)

    def _drain(self, pipe: IO[bytes], splitter: LineSplitter, is_error: bool) -> None:
        """Pass on the rest of a pipe. It may never end: a process of another session could hold it open."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(pipe.fileno(), 65536):
                for line in splitter.feed(data):
                    self._on_line(line, is_error)
        for line in splitter.flush():
            self._on_line(line, is_error)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def describe_exit(status: int) -> str:
    """A sentence about an exit status."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
