"""Verbs of transponder, tracks, interrogation and guard, against a node that only plays it (fake_surveillance.py)."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result

from qiki_node import session
from qiki_node.terminal import READER_GONE
from qiki_node.testing import PATIENCE

Run = Callable[..., Result]

pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("sky", "patient", "no_store")]


def test_tracks_are_listed_the_nearest_first(qiki: Run) -> None:
    result = qiki("tracks")
    assert result.exit_code == 0, result.output
    heading, titles, *rows = result.stdout.splitlines()
    assert heading.startswith("alpha: 3 tracks, 1 new, 7 detections, 2 of them shed, 0.")
    assert "STALE" not in heading
    assert titles.split("  ")[0] == "track"
    assert any(line.startswith("alpha-4 ") for line in qiki("tracks", "alpha", "--all").stdout.splitlines())
    assert [" ".join(row.split()) for row in rows] == [
        "alpha-1 FRIEND ALLY-0A1B2C TRUSTED 61.2 85.9 2.00 60.0 6.5 TRACKED 12.0",
        r"alpha-2 FOE \u001b[2JALLY\u202e SPOOF 400.0 269.3 -0.25 N/A N/A TRACKED 12.0",
        "alpha-3 UNKNOWN - - N/A N/A N/A N/A N/A COASTING 12.0",
    ]


def test_one_track_is_shown_with_its_evidence(qiki: Run) -> None:
    for name in ("alpha-2", "2"):
        result = qiki("tracks", "alpha", name)
        assert result.exit_code == 0, result.output
        lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
        assert "verdict SPOOF" in lines
        assert r"uniqueness 21.50 18.25 all proven elsewhere\u001b[31m" in lines
        assert "position 3.50 19.60 20 at 400 m" in lines
    result = qiki("tracks", "alpha", "9")
    assert result.exit_code == 2
    assert "track of alpha: '9' is not there; allowed: alpha-1, alpha-2, alpha-3, alpha-4" in result.output


def test_json_has_every_value_and_times_as_text(qiki: Run) -> None:
    shown = json.loads(qiki("tracks", "alpha", "--json").stdout)["alpha"]
    assert (shown["detections"], shown["shed"], shown["stale"]) == (7, 2, False)
    assert shown["time_ns_text"].isdecimal()
    clone, friend, _, body = shown["tracks"]
    assert clone["transponder_id"] == "\x1b[2JALLY\u202e"
    assert clone["evidence"][0]["threshold"] == 18.25
    assert (friend["range_m"], friend["cpa_time_s"], friend["event_time_ns_text"]) == (61.25, 6.5, "0")
    assert (body["range_m"], body["transponder_id"], body["transponder_mode"]) == (None, None, None)
    assert json.loads(qiki("tracks", "alpha", "2", "--json").stdout)["id"] == "alpha-2"


def test_a_picture_and_a_table_are_written(qiki: Run, tmp_path: Path) -> None:
    picture = tmp_path / "alpha.svg"
    result = qiki("tracks", "alpha", "2", "--svg", str(picture), "--range", "500")
    assert (result.exit_code, result.stdout) == (0, f"alpha: picture in {picture}\n"), result.output
    shown = "".join(ElementTree.parse(picture).getroot().itertext())
    assert "500 m" in shown
    assert r"proven elsewhere\u001b[31m" in shown
    rows = list(csv.DictReader(io.StringIO(qiki("tracks", "alpha", "--csv", "-").stdout)))
    assert [row["track"] for row in rows] == ["alpha-2", "alpha-1", "alpha-4", "alpha-3"]
    assert (rows[0]["transponder_id"], rows[3]["range_m"]) == (r"\u001b[2JALLY\u202e", "")
    for words in (
        ("--svg", "/nowhere/alpha.svg"), ("--csv", "/nowhere/alpha.csv"), ("--csv", "-", "--json"),
        ("--svg", str(picture), "--watch"), ("--range", "500"), ("--recording", str(tmp_path)),
    ):  # fmt: skip
        assert qiki("tracks", "alpha", *words).exit_code == 2, words


def test_a_table_goes_on_until_its_reader_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    command = [sys.executable, "-m", "qiki_console", "tracks", "alpha", "--csv", "-", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = [process.stdout.readline().split(",")[:3] for _ in range(8)]
        process.stdout.close()
        assert process.wait(PATIENCE) == READER_GONE
        assert process.stderr.read() == ""
    assert head[0] == ["time_s", "bot", "track"]
    assert len({time for time, *_ in head[1:]}) >= 2, "more than one radar frame"


def test_the_transponder_is_shown_and_changed(qiki: Run) -> None:
    result = qiki("xpdr", "alpha")
    assert result.exit_code == 0, result.output
    first, *rest = result.stdout.splitlines()
    assert first.startswith("alpha: ON, in effect OFF, power is shed  (0.")
    assert rest == [
        "  id            ALLY-1D2E3F",
        "  power         6.0 W",
        "  signing key   ab12",
        "  group key     none: interrogations by HMAC are not answered",
        "  checks        5 queued, 0 dropped",
        "  guard         ACTIVE",
        "  not verified  REPLAY 3, UNSIGNED 41",
    ]
    assert qiki("xpdr", "alpha", "silent").stdout == "alpha: SILENT\n"
    shown = json.loads(qiki("xpdr", "alpha", "--json").stdout)
    assert (shown["mode"], shown["effective"], shown["armed_for_s"]) == ("SILENT", "OFF", None)
    assert shown["refusals"] == {"REPLAY": 3, "UNSIGNED": 41}


def test_spoof_needs_two_steps(qiki: Run) -> None:
    for words in (("spoof",), ("spoof", "--arm", "--code", "1"), ("on", "--arm"), ("--code", "7")):
        result = qiki("xpdr", "alpha", *words)
        assert result.exit_code == 2
        assert "--arm, --code: " in result.output
    result = qiki("xpdr", "alpha", "spoof", "--code", "1")
    assert result.exit_code == 2
    assert r"the code is not the one that arming returned\u001b[2J (202)" in result.output
    result = qiki("xpdr", "alpha", "spoof", "--arm")
    assert result.stdout.splitlines() == [
        "alpha: spoof is armed for 10 s",
        "transmit the false identity with: qiki xpdr alpha spoof --code 4242",
    ]
    assert qiki("xpdr", "alpha", "spoof", "--code", "4242").stdout == "alpha: SPOOF\n"


def test_interrogations_end_with_proof_silence_or_refusal(qiki: Run) -> None:
    result = qiki("iff", "alpha", "--interrogate", "1", "--method", "signature")
    assert result.stdout == "alpha-1: proven by SIGNATURE: a good signature; round trip 0.400 us, as over 60.0 m\n"
    result = qiki("iff", "alpha", "--interrogate", "alpha-2", "--json")
    assert (result.exit_code, json.loads(result.stdout)["proven"]) == (1, False)
    result = qiki("iff", "alpha", "--interrogate", "alpha-7")
    assert (result.exit_code, "alpha-7: track: unknown (205)" in result.output) == (2, True)


def test_guard_rules_alerts_and_mode(qiki: Run) -> None:
    result = qiki("guard", "alerts")
    assert result.exit_code == 0, result.output
    heading, alert = result.stdout.splitlines()
    assert heading == "alpha: guard PASSIVE, 1 alerts"
    claims = r"claims \u001b[2JALLY\u202e, SPOOF, at 400.0 m, closing N/A m/s, raised "
    assert alert.startswith(f"  WARNING SPOOFING_DETECTED: alpha-2 FOE, {claims}")
    assert alert.endswith("without effect (PASSIVE)")
    [shown] = json.loads(qiki("guard", "alerts", "alpha", "--json").stdout)["alpha"]["alerts"]
    assert (shown["closing_m_s"], shown["raised_ns_text"].isdecimal()) == (None, True)
    assert qiki("guard", "mode", "alpha", "passive").stdout == "alpha: guard ACTIVE to PASSIVE\n"
    result = qiki("guard", "rules", "alpha")
    assert result.stdout.splitlines()[:3] == ["# alpha: PASSIVE", "rules:", "- id: SPOOFING_DETECTED"]
    assert json.loads(qiki("guard", "rules", "--json").stdout)["rules"][0]["when"] == {"spoof": ["SPOOF"]}


def test_a_bot_without_the_node_is_named_with_the_way_to_start_it(qiki: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "DISCOVERY", 2.0)
    result = qiki("tracks", "bravo")
    assert result.exit_code == 3
    assert "error: bravo has no node of transponder and tracks" in result.output
    assert "./qiki up xpdr:=true" in result.output
