"""A second run of test files in which a test failed: a broken test fails again, an unstable one passes.

Tests of real processes meet what no test can rule out, such as a computer that stands still for seconds. One such
failure must neither hide among the passed nor condemn everything else, so it is listed as unstable.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from workspace.results import Failure, Result

MOST_FILES = 3
"""Failures in more files than this are no accident: they are not run again."""

Run = Callable[[Sequence[Path]], Result]
"""Runs test files in a process of their own; the result, judged by the exit code too."""


def confirmed(result: Result, files: Sequence[Path], run: Run) -> Result:
    """`result` after a second run of the files with failures, if there are any.

    A test that fails again, or for the first time, is a failure. One that passes now counts as passed and is listed
    in `unstable` with its first message. A run that crashed is repeated with all its `files`.
    """
    if not result.failed:
        return result
    stems = {_stem(failure) for failure in result.failures}
    concerned = [file for file in files if file.stem in stems]
    if len(concerned) < len(stems):
        concerned = list(files)  # the process died: whose fault it was is not known
    elif len(concerned) > MOST_FILES:
        return result
    again = run(concerned)
    if not again.passed:
        return result
    still = {failure.name for failure in again.failures}
    unstable = tuple(failure for failure in result.failures if failure.name not in still)
    if len(concerned) == len(files):
        passed, skipped = again.passed, again.skipped
    else:
        passed, skipped = result.passed + result.failed - again.failed, result.skipped
    seconds = result.seconds + again.seconds
    return Result(result.name, passed, skipped, seconds, again.failures, unstable)


def _stem(failure: Failure) -> str:
    """The test file's name without its ending, ``test_x`` of ``folder.test_x.TestY::test_z``; else empty."""
    parts = failure.name.partition("::")[0].split(".")
    return next((part for part in parts if part.startswith("test_")), "")
