"""Run folders of `up`: one graph in each, several side by side, and what cannot be one."""

from pathlib import Path

import pytest

from workspace import graph
from workspace.errors import WorkspaceError
from workspace.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QIKI_RUN_DIR", raising=False)
    return Layout(tmp_path / "checkout")


def test_the_run_folder_is_that_of_the_checkout_or_the_callers(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert layout.run == layout.root / ".qiki/run"
    monkeypatch.setenv("QIKI_RUN_DIR", "own run")
    assert layout.run == Path.cwd() / "own run"
    monkeypatch.setenv("QIKI_RUN_DIR", "")
    assert layout.run == layout.root / ".qiki/run"


@pytest.mark.parametrize("name", ["plain", "a b", "a#b", "%41", "Übung", "it's"])
def test_one_graph_in_a_run_folder_and_another_beside_it(
    name: str, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Path.cwd() / name, Path.cwd() / f"{name} 2"
    monkeypatch.setenv("QIKI_RUN_DIR", str(first))
    with graph._locked(layout) as lock:
        lock.write("4711\n")
        lock.flush()
        assert graph.running(layout) == 4711
        with pytest.raises(WorkspaceError, match=r"\(process 4711\) in .*; end it with ./qiki down, or choose another"):
            graph._locked(layout).__enter__()
        monkeypatch.setenv("QIKI_RUN_DIR", str(second))
        assert graph.running(layout) is None
        with graph._locked(layout):
            pass
        with pytest.raises(WorkspaceError, match=r"clean: a graph of this checkout is running \(process 4711\)"):
            graph.refuse_while_running(layout, "clean")
    graph.refuse_while_running(layout, "clean")
    # What a launch leaves that was killed is no running graph.
    assert (first / "up.lock").read_text() == "4711\n"
    monkeypatch.setenv("QIKI_RUN_DIR", str(first))
    assert graph.running(layout) is None
    with graph._locked(layout):
        pass


def test_a_run_folder_that_cannot_be_used_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    (Path.cwd() / "file").touch()
    monkeypatch.setenv("QIKI_RUN_DIR", "file/run")
    with pytest.raises(WorkspaceError, match=r"up: the run folder .*/file/run cannot be used: Not a directory"):
        graph._locked(layout).__enter__()
