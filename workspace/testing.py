"""`./qiki test`: static checks, colcon test over the packages, the tests of the whole graph, one summary."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workspace import checks, results, second_run
from workspace.build import colcon, colcon_item
from workspace.errors import WorkspaceError
from workspace.layout import Layout
from workspace.packages import Package, find
from workspace.progress import run_step
from workspace.results import Result

# Overrides the selection in pyproject.toml, which leaves long tests out.
_EVERY_TEST = "long or not long"
_ENDED = re.compile(r"^(Failed|Aborted)\s+<<<\s+(\S+)(?:.*exited with code (-?\d+))?")


@dataclass(frozen=True)
class Selection:
    """Selected tests: packages, groups of whole-graph tests (folders), and whether the static checks."""

    packages: tuple[Package, ...]
    groups: tuple[Path, ...]
    checks: bool


def select(layout: Layout, only: str | None) -> Selection:
    """Everything, or what `only` names: a package, a folder of test/ such as test/workspace, or checks.

    Raises WorkspaceError naming the choices.
    """
    packages = find(layout)
    tests = layout.root / "test"
    groups = sorted({path.parent for path in tests.rglob("test_*.py")})
    if only is None:
        return Selection(tuple(packages), tuple(groups), checks=True)
    if only == "checks":
        return Selection((), (), checks=True)
    chosen = tuple(package for package in packages if package.name == only)
    folders = tuple(group for group in groups if str(group.relative_to(layout.root)) == only.rstrip("/"))
    if not (chosen or folders):
        known = [package.name for package in packages] + [str(group.relative_to(layout.root)) for group in groups]
        raise WorkspaceError(f"test --package {only!r}: choose one of {', '.join([*known, 'checks'])}")
    return Selection(chosen, folders, checks=False)


def run(layout: Layout, env: Mapping[str, str], selection: Selection, *, long: bool) -> list[Result]:
    """Run the selection, one thing after another: tests of real processes would disturb each other's timing."""
    env = dict(env)
    env.pop("PYTEST_ADDOPTS", None)
    if long:
        env["QIKI_LONG"] = "1"
    found = []
    if selection.checks:
        found.append(checks.run(layout, env))
    if selection.packages:
        found += _packages(layout, env, selection.packages, long=long)
    for group in selection.groups:
        name, files = str(group.relative_to(layout.root)), sorted(group.glob("test_*.py"))
        first = _pytest(layout, env, name, layout.root, files, long=long)
        found.append(_confirmed(layout, env, first, layout.root, files, long=long))
    return found


def _packages(layout: Layout, env: Mapping[str, str], packages: Sequence[Package], *, long: bool) -> list[Result]:
    for package in packages:
        for file in _result_files(layout, package):
            file.unlink(missing_ok=True)  # a result of an earlier run must not stand for this one
    log = layout.logs / "test.log"
    # colcon takes options of pytest with a leading space.
    pytest = ["--pytest-args", " -m", _EVERY_TEST] if long else []
    command = colcon(
        layout, "test", "--executor", "sequential", "--return-code-on-test-failure",
        "--event-handlers", "console_cohesion+", "--packages-select", *(package.name for package in packages), *pytest,
    )  # fmt: skip
    code = run_step(
        f"tests of {len(packages)} package{'s' if len(packages) > 1 else ''}", command,
        log=log, env=env, cwd=layout.root, item=colcon_item, check=False,
    )  # fmt: skip
    first = package_results(layout, packages, log.read_text(encoding="utf-8"), code)
    return [_confirmed_package(layout, env, result, packages, long=long) for result in first]


def _confirmed_package(
    layout: Layout, env: Mapping[str, str], first: Result, packages: Sequence[Package], *, long: bool
) -> Result:
    package = next((package for package in packages if package.name == first.name), None)
    return first if package is None else _confirmed(layout, env, first, package.path, package.tests, long=long)


def package_results(layout: Layout, packages: Sequence[Package], output: str, code: int) -> list[Result]:
    """Result of each package from its files, colcon's `output` and colcon's exit `code`."""
    codes: dict[str, int] = {}
    for line in output.splitlines():
        match = _ENDED.match(line)
        if match:
            codes[match[2]] = int(match[3] or 1)
    found = [
        results.judged(
            results.read(package.name, _result_files(layout, package)),
            codes.get(package.name, 0),
            expected=bool(package.tests),
        )
        for package in packages
    ]
    if code != 0 and not any(result.failed for result in found):
        found.append(results.judged(Result("colcon test"), code, expected=False))
    return found


def _result_files(layout: Layout, package: Package) -> list[Path]:
    folder = layout.build / package.name
    single = folder / "pytest.xml"
    return [path for path in (single, *sorted((folder / "test_results").rglob("*.xml"))) if path.is_file()]


def _confirmed(
    layout: Layout, env: Mapping[str, str], first: Result, cwd: Path, files: Sequence[Path], *, long: bool
) -> Result:
    def again(chosen: Sequence[Path]) -> Result:
        return _pytest(layout, env, f"{first.name}, again", cwd, chosen, long=long)

    return second_run.confirmed(first, files, again)


def _pytest(
    layout: Layout, env: Mapping[str, str], name: str, cwd: Path, files: Sequence[Path], *, long: bool
) -> Result:
    file = name.replace("/", "-").replace(", ", "-")
    xml = layout.state / "results" / f"{file}.xml"
    xml.parent.mkdir(parents=True, exist_ok=True)
    xml.unlink(missing_ok=True)
    command = [str(layout.venv_python), "-m", "pytest", f"--junit-xml={xml}", "--tb=short", *map(str, files)]
    if long:
        command += ["-m", _EVERY_TEST]
    log = layout.logs / f"{file}.log"
    code = run_step(f"tests in {name}", command, log=log, env=env, cwd=cwd, item=_pytest_item, check=False)
    return results.judged(results.read(name, [xml]), code, expected=True)


def _pytest_item(line: str) -> str | None:
    match = re.match(r"^(\S*test_\w+\.py)", line)
    return match[1] if match else None
