"""`./qiki clean` removes only results of a build, stored events only with --events, and no keys."""

from pathlib import Path

import pytest

from workspace.cli import main


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("QIKI_RUN_DIR", raising=False)
    for file in (
        "build/made",
        "install/made",
        ".venv/made",
        ".qiki/log/up.log",
        ".qiki/run/state.json",
        ".qiki/run/events/events.db",
        ".qiki/run/inbox/1.json",
        ".qiki/run/outbox/alpha.jsonl",
        ".qiki/run/xpdr/alpha/own.yaml",
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def left(checkout: Path) -> set[str]:
    files = (path for path in checkout.rglob("*") if path.is_file() and not path.name.startswith("lock"))
    return {str(path.relative_to(checkout)) for path in files}


STORED = {".qiki/run/events/events.db", ".qiki/run/inbox/1.json", ".qiki/run/outbox/alpha.jsonl"}


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], {".venv/made", *STORED}),
        (["--all"], STORED),
        (["--events"], {".venv/made"}),
        (["--all", "--events"], set()),
    ],
)
def test_what_is_kept(checkout: Path, capsys: pytest.CaptureFixture[str], words: list[str], kept: set[str]) -> None:
    assert main(str(checkout), ["clean", *words]) == 0
    assert left(checkout) == kept | {".qiki/run/xpdr/alpha/own.yaml"}
    output = capsys.readouterr()
    printed = output.out + output.err
    assert ("stored events are kept" in printed) == ("--events" not in words)
    assert (".venv is kept" in printed) == ("--all" not in words)
    assert "the key files are kept" in printed
