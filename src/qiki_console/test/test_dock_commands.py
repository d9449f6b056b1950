"""The verbs of docking and procedures with them, against docking nodes that only play it (fake_docking.py)."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from qiki_console.graph.docking import Docking
from qiki_events import REGISTRY
from qiki_msgs.msg import Event
from qiki_msgs.srv import QueryEvents
from qiki_node import session
from qiki_node.testing import PATIENCE

Run = Callable[..., Result]

pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("bodies", "patient")]


def test_a_bot_docks_is_shown_and_undocks(qiki: Run) -> None:
    result = qiki("dock", "alpha", "--to", "station:1", "--profile", "full")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("APPROACH hold_5  range 3.25 m  closing 0.050 m/s")
    assert any("ALIGN close" in line and "outside of the contact box: tilt" in line for line in lines)
    assert lines[-1] == "alpha: EXECUTED in BRIDGE after 0.5 s, 1 tries; report: qiki dock report dock-1"

    result = qiki("bridge")
    assert result.exit_code == 0
    assert "alpha  RELAY  fed by station, depth 1  60 of 260 W  shed: charge" in result.stdout
    assert "A to dorsal  FULL  27.50 V  2.50 A  (expected 2.49 A)" in result.stdout
    assert "\x1b" not in result.stdout
    shown = json.loads(qiki("bridge", "show", "--json").stdout)
    assert shown["alpha"]["edges"][0]["temperature_degc"] is None
    assert (shown["alpha"]["edges"][0]["current_a"], shown["alpha"]["stale"]) == (2.5, False)

    result = qiki("dock", "alpha", "--to", "station")
    assert result.exit_code == 2
    assert "alpha: REJECTED in BRIDGE" in result.output
    assert "103 \\u001b[31mnot free, docked already" in result.output
    result = qiki("undock", "alpha", "--port", "1")
    assert result.exit_code == 0
    assert result.stdout.endswith("UNDOCKING power_down\nalpha: port A is free\n")
    result = qiki("undock", "alpha")
    assert result.exit_code == 2
    assert "port '': not docked" in result.output


def test_a_docking_that_fails_or_is_refused_says_why(qiki: Run) -> None:
    result = qiki("dock", "alpha", "--to", "station:ventral", "--profile", "data", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "FAILED"
    assert "FAILED in FREE after 0.5 s, 1 tries: 302 closing 0.132 m/s" in result.output
    result = qiki("dock", "alpha", "--to", "station", "--port", "B")
    assert (result.exit_code, "docking.refused" in result.output) == (2, True)
    for arguments, complaint in (
        (("--to", "station:C"), "port of station: 'C' is not there; allowed: dorsal, ventral"),
        (("--to", "station:3"), "port of station: '3' is not there"),
        (("--to", "station", "--port", "0"), "port of alpha: '0' is not there; allowed: A, B"),
    ):
        result = qiki("dock", "alpha", *arguments)
        assert result.exit_code == 2
        assert complaint in result.output


@pytest.mark.parametrize("cause", ["Ctrl-C", "timeout"])
def test_a_cancelled_docking_ends_when_it_has_aborted(qiki: Run, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()
    begin = Docking.begin
    monkeypatch.setattr(Docking, "begin", lambda *arguments: (begin(*arguments), begun.set()))

    def interrupt() -> None:
        assert begun.wait(PATIENCE)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=interrupt)
    if cause == "Ctrl-C":
        presser.start()
    result = qiki("dock", "alpha", "--to", "bravo:A", *(() if cause == "Ctrl-C" else ("--timeout", "0.4")))
    if cause == "Ctrl-C":
        presser.join()
    reason = "interrupted" if cause == "Ctrl-C" else "not done within 0.4 s"
    assert result.exit_code == 1
    assert f"{reason}: cancelled, it aborts" in result.output
    assert f"alpha: CANCELED in FREE after 0.5 s, 1 tries: {reason}; 204 cancelled by order" in result.output


def test_roles_and_profiles_are_waited_for(qiki: Run) -> None:
    result = qiki("bridge", "set", "bravo", "--role", "source")
    assert (result.exit_code, result.stdout) == (0, "bravo: role SOURCE\n"), result.output
    result = qiki("bridge", "set", "bravo", "--profile", "data")
    assert (result.exit_code, "no port is docked" in result.output) == (2, True)
    result = qiki("dock", "alpha", "--to", "station", "--no-wait")
    assert (result.exit_code, result.stdout.startswith("alpha: accepted, command ")) == (0, True)
    result = qiki("dock", "alpha", "--to", "bravo", "--no-wait")
    assert (result.exit_code, "accepted" in result.output, "REJECTED" in result.output) == (2, False, True)
    result = qiki("bridge", "set", "alpha", "--role", "relay", "--no-wait")
    assert result.exit_code == 0
    end = time.monotonic() + PATIENCE
    while qiki("bridge", "set", "alpha", "--profile", "data", "--port", "A").exit_code != 0:
        assert time.monotonic() < end
    result = qiki("bridge", "set", "alpha", "--profile", "power", "--timeout", "0.5")
    assert result.exit_code == 1
    assert "accepted, but not done within 0.5 s: role RELAY; A: DATA  27.50 V" in result.output
    assert qiki("undock", "alpha").exit_code == 0


def test_a_report_comes_from_the_event_store(qiki: Run) -> None:
    for arguments in ((), ("dock-0",)):
        result = qiki("dock", "report", *arguments)
        assert result.exit_code == 0, result.output
        assert "dock-0: alpha:N/A to \\u001b[2Jbravo:A, N/A\nEXECUTED in BRIDGE, 1 tries, 61.5 s" in result.stdout
        assert "no plot: no recording is given" in result.stdout
    assert json.loads(qiki("dock", "report", "dock-0", "--json").stdout)["margins_si"]["closing"] == 0.02
    result = qiki("dock", "report", "dock-9")
    assert (result.exit_code, "docking: 'dock-9' is not there; allowed: dock-0" in result.output) == (2, True)


def test_every_order_is_recorded_with_the_id_that_its_events_carry(qiki: Run) -> None:
    verbs: list[tuple[tuple[str, ...], str, dict[str, str]]] = [
        (("bridge", "set", "bravo", "--role", "sink"), "bravo", {"role": "SINK"}),
        (("dock", "reset", "alpha"), "alpha", {}),
        (("dock", "release", "alpha", "--arm"), "alpha", {"step": "arm"}),
        (("dock", "release", "alpha", "--code", "1"), "alpha", {"step": "release"}),
        (("undock", "alpha", "--port", "A"), "alpha", {"port": "A"}),
        (("dock", "alpha", "--to", "station", "--port", "B"), "alpha",
         {"partner": "station", "own_port": "B", "profile": "FULL"}),
    ]  # fmt: skip
    with session.Session("test") as graph:
        request = QueryEvents.Request(types=["operator.command_issued"])

        def issued() -> list[Event]:
            return list(graph.call(QueryEvents, "/qiki/eventstore/query", request, repeatable=True).events)

        before = len(issued())
        for words, _, _ in verbs:
            qiki(*words)
        events = issued()[before:]
    assert len({event.correlation for event in events}) == len(verbs)
    for event, (words, target, arguments) in zip(events, verbs, strict=True):
        data = REGISTRY.decode(event.type, event.schema_version, event.content_type, bytes(event.payload))
        assert " ".join(words).startswith(data["name"])
        assert (data["command_id"], data["target"], data["arguments"]) == (event.correlation, target, arguments)
        assert event.stream == f"operator/{data['operator']}"
        assert event.time.sec > 0


def test_release_takes_two_steps(qiki: Run) -> None:
    result = qiki("dock", "release", "alpha", "--arm")
    assert (result.exit_code, "armed for 10 s" in result.stdout) == (0, True)
    assert "qiki dock release alpha --code 4242" in result.stdout
    assert qiki("dock", "release", "alpha", "--code", "4242").exit_code == 0
    assert qiki("dock", "release", "alpha", "--code", "1").exit_code == 2
    result = qiki("dock", "reset", "alpha")
    assert (result.exit_code, "not in FAULT" in result.output) == (2, True)


def test_a_procedure_docks_and_leaves_events_with_the_ids_of_its_commands(qiki: Run, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text("""
name: example
variables: {bot: alpha}
steps:
  - {command: dock $bot --to station:A, on_failure: continue}
  - command: dock $bot --to station:2
    wait: $bot/docking.phase == BRIDGE and abs($bot/bridge.edges["station"].current) > 1
    timeout: 60
  - command: undock $bot
    wait: $bot/docking.phase == FREE
    events: {type: procedure.started, payload: {name: example, steps: 5}}
  - {events: {type: procedure.started, count: 0}, on_failure: continue}
  - command: dock $bot --to bravo
    timeout: 2
    on_failure: [{command: dock reset $bot}]
""")
    result = qiki("run", str(file))
    assert result.exit_code == 1, result.output
    ends = [line.split("  ")[:2] for line in result.stdout.splitlines() if line.split("  ")[0] in OUTCOMES]
    assert ends == [
        ["REJECTED", "steps[0]"],
        ["EXECUTED", "steps[1]"],
        ["EXECUTED", "steps[2]"],
        ["FAILED", "steps[3]"],
        ["TIMEOUT", "steps[4]"],
        ["REJECTED", "steps[4].on_failure[0]"],
    ]
    assert "interrupted: cancelled, it aborts" in result.stdout
    assert "not done within 2 s; alpha: CANCELED in FREE" in result.stdout
    assert "1 of 0 events procedure.started" in result.stdout
    assert "example: TIMEOUT, 2 of 5 steps" in result.output
    with session.Session("test") as graph:
        request = QueryEvents.Request(types=["procedure.*", "operator.*"])
        events = graph.call(QueryEvents, "/qiki/eventstore/query", request, repeatable=True).events
    begun = next(index for index, event in enumerate(events) if event.type == "procedure.started")
    events = events[begun:]
    assert [event.type for event in events] == [
        "procedure.started",
        *["operator.command_issued", "procedure.step_ended"] * 3,
        "procedure.step_ended",
        *["operator.command_issued", "procedure.step_ended"] * 2,
        "procedure.ended",
    ]
    payloads = [REGISTRY.decode(e.type, e.schema_version, e.content_type, bytes(e.payload)) for e in events]
    assert {payload["procedure_id"] for payload in payloads if "procedure_id" in payload} == {events[0].correlation}
    issued = [event.correlation for event in events if event.type == "operator.command_issued"]
    assert {event.correlation for event in events if event.type == "procedure.step_ended"} > set(issued)
    assert len({event.correlation for event in events}) == 7
    outcomes = [payload["outcome"] for payload in payloads if "outcome" in payload]
    assert outcomes == ["REJECTED", "EXECUTED", "EXECUTED", "FAILED", "TIMEOUT", "REJECTED", "TIMEOUT"]


OUTCOMES = ("EXECUTED", "REJECTED", "FAILED", "TIMEOUT", "CANCELED")
