"""`qiki events`, `qiki state` and `qiki replay` on a store itself; test_node.py has them on a running node."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from qiki_eventstore import Encoded, Event, open_store
from qiki_eventstore.cli.errors import store_errors
from qiki_eventstore.cli.events import _next, events
from qiki_eventstore.cli.replay import replay
from qiki_eventstore.cli.state import state
from qiki_eventstore.cli.times import iso_time, parse_time
from qiki_eventstore.errors import StoreUnavailable
from qiki_node.dead_letters import SUFFIX, DeadLetters

pytestmark = pytest.mark.requirement("EVENT-7c")

SECOND = 10**9


def run(command, *arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Alpha changes its mode each second; bravo says nothing of interest."""
    url = f"sqlite:///{tmp_path}/events.db"
    modes = ("AUTO", "ADAPTIVE", "MANUAL_OVERRIDE")
    with open_store(url, reserve_bytes=0) as store:
        for second in range(1, 6):
            data = {"mode": modes[second % 3], "before": modes[(second - 1) % 3]}
            changed = Event("allocator.mode_changed", data, time=second * SECOND, correlation=f"c{second}")
            store.append("alpha/allocator", [changed])
        store.append("bravo/sim", [Event("test.said", {"text": "a b", "none": None}, time=6 * SECOND)])
    return url


def test_tail_shows_the_last_in_order(url):
    result = run(events, "tail", "-n", 2, "--store", url)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == ["5", "6"]
    assert lines[0].split()[1:4] == ["5.000", "alpha/allocator", "allocator.mode_changed"]
    assert 'text="a b"' in lines[1]
    assert "none" not in lines[1]


@pytest.mark.requirement("EVENT-13")
@pytest.mark.parametrize(
    ("arguments", "positions"),
    [
        (("--stream", "alpha/*", "--backwards", "--limit", 2), [5, 4]),
        (("--from", "2", "--to", "4.5"), [2, 3, 4]),
        (("--type", "test.*"), [6]),
        (("--correlation", "c3"), [3]),
        (("--recorded-to", "2020-01-01T00:00:00Z"), []),
    ],
)
def test_query(url, arguments, positions):
    result = run(events, "query", "--json", "--store", url, *arguments)
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["position"] for line in result.stdout.splitlines()] == positions


@pytest.mark.parametrize("time", ["yesterday", "2026-01-01T00:00:00", "1e3"])
def test_a_time_that_is_none_is_refused(url, time):
    result = run(events, "query", "--from", time, "--store", url)
    assert result.exit_code == 2
    assert time in result.output
    assert "12.5" in result.output


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("12.5", 12_500_000_000),
        ("-0.000000001", -1),
        ("2026-11-29T19:50:49.176123456Z", 1_795_981_849_176_123_456),
        ("2026-11-29T19:50:49,5z", 1_795_981_849_500_000_000),
        ("20261129T195049Z", 1_795_981_849_000_000_000),
        ("2026-W48-7T12:00Z", 1_795_953_600_000_000_000),
        ("2026-11-29 19:50:49.000000001+01:00", 1_795_978_249_000_000_001),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0001-01-01T00:00:00Z", -(2**63)),
        ("9999-12-31T23:59:59.999999999-12:00", 2**63 - 1),
        ("99999999999999999999", 2**63 - 1),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text, nanoseconds):
    assert parse_time(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "12.", ".5", "+5", " 12", "1_000", "١٢", "12.1234567891", "1e3", "", "now",
        "2026-11-29T19:50:49.1234567891Z", "2026-11-29T19:50:49", "2026-11-29", "2016-12-31T23:59:60Z",
        "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "2026-11-29T19:50.5Z",
        "2026-11-29T19:50:49.Z", "2026-11-29T19:50:49+25:00", "2026-11-29T19:50:49 Z", "٢٠26-11-29T19:50:49Z",
    ],
)  # fmt: skip
def test_a_time_that_is_none_names_what_is(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


@given(nanoseconds=st.integers(-(2**63), 2**63 - 1))
def test_the_iso_form_is_read_back(nanoseconds):
    assert parse_time(iso_time(nanoseconds)) == nanoseconds


def test_json_gives_times_as_text_too(url):
    first = json.loads(run(events, "query", "--json", "--limit", 1, "--store", url).output)
    assert (first["time_ns_text"], first["time_iso"]) == ("1000000000", "1970-01-01T00:00:01.000000000Z")
    assert int(first["recorded_ns_text"]) == first["recorded_ns"] == parse_time(first["recorded_iso"])
    bot = json.loads(run(state, "alpha", "--json", "--store", url).output)["bot"]
    assert (bot["changed"], bot["changed_text"]) == (5 * SECOND, str(5 * SECOND))
    assert bot["changed_iso"] == "1970-01-01T00:00:05.000000000Z"
    assert "changed: 5.000\n" in run(state, "alpha", "--store", url).output


CONTROLS = "x\x1b[2J\x9b\r\n\x07\u202e\u2028[red]y"


@pytest.mark.parametrize(
    "command",
    [
        (events, "query"), (events, "query", "--json"), (events, "tail"), (events, "stats"), (events, "holds"),
        (events, "command", "c9"), (state, "alpha"), (state, "alpha", "--json"), (replay, "alpha", "--speed", 0),
    ],
)  # fmt: skip
def test_stored_texts_cannot_steer_the_terminal(tmp_path, command):
    url = f"sqlite:///{tmp_path}/events.db"
    started = {"profile": CONTROLS, "segments": 1, "duration": 1.0}
    with open_store(url, reserve_bytes=0) as store:
        refused = Event("allocator.request_refused", {"request": "r", "reason": CONTROLS}, correlation="c9")
        store.append("alpha/allocator", [refused, Event("allocator.profile_started", started)])
        store.append("alpha/\u202ex", [Event("made.up", {CONTROLS: CONTROLS})])
    run(events, "hold", CONTROLS, "--reason", CONTROLS, "--store", url)
    result = run(*command, "--store", url)
    assert result.exit_code == 0
    assert {char for char in result.output if not char.isprintable()} == {"\n"}
    if "--json" in command:
        assert all(isinstance(json.loads(line), dict) for line in result.output.splitlines())
    elif command[-1] in ("query", "tail"):
        assert len(result.output.splitlines()) == 4
        assert "[red]y" in result.output


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (
            (events, "query", "--type", "alocator.mode_changed"),
            "type: 'alocator.mode_changed' is not there; allowed: a",
        ),
        ((events, "query", "--stream", "alfa/*"), "stream: 'alfa/*' is not there; allowed: alpha/allocator, bravo/sim"),
        ((events, "tail", "--stream", "brav/sim"), "allowed: bravo/sim, alpha/allocator"),
        ((events, "command", "c33"), "command: 'c33' is not there; allowed: none yet"),
        ((state, "brav"), "bot: 'brav' is not there; allowed: bravo, alpha"),
        ((state, "alpha", "--projection", "enrgy"), "allowed: energy, bot, commands"),
        ((replay, "alfa"), "bot: 'alfa' is not there; allowed: alpha, bravo"),
        ((replay, "--type", "test.sad"), "type: 'test.sad' is not there"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_names_there_are(url, command, complaint):
    result = run(*command, "--store", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--from", 2000), "no event matches in that time; without it: event times 1.000 to 6.000, positions 1 to 6"),
        (("--stream", "alpha/*", "--to", 1), "without it: event times 1.000 to 5.000, positions 1 to 5"),
        (("--recorded-to", "2020-01-01T00:00:00Z"), "without it: recorded 20"),
        (("--correlation", "c99", "--from", 1), "no event matches"),
        (("--correlation", "c99"), "no event matches"),
    ],
)
def test_nothing_found_is_no_silence(url, arguments, reason):
    for command in ((events, "query"), (events, "query", "--json"), (replay,)):
        result = run(*command, *arguments, "--store", url)
        assert (result.exit_code, result.stdout) == (0, "")
        assert reason in result.stderr
        assert ("in that time" in result.stderr) == ("without" in reason or "in that time" in reason)
    assert result.stderr.endswith("0 events\n")


@pytest.mark.parametrize("command", [(events, "query"), (replay, "alpha"), (events, "export", "never.jsonl")])
def test_a_range_without_a_moment_is_refused(url, command):
    result = run(*command, "--from", 3, "--to", "2.5", "--store", url)
    assert result.exit_code == 2
    assert "--from, --to: 3.000, 2.500; allowed: the first before the second" in result.stderr


def test_a_command_is_shown_with_its_verdict_and_its_events(tmp_path):
    url = f"sqlite:///{tmp_path}/events.db"
    with open_store(url, reserve_bytes=0) as store:
        for number in (1, 2):
            name = {"correlation": f"p{number}"}
            started = {"profile": f"p{number}", "segments": 1, "duration": 1.0}
            ended = {
                "profile": f"p{number}",
                "outcome": "EXECUTED",
                "reason": "",
                "energy": 7.0,
                "segment": 0,
                "elapsed": 1.0,
            }
            store.append("alpha/allocator", [Event("allocator.profile_started", started, time=SECOND, **name)])
            store.append("alpha/allocator", [Event("allocator.profile_ended", ended, time=2 * SECOND, **name)])
    shown = run(events, "command", "p2", "--store", url)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert {"      command id  p2", "         verdict  EXECUTED", "           ended  2.000"} <= set(lines)
    assert [line.split()[3] for line in lines[-2:]] == ["allocator.profile_started", "allocator.profile_ended"]
    found = json.loads(run(events, "command", "p2", "--json", "--store", url).output)
    assert (found["command"]["verdict"], found["command"]["ended_text"]) == ("EXECUTED", str(2 * SECOND))
    assert [event["position"] for event in found["events"]] == [3, 4]
    unknown = run(events, "command", "p3", "--store", url).stderr
    assert "p1" in unknown
    assert "p2" in unknown


@pytest.mark.requirement("EVENT-13")
def test_stats_and_verify(url):
    found = json.loads(run(events, "stats", "--json", "--store", url).output)
    assert (found["events"], found["stream_names"]) == (6, ["alpha/allocator", "bravo/sim"])
    assert run(events, "verify", "--store", url).output.startswith("ok: 6 events, head 6")


def test_heads_may_lie_elsewhere(url, tmp_path):
    (tmp_path / "events.db.heads").rename(tmp_path / "elsewhere.heads")
    (tmp_path / "events.db.pub").rename(tmp_path / "elsewhere.pub")
    assert "no signed head is known" in run(events, "verify", "--store", url).output
    assert "signed up to 6" in run(events, "verify", "--heads", tmp_path / "elsewhere.heads", "--store", url).output
    refused = run(events, "verify", "--heads", tmp_path / "elsewhere.heads")
    assert refused.exit_code == 2
    assert "--store" in refused.stderr


def test_a_changed_byte_fails_verification(url, tmp_path):
    database = sqlite3.connect(tmp_path / "events.db")
    database.execute("UPDATE events SET time = time + 1 WHERE position = 3")
    database.commit()
    database.close()
    result = run(events, "verify", "--store", url)
    assert result.exit_code == 1
    assert "position 3" in result.stderr
    assert "hint:" in result.stderr


@pytest.mark.requirement("EVENT-13")
def test_export_and_import_carry_everything(url, tmp_path):
    file, copy = tmp_path / "all.jsonl", f"sqlite:///{tmp_path}/copy.db"
    assert run(events, "export", file, "--store", url).output.startswith("6 events")
    assert "verbatim" in run(events, "import", file, "--store", copy).output
    shown = [run(events, "query", "--json", "--store", one).output.splitlines() for one in (url, copy)]
    assert shown[0] == shown[1][:6]
    assert json.loads(shown[1][6])["type"] == "eventstore.imported"
    assert run(events, "import", file, "--store", copy).output.startswith("0 events stored, 6 known")
    again = run(events, "export", file, "--store", url)
    assert again.exit_code == 2
    assert "all.jsonl" in again.stderr


@pytest.mark.requirement("EVENT-13")
def test_backup_and_restore(url, tmp_path):
    backup, fresh = tmp_path / "backup.db", tmp_path / "new" / "events.db"
    assert run(events, "backup", backup, "--store", url).exit_code == 0
    assert run(events, "restore", backup, "--store", f"sqlite:///{fresh}").output.startswith("6 events restored")
    again = run(events, "restore", backup, "--store", f"sqlite:///{fresh}")
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    missing = run(events, "restore", tmp_path / "none.db", "--store", f"sqlite:///{tmp_path}/x.db")
    assert (missing.exit_code, "none.db" in missing.stderr) == (2, True)


def test_a_restore_brings_segments_along_and_takes_no_log_of_another_store(url, tmp_path):
    backup, fresh = tmp_path / "backup.db", tmp_path / "fresh.db"
    assert run(events, "retain", "--max-events", 2, "--segment-events", 2, "--store", url).exit_code == 0
    assert run(events, "backup", backup, "--store", url).exit_code == 0
    shutil.copytree(tmp_path / "events.db.segments", tmp_path / "backup.db.segments")
    log = tmp_path / "fresh.db-wal"
    log.write_bytes(b"left by a crash")
    refused = run(events, "restore", backup, "--store", f"sqlite:///{fresh}")
    assert (refused.exit_code, "fresh.db-wal" in refused.stderr, fresh.exists()) == (2, True, False)
    log.unlink()
    assert run(events, "restore", backup, "--store", f"sqlite:///{fresh}").exit_code == 0
    assert (tmp_path / "fresh.db.heads").read_bytes().startswith((tmp_path / "backup.db.heads").read_bytes())
    shown = [run(events, "query", "--json", "--store", one).output.splitlines() for one in (url, f"sqlite:///{fresh}")]
    assert shown[0] == shown[1][:-1]
    assert json.loads(shown[1][-1])["type"] == "eventstore.restored"
    assert len(shown[0]) == 8, "also what was dropped, and the record of it"


def test_a_damaged_backup_is_not_restored(url, tmp_path):
    backup, fresh = tmp_path / "backup.db", tmp_path / "fresh.db"
    run(events, "backup", backup, "--store", url)
    database = sqlite3.connect(backup)
    database.execute("UPDATE events SET time = time + 1 WHERE position = 3")
    database.commit()
    database.close()
    result = run(events, "restore", backup, "--store", f"sqlite:///{fresh}")
    assert (result.exit_code, fresh.exists()) == (1, False)
    assert "does not verify" in result.stderr


def test_retain_drops_what_no_hold_keeps(url):
    held = run(events, "hold", "inquiry", "--reason", "why", "--stream", "alpha/*", "--from", 3, "--store", url)
    assert held.exit_code == 0, held.stderr
    assert json.loads(run(events, "holds", "--json", "--store", url).output)["start"] == 3 * SECOND
    assert "inquiry  streams alpha/* from 3.000  (why)" in run(events, "holds", "--store", url).output
    policy = ("--max-events", 0, "--segment-events", 1, "--store", url)
    first = run(events, "retain", *policy)
    assert first.output.splitlines() == [
        "2 events dropped in 2 segments; due up to position 7",
        "stopped at hold 'inquiry'",
    ]
    assert run(events, "release", "inquiry", "--store", url).output == "released inquiry\n"
    second = json.loads(run(events, "retain", "--json", *policy).output)
    assert ([segment["first"] for segment in second["dropped"]], second["hold"]) == (list(range(3, 11)), None)
    listed = [json.loads(line) for line in run(events, "segments", "--json", "--store", url).output.splitlines()]
    assert [(one["first"], one["last"], one["dropped"]) for one in listed] == [(n, n, True) for n in range(1, 11)]
    assert len(run(events, "segments", "--store", url).output.splitlines()) == 10
    assert run(events, "verify", "--store", url).exit_code == 0
    assert len(run(events, "query", "--store", url, "--stream", "*").output.splitlines()) > 6, "it can still be read"


def test_segments_and_holds_of_a_store_without_any(url):
    assert run(events, "segments", "--store", url).output == "no segments\n"
    assert run(events, "holds", "--store", url).output == "no holds\n"
    assert run(events, "holds", "--json", "--store", url).output == ""


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("retain",), ("--max-age-days", "--max-events", "--max-gib")),
        (("retain", "--max-events", -1), ("--max-events", "-1")),
        (("retain", "--max-events", 1, "--segment-events", 0), ("--segment-events", "0")),
        (("hold", "x"), ("--reason",)),
        (("hold", "x", "--reason", "y", "--from", 2, "--to", 1), ("start before end",)),
        (("hold", " ", "--reason", "y"), ("name = ' '",)),
        (("release", "nobody"), ("'nobody'",)),
    ],
)
def test_what_retention_refuses(url, arguments, parts):
    result = run(events, *arguments, "--store", url)
    assert result.exit_code == 2, result.output
    assert all(part in result.stderr for part in parts), result.stderr
    assert run(events, "segments", "--store", url).output == "no segments\n"


def test_a_hold_is_placed_once(url):
    place = ("hold", "x", "--reason", "y", "--store", url)
    assert run(events, *place).exit_code == 0
    again = run(events, *place)
    assert (again.exit_code, "'x'" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments", [("retain", "--max-events", 1), ("hold", "x", "--reason", "y"), ("release", "x"), ("segments",)]
)
def test_retention_makes_no_store(tmp_path, arguments):
    missing = run(events, *arguments, "--store", f"sqlite:///{tmp_path}/none.db")
    assert (missing.exit_code, "none.db" in missing.stderr, list(tmp_path.iterdir())) == (3, True, [])


@pytest.mark.parametrize("arguments", [("retain", "--max-events", 1), ("hold", "x", "--reason", "y"), ("release", "x")])
def test_while_somebody_writes_holds_and_segments_are_only_shown(url, arguments):
    with open_store(url, reserve_bytes=0):
        refused = run(events, *arguments, "--store", url)
        assert (refused.exit_code, "held by another writer" in refused.stderr) == (3, True)
        assert "stop that node" in refused.stderr
        assert run(events, "segments", "--store", url).exit_code == 0
        assert run(events, "holds", "--store", url).exit_code == 0


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    result = run(events, "tail", "--store", f"sqlite:///{tmp_path}/none.db")
    assert result.exit_code == 3
    assert "none.db" in result.stderr
    assert not (tmp_path / "none.db").exists()


def test_a_url_that_is_none_is_refused():
    result = run(events, "stats", "--store", "mysql://here")
    assert (result.exit_code, "mysql" in result.stderr) == (2, True)


@pytest.mark.requirement("EVENT-13")
@pytest.mark.parametrize(("at", "mode"), [("0.5", None), ("1", "ADAPTIVE"), ("2.9", "MANUAL_OVERRIDE"), ("3", "AUTO")])
def test_state_at_a_time(url, at, mode):
    result = run(state, "alpha", "--at", at, "--projection", "bot", "--json", "--store", url)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["bot"]["mode"] == mode


def test_state_at_a_position_and_now(url):
    assert "mode: ADAPTIVE" in run(state, "alpha", "--position", 4, "--store", url).output
    assert "mode: MANUAL_OVERRIDE" in run(state, "alpha", "--store", url).output


def test_totals_of_a_state_are_those_of_the_run_with_their_units(tmp_path):
    url = f"sqlite:///{tmp_path}/events.db"
    sample = {"energy_used_j": 120.5, "impulse_n_s": 3.0, "stored_j": 150000.0, "working_mass_kg": 59.8}
    with open_store(url) as store:
        store.append("alpha/energy", [Event("energy.sampled", sample, time=10**9)])
    lines = run(state, "alpha", "--store", url).output.splitlines()
    at = lines.index("energy of the run:")
    assert lines[at + 1 : at + 4] == ["  used:", "    energy: 120.5 J", "    impulse: 3 N s"]
    assert "  stored: 150000 J" in lines
    assert "  working_mass: 59.8 kg" in lines
    assert {"commands: none", "docking: none"} <= set(lines)


def test_state_refuses_what_there_is_not(url):
    nobody = run(state, "zulu", "--store", url)
    assert (nobody.exit_code, "alpha, bravo" in nobody.stderr) == (2, True)
    part = run(state, "alpha", "--projection", "soul", "--store", url)
    assert (part.exit_code, "energy" in part.stderr) == (2, True)
    assert run(state, "alpha", "--at", "1", "--position", 1, "--store", url).exit_code == 2


def test_replay_shows_a_bots_events_in_order(url):
    result = run(replay, "alpha", "--speed", 0, "--from", 2, "--store", url)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["2", "3", "4", "5"]
    assert "4 events" in result.stderr


@pytest.mark.requirement("EVENT-13")
def test_replay_keeps_the_pace(url):
    import time

    begin = time.monotonic()
    assert run(replay, "--speed", 20, "--store", url).exit_code == 0
    assert time.monotonic() - begin >= 5.0 / 20.0


def test_a_recording_that_is_none_is_refused(tmp_path):
    file = tmp_path / "flight.mcap"
    missing = run(replay, file)
    assert (missing.exit_code, "flight.mcap" in missing.stderr) == (2, True)
    file.write_bytes(b"no recording")
    assert "not an MCAP file" in run(replay, file).stderr
    assert run(replay, file, "--stream", "alpha/*").exit_code == 2
    assert "--topic" in run(replay, "alpha", "--topic", "/x").stderr


@pytest.mark.parametrize(
    ("moment", "outside"),
    [
        (("--at", "0.5"), "before the first event"),
        (("--at", "99"), "after the last event"),
        (("--position", 0), "before the first event"),
        (("--position", 7), "after the last event"),
        (("--recorded", "1971-01-01T00:00:00Z"), "before the first event"),
        (("--recorded", "2200-01-01T00:00:00Z"), "after the last event"),
        (("--at", "2"), None),
        (("--position", 3), None),
        ((), None),
    ],
)
def test_a_moment_outside_the_record_is_named(url, moment, outside):
    found = json.loads(run(state, "alpha", "--json", *moment, "--store", url).output)["record"]["outside"]
    assert (found or "").startswith(outside or "\0") if outside else found is None
    text = run(state, "alpha", *moment, "--store", url).output
    assert ("outside: " in text) == (outside is not None)


@pytest.mark.parametrize(
    ("moment", "outside", "mode"),
    [
        ("0.5", "before the first event: nothing", None),
        ("1.5", "before the first event of the run that began at position 8", "AUTO"),
        ("2", None, "ADAPTIVE"),
        ("3.5", "after the last event of the run that began at position 8", "ADAPTIVE"),
        ("7", "after the last event: the state is that of the end", "ADAPTIVE"),
    ],
)
def test_a_moment_that_only_the_run_before_a_reset_has_is_named(tmp_path, moment, outside, mode):
    url = f"sqlite:///{tmp_path}/events.db"

    def began(kind: str) -> Event:
        return Event(f"simulator.{kind}", {"scenario": "single", "seed": 1}, time=1000)

    def changed(second: int, mode: str) -> Event:
        return Event("allocator.mode_changed", {"mode": mode, "before": "AUTO"}, time=second * SECOND)

    with open_store(url, reserve_bytes=0) as store:
        store.append("qiki/sim", [began("scenario_loaded")])
        store.append("alpha/allocator", [changed(second, "AUTO") for second in range(1, 7)])
        store.append("qiki/sim", [began("reset")])
        store.append("alpha/allocator", [changed(second, "ADAPTIVE") for second in (2, 3)])
    found = json.loads(run(state, "alpha", "--json", "--at", moment, "--store", url).output)
    assert found["bot"]["mode"] == mode
    assert (found["record"]["outside"] or "").startswith(outside or "\0") if outside else True
    assert (found["record"]["outside"] is None) == (outside is None)


def test_a_moment_in_a_segment_that_is_missing_is_named(url, tmp_path):
    assert run(events, "retain", "--max-events", 0, "--segment-events", 3, "--store", url).exit_code == 0
    assert "outside" not in run(state, "alpha", "--position", 2, "--store", url).output
    for file in (tmp_path / "events.db.segments").iterdir():
        file.unlink()
    missing = run(state, "alpha", "--position", 2, "--store", url)
    assert missing.exit_code != 0
    assert "positions 1 to 3 were dropped by retention, and their file" in missing.stderr


def test_events_that_a_state_cannot_take_are_counted(tmp_path):
    url = f"sqlite:///{tmp_path}/events.db"
    with open_store(url, reserve_bytes=0) as store:
        store.append("alpha/allocator", [Event("allocator.mode_changed", {"mode": "AUTO", "before": "ADAPTIVE"})])
        newer = Event("allocator.mode_changed", Encoded("application/json", b'{"shape": "new"}'), schema_version=2)
        store.append("alpha/allocator", [newer, Event("docking.attempt_failed", {"z": 1}, schema_version=2)])
    found = json.loads(run(state, "alpha", "--json", "--store", url).output)
    assert (found["bot"]["mode"], found["record"]["skipped"]) == ("AUTO", {"bot": 1, "energy": 1})
    assert "skipped:\n    bot: 1\n" in run(state, "alpha", "--store", url).output
    assert "hex" in run(events, "query", "--json", "--store", url).output.splitlines()[1]


@pytest.mark.parametrize(
    "verb",
    [
        ("hold", "inquiry", "--reason", "r"),
        ("release", "inquiry"),
        ("retain", "--max-events", "1"),
        ("dead-letters", "retry", "--all"),
        ("query",),
        ("verify",),
    ],
    ids=lambda verb: verb[0],
)
@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_mistyped_store_is_not_made(tmp_path, verb, form):
    letters = tmp_path / "outbox"
    letters.mkdir()
    DeadLetters(letters / f"alpha.allocator{SUFFIX}").add([b"garbage"], "refused")
    spool = ("--spool", letters) if verb[0] == "dead-letters" else ()
    result = run(events, *verb, *spool, "--store", form.format(tmp_path / "evnets.db"))
    assert result.exit_code == 3
    assert "evnets.db: there is no such store" in result.output
    assert list(tmp_path.iterdir()) == [letters]


@pytest.mark.parametrize("content", [b"root:*:19000\n", b"\x00\xff" * 50, b"", b"[" * 5000])
def test_an_import_of_another_file_leaves_no_store_behind(tmp_path, content):
    file = tmp_path / "other"
    file.write_bytes(content)
    result = run(events, "import", file, "--store", tmp_path / "new.db")
    assert result.exit_code == 1
    assert str(file) in result.output
    assert "root:" not in result.output
    assert list(tmp_path.iterdir()) == [file]


def test_what_never_ends_is_not_imported(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (pipe, "/dev/zero"):
        result = run(events, "import", file, "--store", tmp_path / "new.db")
        assert (result.exit_code, "is no regular file" in result.output) == (1, True)
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_never_ends_or_is_not_there_is_no_file_of_heads_and_no_recording(url, tmp_path):
    recording = tmp_path / "pipe.mcap"
    os.mkfifo(recording)
    for result in (
        run(events, "verify", "--store", url, "--heads", recording),
        run(events, "verify", "--store", url, "--heads", "/dev/zero"),
        run(replay, recording),
    ):
        assert (result.exit_code, "is no regular file" in result.output) == (2, True)
    for result in (run(events, "verify", "--store", url, "--heads", tmp_path / "hedas"), run(replay, "none.mcap")):
        assert (result.exit_code, "no such file" in result.output) == (2, True)


@pytest.mark.parametrize("verb", ["export", "backup"])
def test_a_file_in_a_missing_folder_names_the_folder(url, tmp_path, verb):
    result = run(events, verb, tmp_path / "none" / "file", "--store", url)
    assert result.exit_code == 2
    assert f"{tmp_path}/none: no such folder" in result.output
    assert "part" not in result.output


def test_a_reader_of_the_output_that_is_gone_is_no_error_of_the_store():
    with pytest.raises(BrokenPipeError), store_errors(on_graph=False):
        raise BrokenPipeError


def test_a_store_that_was_away_is_followed_on(monkeypatch, capsys):
    monkeypatch.setattr("qiki_eventstore.cli.events.time.sleep", lambda _s: None)
    away = StoreUnavailable("no answer\x1b[2J")
    answers = iter([None, away, away, "event", away])

    class Subscription:
        def get(self, _timeout):
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    following = Subscription()
    assert [_next(following, wait=True) for _ in range(2)] == [None, "event"]
    assert capsys.readouterr().err == "note: no answer\\u001b[2J; waiting for it\nnote: the store is back\n"
    with pytest.raises(StoreUnavailable):
        _next(following, wait=False)
