"""Test results from JUnit XML files. A missing, unreadable or empty file counts as failed, never as passed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Failure:
    name: str
    message: str


@dataclass(frozen=True)
class Result:
    """Counts of one group of tests, such as a package. `unstable` failed first and passed in a second run."""

    name: str
    passed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    unstable: tuple[Failure, ...] = ()

    @property
    def failed(self) -> int:
        return len(self.failures)

    def __add__(self, other: "Result") -> "Result":
        return Result(
            self.name,
            self.passed + other.passed,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
            self.failures + other.failures,
            self.unstable + other.unstable,
        )

    def with_failure(self, name: str, message: str) -> "Result":
        return Result(self.name, self.passed, self.skipped, self.seconds, (*self.failures, Failure(name, message)))


def read(name: str, file: Path, modules: Collection[str] | None = None) -> Result:
    """The result in a JUnit file: of all tests, or of those in `modules` (dotted names).

    An unreadable file is one failure.
    """
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError) as error:
        return Result(name).with_failure(str(file), f"no readable result: {error}")
    passed = skipped = 0
    seconds = 0.0
    failures: list[Failure] = []
    for case in root.iter("testcase"):
        if modules is not None and not _within(case, modules):
            continue
        seconds += float(case.get("time") or 0.0)
        problems = [*case.iter("failure"), *case.iter("error")]
        if problems:
            text = next((problem.get("message") or problem.text or "" for problem in problems), "")
            module = (case.get("classname") or "").rpartition(".test.")[2]
            failures.append(Failure(f"{module}::{case.get('name')}", text.strip()))
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Result(name, passed, skipped, seconds, tuple(failures))


def _within(case: ElementTree.Element, modules: Collection[str]) -> bool:
    # A module that cannot be imported is a case of its own: without a class name, with the module as its name.
    path = f"{case.get('classname') or ''}.{case.get('name')}".lstrip(".")
    return any(path == module or path.startswith(f"{module}.") for module in modules)


def judged(result: Result, code: int, *, expected: bool) -> Result:
    """`result` against its run's exit code.

    A failed run without a failed test, as after a crash, is one failure; so is a run of which nothing is
    recorded although tests are `expected`.
    """
    if code != 0 and not result.failed:
        return result.with_failure("run", f"ended with exit code {code} although no test failed")
    if expected and not (result.passed or result.skipped or result.failed):
        return result.with_failure("run", "no test ran")
    return result


def closing_line(results: Sequence[Result]) -> str:
    passed, failed, skipped = (
        sum(getattr(result, field) for result in results) for field in ("passed", "failed", "skipped")
    )
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def table(results: Sequence[Result]) -> str:
    """One line per group, the unstable and the failed tests with their messages, the closing line."""
    width = max((len(result.name) for result in results), default=0)
    lines = [f"{'':{width}}  passed  failed  skipped      time"]
    for result in results:
        counts = f"{result.passed:6}  {result.failed:6}  {result.skipped:7}"
        lines.append(f"{result.name:{width}}  {counts}  {result.seconds:7.1f}s")
    for result in results:
        for failure in result.unstable:
            lines += _shown("UNSTABLE, passed when its file was run again:", result, failure)
    for result in results:
        for failure in result.failures:
            lines += _shown("FAILED", result, failure)
    return "\n".join([*lines, "", closing_line(results)])


def _shown(title: str, result: Result, failure: Failure) -> list[str]:
    message = failure.message.splitlines() or ["(no message)"]
    return ["", f"{title} {result.name}: {failure.name}", *(f"    {line}" for line in message[:20])]
