"""`./qiki test`: static checks, pure tests on all cores, files of real-time tests a few at once, one summary."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from workspace import checks, results, second_run
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.packages import find
from workspace.progress import Step, run_steps
from workspace.results import Failure, Result

_PURE = "not realtime"
_REALTIME = "realtime"
_ALL = f"{_PURE} or {_REALTIME}"
_NOTHING_COLLECTED = 5
"""Exit code of pytest."""
_AT_ONCE = 4
"""Files of real-time tests that run at the same time, at most; as many as there are cores. A graph needs about one."""


@dataclass(frozen=True)
class Group:
    """Tests with one line in the summary: a package, or a folder of test/."""

    name: str
    files: tuple[Path, ...]

    @property
    def realtime(self) -> tuple[Path, ...]:
        """The files that mark tests as `realtime`."""
        return tuple(file for file in self.files if _REALTIME in file.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Selection:
    """Groups of tests, and whether the static checks belong to it."""

    groups: tuple[Group, ...]
    checks: bool


def select(layout: Layout, only: str | None) -> Selection:
    """Everything, or `only` one: a package, a folder of test/ such as test/workspace, or checks.

    Raises WorkspaceError naming the choices.
    """
    folders = sorted({path.parent for path in (layout.root / "test").rglob("test_*.py")})
    groups = [
        *(Group(package.name, tuple(package.tests)) for package in find(layout) if package.tests),
        *(Group(str(folder.relative_to(layout.root)), tuple(sorted(folder.glob("test_*.py")))) for folder in folders),
    ]
    if only is None:
        return Selection(tuple(groups), checks=True)
    if only == "checks":
        return Selection((), checks=True)
    chosen = tuple(group for group in groups if group.name == only.rstrip("/"))
    if not chosen:
        known = [group.name for group in groups]
        raise WorkspaceError(f"test --package {only!r}: choose one of {', '.join([*known, 'checks'])}")
    return Selection(chosen, checks=False)


def run(layout: Layout, env: Mapping[str, str], selection: Selection, *, long: bool) -> list[Result]:
    """Run the selection and return the result of each group."""
    found = [checks.run(layout, env)] if selection.checks else []
    if selection.groups:
        found += Runner(layout, env, long=long).run(selection.groups)
    return found


class Runner:
    """Runs groups of tests with pytest.

    Each file with tests of real processes or clocks has a process of its own, and with it a ROS domain; one per core
    runs at a time. All other tests share one run over every core.
    """

    def __init__(self, layout: Layout, env: Mapping[str, str], *, long: bool) -> None:
        self._layout = layout
        self._env = {name: value for name, value in env.items() if name != "PYTEST_ADDOPTS"}
        if long:
            self._env["QIKI_LONG"] = "1"
        self._long = long
        self._cores = len(os.sched_getaffinity(0))

    def run(self, groups: Sequence[Group]) -> list[Result]:
        """The result of each group; a failure of the pure run that belongs to none has one of its own."""
        whole, found = self._pure(groups)
        attributed = {failure for result in found for failure in result.failures}
        realtime = self._realtime(groups)
        ended = []
        for group, pure in zip(groups, found, strict=True):
            result = results.judged(sum(realtime[group], pure), 0, expected=True)
            ended.append(second_run.confirmed(result, partial(self._again, group)))
        rest = tuple(failure for failure in whole.failures if failure not in attributed)
        return [*ended, Result(whole.name, failures=rest)] if rest else ended

    def _realtime(self, groups: Sequence[Group]) -> dict[Group, list[Result]]:
        """The result of each file with real-time tests. The folders of test/, whose graphs take longest, come first."""
        wanted = [(group, file) for group in reversed(groups) for file in group.realtime]
        names = [f"{group.name} {file.stem} in real time" for group, file in wanted]
        starts = [partial(self._pytest, name, [file], _REALTIME) for name, (_, file) in zip(names, wanted, strict=True)]
        codes = run_steps(starts, at_once=min(self._cores, _AT_ONCE))
        found: dict[Group, list[Result]] = {group: [] for group in groups}
        for (group, _), name, code in zip(wanted, names, codes, strict=True):
            found[group].append(self._result(name, code))
        return found

    def _pure(self, groups: Sequence[Group]) -> tuple[Result, list[Result]]:
        """Result of the run over all pure tests, and each group's part of it."""
        name = "pure tests"
        files = [file for group in groups for file in group.files]
        spread = (f"--numprocesses={self._cores}", "--dist=worksteal")
        whole = self._run(name, files, _PURE, *spread)
        return whole, [results.read(group.name, self._xml(name), self._modules(group)) for group in groups]

    def _again(self, group: Group, failures: Sequence[Failure]) -> Result:
        # By name: pytest's own record of failures is lost where several processes write it.
        chosen = [second_run.node_id(failure, group.files) for failure in failures]
        return self._run(f"{group.name} again", chosen or group.files, _ALL)

    def _modules(self, group: Group) -> list[str]:
        return [".".join(file.relative_to(self._layout.root).with_suffix("").parts) for file in group.files]

    def _xml(self, name: str) -> Path:
        return self._layout.state / "results" / f"{_slug(name)}.xml"

    def _run(self, name: str, files: Sequence[Path | str], marks: str, *options: str) -> Result:
        (code,) = run_steps([partial(self._pytest, name, files, marks, *options)], at_once=1)
        return self._result(name, code)

    def _pytest(self, name: str, files: Sequence[Path | str], marks: str, *options: str) -> Step:
        """Start the tests of `files` that fit `marks` in a process of their own."""
        layout, xml = self._layout, self._xml(name)
        xml.parent.mkdir(parents=True, exist_ok=True)
        xml.unlink(missing_ok=True)
        command = [str(layout.venv_python), "-m", "pytest", f"--junit-xml={xml}", "--tb=short", "--durations=20"]
        # Replaces the selection in pyproject.toml, which leaves long tests out.
        command += ["-m", marks if self._long else f"({marks}) and not long", *options, *map(str, files)]
        log = layout.logs / f"{_slug(name)}.log"
        return Step(f"tests: {name}", command, log=log, env=self._env, cwd=layout.root, item=_pytest_item)

    def _result(self, name: str, code: int) -> Result:
        """The result of a run that ended; none at all is no failure."""
        found = results.read(name, self._xml(name))
        return results.judged(found, 0 if code == _NOTHING_COLLECTED else code, expected=False)


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def _pytest_item(line: str) -> str | None:
    match = re.match(r"^(\S*test_\w+\.py)", line) or re.search(r"\[\s*(\d+%)\]$", line)
    return match[1] if match else None
