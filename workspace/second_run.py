"""A second run of failed tests: a defect fails again, an unstable test is listed as such.

Tests of real processes meet conditions that no test can rule out, such as a computer that stands still for seconds. One
such failure must neither hide among the passed nor condemn everything else.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from workspace.results import Failure, Result

MOST_FILES = 3
"""Failures in more files than this are no accident: they are not run again."""


def confirmed(result: Result, run: Callable[[Sequence[Failure]], Result]) -> Result:
    """`result` after a second run, where it has failures.

    A test that fails again is a failure. One that passes now counts as passed and is listed in `unstable` with the
    message of its failure.

    Args:
        run: runs these failed tests in a process of their own; without any, for a run that died, all of the group.
    """
    if not result.failed:
        return result
    files = {_file(failure) for failure in result.failures}
    died = "" in files
    if len(files) > MOST_FILES and not died:
        return result
    again = run(() if died else result.failures)
    if not again.passed:
        return result
    still = {failure.name for failure in again.failures}
    unstable = tuple(failure for failure in result.failures if failure.name not in still)
    whole = again if died else replace(result, failures=()) + again
    return replace(whole, name=result.name, seconds=result.seconds + again.seconds, unstable=unstable)


def node_id(failure: Failure, files: Sequence[Path]) -> str:
    """The id by which pytest selects a failed test of one of `files`."""
    module, _, test = failure.name.partition("::")
    stem = _file(failure)
    classes = module.rpartition(stem)[2].split(".")[1:]
    return "::".join([*(str(file) for file in files if file.stem == stem), *classes, test])


def _file(failure: Failure) -> str:
    """The test file's name without its ending, ``test_x`` of ``folder.test_x.TestY::test_z``; else empty."""
    parts = failure.name.partition("::")[0].split(".")
    return next((part for part in parts if part.startswith("test_")), "")
