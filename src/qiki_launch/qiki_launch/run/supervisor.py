"""Runs a plan: starts its nodes in order, restarts those that end, stops all in reverse order."""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from qiki_launch.errors import RunError
from qiki_launch.plan.launch_plan import InlineParameters, LaunchPlan, NodePlan
from qiki_launch.run.backoff import Backoff, BackoffPolicy
from qiki_launch.run.event_files import EventFiles
from qiki_launch.run.identity import Identity, boot_id
from qiki_launch.run.member import Member
from qiki_launch.run.orphans import stop_orphans
from qiki_launch.run.output import LogFile, Screen
from qiki_launch.run.run_state import RUNNING, STOPPED, STOPPING, RunFolder, RunState, ended, now
from qiki_node.shared_memory import remove_stale

_SELF = "launch"
_ASKS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ONE_REQUEST = 1.0
"""s within which further signals are the same request: Ctrl-C reaches us from the terminal and from our starter."""


class Supervisor:
    """One run of a plan in a run directory.

    Raises (by `run`):
        RunError: another supervisor runs there, or the directory cannot be used.
    """

    def __init__(
        self, plan: LaunchPlan, folder: RunFolder, screen: Screen, policy: BackoffPolicy | None = None
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._screen = screen
        self._policy = policy or BackoffPolicy()
        self._events = EventFiles(folder.events, self._show)
        self._members: list[Member] = []
        self._outcome = "all nodes have ended"
        self._asked = 0
        self._asked_at = 0.0

    def run(self) -> int:
        """Run until every node has ended for good or a signal asks to stop.

        Returns the exit status: 0, or 1 where nodes ended by themselves and one of them failed.
        """
        self._folder.lock()
        try:
            self._log = LogFile(self._folder.logs / f"{_SELF}.log")
        except OSError as error:
            self._folder.unlock()
            raise RunError(f"run directory {self._folder.path} cannot be used: {error}") from error
        try:
            self._clear_remains()
            return asyncio.run(self._main())
        finally:
            self._log.close()
            self._folder.unlock()

    async def _main(self) -> int:
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._started_at = now()
        loop = asyncio.get_running_loop()
        for number in _ASKS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started with nohup
            loop.add_signal_handler(number, self._ask_to_stop, number)
        for warning in self._plan.warnings:
            self._show(f"warning: {warning}")
        self._clean_shared_memory()
        self._members = [self._member(node) for node in self._plan.nodes]
        self._write_state(RUNNING)
        self._events.emit("launch.started", {"file": str(self._plan.file), "arguments": dict(self._plan.arguments)})
        lives = [asyncio.create_task(member.live()) for member in self._members]
        everything_ended = asyncio.gather(*lives)
        everything_ended.add_done_callback(lambda _: self._wake.set())
        await self._wake.wait()
        if self._stop.is_set():
            self._write_state(STOPPING)
            await self._stop_members()
        await everything_ended
        self._write_state(STOPPED)
        self._clean_shared_memory()
        failed = [member for member in self._members if member.failed]
        outcome = "stopped" if self._asked else self._outcome
        self._show(outcome)
        self._events.emit("launch.stopped", {"reason": outcome})
        return 1 if failed and not self._asked else 0

    def _shut_down(self, reason: str) -> None:
        """End the run as the launch file wants it: all nodes stop in order."""
        self._outcome = reason
        self._stop.set()
        self._wake.set()
        self._show(f"{reason}: stopping")

    async def _stop_members(self) -> None:
        """Stop in reverse order, each when the one before has ended or has not heeded SIGINT in time."""
        stops = []
        for member in reversed(self._members):
            stops.append(asyncio.create_task(member.stop()))
            await member.ended_or_escalated()
        await asyncio.gather(*stops)

    def _ask_to_stop(self, number: signal.Signals) -> None:
        """The first signal stops in order, the second sends SIGTERM to all at once, a further one SIGKILL."""
        moment = asyncio.get_running_loop().time()
        if self._asked and moment - self._asked_at < _ONE_REQUEST:
            return
        self._asked += 1
        self._asked_at = moment
        if self._asked == 1:
            self._stop.set()
            self._wake.set()
            self._show(f"{signal.Signals(number).name}: stopping")
            return
        harder = signal.SIGTERM if self._asked == 2 else signal.SIGKILL
        for member in self._members:
            member.signal(harder)
        self._show(f"{signal.Signals(number).name} again: sending {harder.name} to all")

    def _member(self, node: NodePlan) -> Member:
        log = LogFile(self._folder.logs / f"{node.label.replace('/', '.')}.log")
        return Member(
            node,
            command=node.command(list(self._parameter_files(node))),
            environment={**os.environ, **dict(node.environment)},
            log=log,
            backoff=Backoff(self._policy, node.respawn.delay),
            stop=self._stop,
            screen=self._screen,
            show=self._show,
            changed=self._on_change,
            emit=self._events.emit,
            before_restart=self._clean_shared_memory,
            shut_down=self._shut_down,
        )

    def _parameter_files(self, node: NodePlan) -> Iterable[Path]:
        for number, parameters in enumerate(node.parameters, 1):
            if isinstance(parameters, InlineParameters):
                file = self._folder.parameters / f"{node.label.replace('/', '.')}.{number}.yaml"
                file.write_text(parameters.to_yaml(), encoding="utf-8")
                yield file
            else:
                yield parameters

    def _on_change(self) -> None:
        self._write_state(STOPPING if self._stop.is_set() else RUNNING)

    def _write_state(self, phase: str) -> None:
        this = Identity.of(os.getpid())
        assert this is not None
        try:
            self._folder.write(
                RunState(
                    supervisor=this,
                    boot=boot_id(),
                    file=str(self._plan.file),
                    arguments=dict(self._plan.arguments),
                    started_at=self._started_at,
                    phase=phase,
                    processes=tuple(member.record for member in self._members),
                )
            )
        except OSError as error:  # a full disk must not bring the nodes down
            self._show(f"cannot write {self._folder.state_file}: {error}")

    def _clear_remains(self) -> None:
        """Stop the processes of a supervisor that was killed, and forget its parameter files."""
        try:
            before = self._folder.read()
        except RunError as error:
            self._show(f"{error}; ignored")
            before = None
        if before is not None:
            stopped = stop_orphans(before)
            self._folder.write(ended(before))
            for record in stopped:
                self._show(f"stopped {record.name}, left by a supervisor that died")
        for file in self._folder.parameters.glob("*.yaml"):
            file.unlink()

    def _clean_shared_memory(self) -> None:
        removed = remove_stale()
        if removed:
            self._show(f"removed {len(removed)} segments and ports of shared memory without an owner")

    def _show(self, text: str) -> None:
        self._screen.line(_SELF, text)
        self._log.write(f"{now()} {text}".encode())
