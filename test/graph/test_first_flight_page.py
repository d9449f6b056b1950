"""`docs/first_flight.md`, command by command, with the real script and a real graph."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from qiki_node.testing import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"([-+]?\d+\.\d+|…|\s+)")
Shell = Callable[[str], "subprocess.CompletedProcess[str]"]


def steps(page: str) -> Iterator[tuple[str, str]]:
    """Each command of the page with the output shown for it: as many `text` blocks follow as there are commands."""
    commands: list[str] = []
    for kind, blocks in groupby(FENCED.findall(page), key=lambda block: block[0]):
        texts = [text for _, text in blocks]
        if kind == "sh":
            commands = [command for text in texts for command in text.splitlines()]
        else:
            assert len(texts) == len(commands), f"{len(texts)} outputs are shown for {commands}"
            yield from zip(commands, texts, strict=True)
            commands = []
    assert not commands, f"no output is shown for {commands}"


def pattern(shown: str) -> re.Pattern[str]:
    """Pattern of a shown output: decimal numbers and blanks vary, `…` stands for any text, alone for any lines."""
    return re.compile("".join(r"(?:.*\n)*?" if line.strip() == "…" else _line(line) for line in shown.splitlines()))


def _line(shown: str) -> str:
    return r"[ \t]*" + "".join(_part(part) for part in VARIABLE.split(shown.strip())) + r"[ \t]*\n"


def _part(part: str) -> str:
    if part == "…":
        return ".*"
    if part.isspace():
        return r"[ \t]+"
    return r"[-+]?\d+\.\d+" if VARIABLE.fullmatch(part) else re.escape(part)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Runs a command in the checkout's folder; the graph has a run folder of its own and is down at the end."""
    environment = {**os.environ, "QIKI_RUN_DIR": str(tmp_path / "run")}

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-c", command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=4.0 * PATIENCE, check=False,
        )  # fmt: skip

    yield run
    run("./qiki down")


@pytest.mark.realtime
@pytest.mark.timeout(900)
def test_every_command_of_the_page_does_what_it_shows(shell: Shell) -> None:
    for command, shown in steps((ROOT / "docs" / "first_flight.md").read_text(encoding="utf-8")):
        done = shell(command)
        if "a graph of this checkout is running" in done.stderr:
            pytest.skip("a graph of this checkout is running; `./qiki up` starts no second one")
        output = f"$ {command}\n{done.stdout}{done.stderr}"
        # On a busy machine a push may come late, which its account reports.
        assert done.returncode == 0 or "more than 5 % off" in done.stderr, output
        assert pattern(shown).search(done.stdout), f"{output}\nThe page shows:\n{shown}"


@pytest.mark.parametrize("printed", ["thruster 3 OK 0.25\n", "thruster 2 DEAD 0.25\n", "thruster 3 DEAD\n", ""])
def test_another_output_is_not_taken_for_the_shown_one(printed: str) -> None:
    shown = pattern("thruster 3 DEAD -1.5")
    assert shown.search("simulator\n  thruster 3   DEAD  0.25 \n")
    assert not shown.search(printed)


def test_lines_are_adjacent_unless_the_page_leaves_some_out() -> None:
    printed = "3:\n  health: OK\n4:\n  health: DEAD\n"
    assert not pattern("3:\nhealth: DEAD").search(printed)
    assert pattern("3:\n…\nhealth: DEAD").search(printed)


def test_a_command_without_an_output_is_an_error_of_the_page() -> None:
    with pytest.raises(AssertionError, match="qiki down"):
        list(steps("```sh\n./qiki down\n```\n"))
