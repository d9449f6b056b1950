"""What of a store's URL is shown: all that locates it, no secret of it."""

import logging

import pytest
from click.testing import CliRunner

from qiki_eventstore import EventStoreError, open_store, opening
from qiki_eventstore.cli.events import events
from qiki_eventstore.opening import shown

SECRETS = [
    "postgresql://eve:s3cret@127.0.0.1:1/db",
    "postgres://eve:s3cret@127.0.0.1:1,127.0.0.1:2/db?sslmode=disable",
    "postgresql://eve:s3c%72et@127.0.0.1:1/db",
    "postgresql://eve:a?s3cret@127.0.0.1:1/db",
    "postgresql://eve:a#s3cret@127.0.0.1:1/db",
    "postgresql://eve:a:s3cret@127.0.0.1:1/db",
    "postgresql://:s3cret@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?user=eve&password=s3cret",
    "postgresql://127.0.0.1:1/db?user=eve&pass%77ord=s3cret&mode=rw",
    "postgresql://127.0.0.1:1/db?sslpassword=s3cret&sslmode=disable",
]
WRONG = [
    "postgresql://eve:p@s3cret@127.0.0.1:1/db",
    "postgresql://eve:p/s3cret@127.0.0.1:1/db",
    "postgresql://eve:s3cret/x@127.0.0.1:1/db",
    "postgresql://eve:s3cret@127.0.0.1:1/db?unknown=s3cret",
    "Postgresql://eve:s3cret@127.0.0.1:1/db",
    "psql://eve:s3cret@127.0.0.1:1/db",
    "postgresql:/eve:s3cret@127.0.0.1:1/db",
]


def clean(text: str) -> bool:
    return "s3c" not in text


@pytest.mark.parametrize("url", SECRETS)
def test_a_shown_url_has_no_secret_and_locates_the_store(url: str) -> None:
    text = shown(url)
    assert clean(text)
    assert "***" in text
    assert "127.0.0.1:1" in text
    assert "db" in text


@pytest.mark.parametrize("url", [*SECRETS, *WRONG])
def test_no_error_and_no_log_has_a_secret(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises((EventStoreError, ValueError)) as caught:
        open_store(url, reconnect_patience=0.1, standby=0.0)
    assert clean(str(caught.value))
    assert clean(caplog.text)
    for arguments in (["retain", "--max-events", "1"], ["restore", "nothing"], ["import", "nothing"]):
        result = CliRunner().invoke(events, [*arguments, "--store", url])
        assert result.exit_code
        assert clean(result.output + str(result.exception))


def test_segments_are_named_for_postgresql_alone(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(str(tmp_path / "a.db"), reserve_bytes=0):
        pass
    command = ["query", "--segments", str(tmp_path), "--store"]
    refused = CliRunner().invoke(events, [*command, str(tmp_path / "a.db")])
    assert "--segments" in refused.output + str(refused.exception)
    given = []
    monkeypatch.setattr(opening, "open_store", lambda url, **options: given.append((url, options)))
    CliRunner().invoke(events, [*command, "postgresql://127.0.0.1:1/db"])
    assert given == [("postgresql://127.0.0.1:1/db?mode=ro", {"segments": str(tmp_path)})]
