"""The static checks: ruff, mypy (with type stubs of the messages), import-linter."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from workspace.layout import Layout
from workspace.packages import find
from workspace.progress import Ticker
from workspace.results import Result

TAIL_LINES = 20
STUBS = "build/stubs"
"""Folder of the messages' type stubs, named in mypy_path of pyproject.toml."""
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def commands(layout: Layout) -> dict[str, list[str]]:
    """Command of each check by name. Every Python package of the workspace is covered."""
    python = [str(layout.venv_python), "-P"]
    sources = [str(package.path / package.name) for package in find(layout) if package.python]
    return {
        "ruff check": [*python, "-m", "ruff", "check", "--output-format", "concise", "."],
        "ruff format": [*python, "-m", "ruff", "format", "--check", "."],
        # Without -P: the package `workspace` is found in the current folder.
        "message stubs": [str(layout.venv_python), "-m", "workspace.message_stubs", str(layout.root / STUBS)],
        "mypy": [*python, "-m", "mypy", *(source for source in sources if Path(source).is_dir()), "workspace"],
        "import-linter": [str(layout.venv_python), "-c", LINT_IMPORTS],
    }


def remove_leftovers(layout: Layout) -> None:
    """Delete generated modules whose .proto file has left the workspace, as after an update: mypy would read them."""
    for package in find(layout):
        for module in package.path.joinpath(package.name).rglob("*_pb2.py*"):
            if not module.with_name(module.name.partition("_pb2.")[0] + ".proto").exists():
                module.unlink(missing_ok=True)


def run(layout: Layout, env: Mapping[str, str]) -> Result:
    """All checks; one that finds something, or does not start, is one failure with the end of its output."""
    remove_leftovers(layout)
    result = Result("checks")
    log = layout.logs / "checks.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    ticker = Ticker("static checks")
    with log.open("w", encoding="utf-8") as file:
        for name, command in commands(layout).items():
            ticker.item = name
            ticker.tick()
            outcome = subprocess.run(
                command, cwd=layout.root, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            file.write(f"$ {' '.join(command)}\n{outcome.stdout}\n")
            if outcome.returncode != 0:
                tail = "\n".join(outcome.stdout.rstrip().splitlines()[-TAIL_LINES:])
                result = result.with_failure(name, tail or f"exit code {outcome.returncode}")
            else:
                result = Result(result.name, result.passed + 1, 0, 0.0, result.failures)
    ticker.done("done")
    return Result(result.name, result.passed, 0, time.monotonic() - began, result.failures)
