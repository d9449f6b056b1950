"""What failed is run once more: broken tests stay failed, unstable ones are named, nothing is passed unseen."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from workspace import results
from workspace.results import Result
from workspace.second_run import MOST_FILES, confirmed

BROKEN = "def test_broken(): assert False"
GOOD = "def test_good(): assert True"
# Passes from its second run on: the first leaves a file behind.
UNSTABLE = """
from pathlib import Path
def test_unstable():
    mark = Path(__file__).with_suffix(".mark")
    seen = mark.exists()
    mark.touch()
    assert seen, "the first time"
"""
DIES_ONCE = UNSTABLE.replace("    assert seen", "    import os\n    if not seen: os._exit(11)\n    assert seen")
# Passes at first, fails from then on.
SPOILED = UNSTABLE.replace("assert seen", "assert not seen").replace(".mark", ".spoiled")


class Suite:
    """Test files that real pytest processes run."""

    def __init__(self, folder: Path, **tests: str) -> None:
        self.folder = folder
        self.runs: list[list[str]] = []
        for name, text in tests.items():
            (folder / f"{name}.py").write_text(text)
        self.files = sorted(folder.glob("test_*.py"))

    def run(self, files: Sequence[Path]) -> Result:
        self.runs.append([file.stem for file in files])
        xml = self.folder / "result.xml"
        xml.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junit-xml={xml}",
            *map(str, files),
        ]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False)
        return results.judged(results.read("suite", [xml]), done.returncode, expected=True)

    def result(self) -> Result:
        return confirmed(self.run(self.files), self.files, self.run)


def names(failures: Sequence[results.Failure]) -> list[str]:
    return [failure.name.rpartition("::")[2] for failure in failures]


def test_what_passed_is_not_run_again(tmp_path: Path) -> None:
    suite = Suite(tmp_path, test_a=GOOD)
    assert suite.result().passed == 1
    assert len(suite.runs) == 1


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    suite = Suite(tmp_path, test_a=GOOD, test_b=BROKEN + "\n" + GOOD)
    result = suite.result()
    assert (result.passed, names(result.failures), result.unstable) == (2, ["test_broken"], ())
    assert suite.runs[1:] == [["test_b"]]


def test_what_passes_the_second_time_is_named(tmp_path: Path) -> None:
    suite = Suite(tmp_path, test_a=GOOD, test_b=UNSTABLE, test_c=BROKEN)
    result = suite.result()
    assert (result.passed, names(result.failures), names(result.unstable)) == (2, ["test_broken"], ["test_unstable"])
    text = results.table([result])
    assert "UNSTABLE" in text
    assert "the first time" in text
    assert text.endswith("2 passed, 1 failed")


def test_what_fails_only_the_second_time_has_failed(tmp_path: Path) -> None:
    result = Suite(tmp_path, test_a=UNSTABLE + SPOILED.replace("test_unstable", "test_spoiled"), test_b=GOOD).result()
    assert (result.passed, names(result.failures), names(result.unstable)) == (2, ["test_spoiled"], ["test_unstable"])


def test_a_process_that_died_is_run_again_with_all_files(tmp_path: Path) -> None:
    suite = Suite(tmp_path, test_a=GOOD, test_b=DIES_ONCE)
    result = suite.result()
    assert (result.passed, result.failed, len(result.unstable)) == (2, 0, 1)
    assert suite.runs[1:] == [["test_a", "test_b"]]


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    suite = Suite(tmp_path, **{f"test_{number}": UNSTABLE for number in range(MOST_FILES + 1)}, test_good=GOOD)
    result = suite.result()
    assert (result.passed, result.failed) == (1, MOST_FILES + 1)
    assert len(suite.runs) == 1


@pytest.mark.parametrize("second", [Result("suite"), Result("suite").with_failure("run", "no test ran")])
def test_a_second_run_that_runs_nothing_excuses_nothing(tmp_path: Path, second: Result) -> None:
    suite = Suite(tmp_path, test_a=GOOD, test_b=BROKEN)
    first = suite.run(suite.files)
    assert confirmed(first, suite.files, lambda _: second) == first
