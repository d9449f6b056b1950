"""One node's life under a supervisor: started, watched, restarted, stopped."""

import asyncio
import contextlib
import dataclasses
import signal
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from qiki_launch.plan.launch_plan import NodePlan
from qiki_launch.run.backoff import Backoff
from qiki_launch.run.child import Child, describe_exit
from qiki_launch.run.output import LogFile, Screen
from qiki_launch.run.run_state import EXITED, FAILED, RUNNING, STOPPED, STOPPING, WAITING, ProcessRecord, now

_MANY = 3
"""Early deaths in a row after which a warning is shown."""
_ON_SCREEN = ("screen", "both", "full")


class Member:
    """A node of a run. `record` is its state, `changed` is called after each change of that, `emit` with events."""

    def __init__(
        self,
        node: NodePlan,
        *,
        command: list[str],
        environment: Mapping[str, str],
        log: LogFile,
        backoff: Backoff,
        stop: asyncio.Event,
        screen: Screen,
        show: Callable[[str], None],
        changed: Callable[[], None],
        emit: Callable[[str, Mapping[str, Any]], None],
        before_restart: Callable[[], None],
        shut_down: Callable[[str], None],
    ) -> None:
        """`shut_down` ends the run, for the given reason."""
        self.record = ProcessRecord(
            name=node.label,
            command=tuple(command),
            log=str(log.path),
            sigterm_timeout=node.sigterm_timeout,
            sigkill_timeout=node.sigkill_timeout,
        )
        self._node = node
        self._command = command
        self._environment = environment
        self._log = log
        self._backoff = backoff
        self._stop = stop
        self._screen = screen
        self._show = show
        self._changed = changed
        self._emit = emit
        self._before_restart = before_restart
        self._shut_down = shut_down
        self._child: Child | None = None
        self._ended = asyncio.Event()
        self._escalated = asyncio.Event()

    @property
    def failed(self) -> bool:
        return self.record.state == FAILED

    async def live(self) -> None:
        """Start, and start again as planned, until the end or until the run stops."""
        try:
            await self._lives()
        except Exception as error:  # a fault of the runner must not take the other nodes with it
            self.signal(signal.SIGKILL)
            reason = f"the launch runner failed: {type(error).__name__}: {error}"
            self._update(state=FAILED, last_exit=reason, last_exit_at=now())
            for line in (f"{self.record.name}: {reason}", *traceback.format_exc().splitlines()):
                self._show(line)
            self._emit("launch.node_died", {"name": self.record.name, "reason": reason})
        finally:
            self._ended.set()
            self._log.close()

    async def _lives(self) -> None:
        while not self._stop.is_set():
            status, lifetime = await self._one_life()
            if self._stop.is_set() or not self._may_restart():
                self._update(state=STOPPED if self._stop.is_set() else EXITED if status == 0 else FAILED)
                if self._node.shutdown_on_exit and not self._stop.is_set():
                    self._shut_down(f"{self.record.name} has ended (on_exit: shutdown)")
                break
            self._backoff, delay = self._backoff.after_exit(lifetime)
            if self._backoff.early_deaths == _MANY:
                self._show(
                    f"{self.record.name}: warning: ended {_MANY} times in a row within "
                    f"{self._backoff.policy.stable:g} s of its start ({self.record.last_exit}); "
                    f"waiting longer before each further attempt; its output: {self._log.path}"
                )
            self._show(f"{self.record.name}: restart {self.record.restarts + 1} in {delay:g} s")
            self._update(state=WAITING)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay)
            if not self._stop.is_set():
                self._before_restart()
                self._update(restarts=self.record.restarts + 1)
        if self.record.state == WAITING:
            self._update(state=STOPPED)

    async def stop(self) -> None:
        """SIGINT, after a time SIGTERM, after a further time SIGKILL, until the process has ended."""
        steps = (
            (signal.SIGINT, self._node.sigterm_timeout),
            (signal.SIGTERM, self._node.sigkill_timeout),
            (signal.SIGKILL, None),
        )
        for number, timeout in steps:
            if self._ended.is_set():
                return
            self.signal(number)
            if number != signal.SIGINT:
                self._escalated.set()
                self._show(f"{self.record.name}: still there, sending {number.name}")
            elif self._child is not None and not self._child.has_ended:
                self._update(state=STOPPING)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), timeout)

    async def ended_or_escalated(self) -> None:
        """Wait until the process has ended or has not heeded SIGINT in time."""
        waits = [asyncio.create_task(event.wait()) for event in (self._ended, self._escalated)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def signal(self, number: signal.Signals) -> None:
        """Pass a signal to the process, where it runs."""
        if self._child is not None:
            self._child.signal(number)

    async def _one_life(self) -> tuple[int, float]:
        """Run the process once; its exit status and how many s it lived."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            self._child = Child(self._command, self._environment, self._node.working_folder, self._on_line)
        except OSError as error:
            self._show(f"{self.record.name}: cannot be started: {error}")
            self._update(last_exit=f"cannot be started: {error}", last_exit_at=now())
            self._emit("launch.node_died", {"name": self.record.name, "reason": f"cannot be started: {error}"})
            return 127, 0.0
        self._show(f"{self.record.name}: started, pid {self._child.pid}")
        self._update(state=RUNNING, identity=self._child.identity)
        name = self.record.name
        self._emit("launch.node_started", {"name": name, "pid": self._child.pid, "attempt": self.record.restarts})
        status = await self._child.wait()
        lifetime = loop.time() - begin
        self._show(f"{self.record.name}: {describe_exit(status)} after {lifetime:.1f} s")
        self._update(last_exit=describe_exit(status), last_exit_at=now(), identity=None)
        end = {"name": name, "code": status, "lifetime_s": lifetime}
        if self._stop.is_set():
            self._emit("launch.node_stopped", end)
        else:
            self._emit("launch.node_died", {**end, "reason": describe_exit(status)})
        return status, lifetime

    def _may_restart(self) -> bool:
        respawn = self._node.respawn
        return (
            not self._node.shutdown_on_exit
            and respawn.wanted
            and (respawn.retries < 0 or self.record.restarts < respawn.retries)
        )

    def _on_line(self, line: bytes, is_error: bool) -> None:
        self._log.write(line)
        if is_error or self._node.output in _ON_SCREEN:
            self._screen.line(self.record.name, line.decode(errors="replace"))

    def _update(self, **changes: object) -> None:
        self.record = dataclasses.replace(self.record, **changes)  # type: ignore[arg-type]
        self._changed()
