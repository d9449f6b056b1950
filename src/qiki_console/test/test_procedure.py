"""Procedures as files: strict reading, variables, checks before anything is done."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from qiki_console.model.procedure import read_plan
from qiki_node import session
from qiki_vehicle import ConfigurationError

Run = Callable[..., Result]

GOOD = """
name: example
variables: {bot: alpha, force: 20, partner: null}
steps:
  - name: push $bot
    command: thrust ${bot} --force $force 0 0 --for 2
    timeout: 30
    on_failure:
      - command: allocator stop $bot
  - wait: $bot/docking.phase == BRIDGE and $bot/docking.partner == "$partner"
    samples: 5
    events: {type: docking.ended, stream: $bot/docking, payload: {partner: $partner, tries: 1}, count: 2}
    on_failure: continue
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "example.yaml"
    file.write_text(text)
    return file


def test_a_plan_has_the_values_of_its_variables(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, GOOD), {"partner": "bravo", "force": "-3.5"})
    push, wait = plan.steps
    assert push.task.words == ("thrust", "alpha", "--force", "-3.5", "0", "0", "--for", "2")
    assert (push.task.text, push.task.timeout, push.goes_on) == ("push alpha", 30.0, False)
    assert push.failure[0].words == ("allocator", "stop", "alpha")
    assert push.failure[0].place == "steps[0].on_failure[0]"
    assert wait.task.wait is not None
    assert wait.task.wait.text == 'alpha/docking.phase == BRIDGE and alpha/docking.partner == "bravo"'
    assert (wait.task.samples, wait.goes_on) == (5, True)
    assert wait.task.condition.endswith("; 2 x docking.ended of alpha/docking, partner bravo, tries 1")
    events = wait.task.events
    assert events is not None
    assert events.fits({"partner": "bravo", "tries": 1, "code": 0})
    assert not events.fits({"partner": "bravo"})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("timeout: 30", "timeout: -1"), "steps[0].timeout = -1: Input should be greater than 0"),
        (("timeout: 30", "timeout: .nan"), "steps[0].timeout = nan"),
        (("timeout: 30", "timeout: '30'"), "steps[0].timeout = '30': Input should be a valid number"),
        (("samples: 5", "samples: 0"), "steps[1].samples = 0"),
        (("samples: 5", "sample: 5"), "steps[1]: unknown key sample; allowed: name, command, wait, events, "),
        (("on_failure: continue", "on_failure: retry"), "'retry': Input should be 'stop' or 'continue'"),
        (("on_failure: continue", "on_failure: []"), "steps[1].on_failure"),
        (("      - command: allocator stop $bot", "      - name: x"), "steps[0].on_failure.actions[0]"),
        (("$bot/docking.phase", "$bat/docking.phase"), "variable 'bat' is not there; allowed: bot, force, partner"),
        (("--for 2", "--for $"), "steps[0].command = '$': a $ without the name of a variable"),
        (("--for 2", "--for '2"), "steps[0].command = "),
        (("phase == BRIDGE", "phase = BRIDGE"), "steps[1].wait = 'alpha/docking.phase = BRIDGE and"),
        (("docking.ended", "docking.eneded"), "steps[1].events.type = 'docking.eneded': no such event"),
        (("type: docking.ended, ", ""), "steps[1].events.type: "),
        (("stream: $bot/", "stream: $bat/"), "steps[1].events.stream = '$bat/docking': variable 'bat' is not there"),
        (("partner: $partner,", "partner: $,"), "steps[1].events.payload.partner = '$': a $ without"),
        (("tries: 1", "tries: [1]"), "steps[1].events.payload.tries"),
        (("count: 2", "count: -1"), "steps[1].events.count = -1"),
        (("name: example", "name: an example"), "name = 'an example'"),
        (("name: example", "name: example\nname: again"), "key given twice: name"),
        (("force: 20", "force: [1]"), "variables.force"),
        (("force: 20", "force: '1 2'"), "variable force = '1 2': not allowed"),
    ],
)
def test_a_file_that_is_refused_names_file_step_field_and_value(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    assert change[0] in GOOD
    file = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(ConfigurationError) as refused:
        read_plan(file, {"partner": "bravo"})
    assert complaint in str(refused.value)
    assert "example.yaml" in str(refused.value) or "variable force" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "--set partner: missing"),
        (
            {"partner": "bravo", "bat": "x"},
            "--set bat: example.yaml has no such variable; allowed: bot, force, partner",
        ),
        ({"partner": '" or 1 == 1 or "'}, "variable partner = '\" or 1 == 1 or \"': not allowed"),
        ({"partner": "a b"}, "variable partner = 'a b': not allowed"),
        ({"partner": ""}, "variable partner = '': not allowed"),
    ],
)
def test_arguments_are_checked(tmp_path: Path, given: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_plan(written(tmp_path, GOOD), given)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("trust alpha --for 2", "verb: 'trust' is not there; allowed: thrust, allocator"),
        ("run other", "verb: 'run' is not there; allowed: "),
        ("sim", "qiki sim: a verb is missing; allowed: clear, fault"),
        ("sim spede 2", "verb: 'spede' is not there; allowed: speed, clear, "),
        ("sim speed fast", "'fast' is not a valid float"),
        ("allocator mode alpha TURBO", "'TURBO' is not one of"),
        ("thrust alpha --fore 1 0 0 --for 2", "No such option"),
        ("thrust --help", "--help: not allowed"),
    ],
)
def test_commands_are_checked_before_anything_is_done(qiki: Run, tmp_path: Path, command: str, complaint: str) -> None:
    step = f"{{command: '{command}', on_failure: [{{command: {command}}}]}}"
    text = f"name: example\nsteps:\n  - wait: a/b.c == 1\n  - {step}"
    for arguments in ((), ("--dry-run",)):
        result = qiki("run", str(written(tmp_path, text)), *arguments)
        assert result.exit_code == 2
        assert f"steps[1].command = '{command}': " in result.output
        assert "steps[1].on_failure[0].command" in result.output
        assert complaint in result.output


def test_a_dry_run_without_a_graph_shows_the_steps_and_says_so(
    qiki: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DISCOVERY", 0.2)
    monkeypatch.setenv("COLUMNS", "200")
    result = qiki("run", str(written(tmp_path, GOOD)), "--set", "partner=bravo", "--dry-run")
    assert result.exit_code == 0, result.output
    for part in ("steps[0].on_failure[0]", "allocator stop alpha", "(5 samples)", "tasks below", "no graph is up"):
        assert part in result.stdout
    result = qiki("run", str(written(tmp_path, GOOD)), "--set", "partner=bravo")
    assert result.exit_code == 3


def test_shipped_procedures_are_listed_and_sound(qiki: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "DISCOVERY", 0.05)
    names = qiki("run", "--list").stdout.split()
    assert "push_and_stop" in names
    for name in names:
        result = qiki("run", name, "--dry-run")
        assert result.exit_code == 0, result.output
    result = qiki("run", "push_and_stpo")
    assert (result.exit_code, "allowed: push_and_stop" in result.output) == (2, True)
    assert qiki("run").exit_code == qiki("run", "push_and_stop", "--set", "bot").exit_code == 2
