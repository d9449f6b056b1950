"""Files in whose place another program has put a pipe: refused at once, never waited for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from qiki_node.dead_letters import DeadLetters
from qiki_node.ordered_state import OrderedState
from qiki_node.run_file import read_run_file, read_topics
from qiki_node.spool import Spool


@pytest.mark.parametrize(
    "use",
    [
        lambda path: DeadLetters(path).letters(),
        lambda path: DeadLetters(path).count(),
        lambda path: DeadLetters(path).add([b"{}"], "refused"),
        Spool,
        lambda path: OrderedState(path).read(),
    ],
)
def test_a_pipe_is_refused(tmp_path: Path, use: Callable[[Path], object]) -> None:
    path = tmp_path / "file.dead"
    os.mkfifo(path)
    with pytest.raises((OSError, ValueError), match="no regular file"):
        use(path)


def test_a_pipe_is_no_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state.json")
    environment = {"QIKI_RUN_DIR": str(tmp_path)}
    assert read_run_file(environment) is None
    assert read_topics(environment) == []
