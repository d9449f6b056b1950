"""The command line without a graph: help, bad usage, and the error when the graph is down."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result

from qiki_console.cli.verbs import SLOW_VERBS
from qiki_node import session

Run = Callable[..., Result]


def test_help_names_every_verb_and_imports_none() -> None:
    question = (
        "import sys; sys.argv = ['qiki', '--help']\n"
        "from qiki_console.cli.main import cli\n"
        "cli(standalone_mode=False)\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('rclpy', 'numpy', 'rich', 'qiki_msgs')))"
    )
    out = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True).stdout
    assert all(verb in out for verb in ("status", "topics", "thrust", "sim"))
    assert out.splitlines()[-1] == "[]"


def test_help_of_a_slow_verb_is_its_own(qiki: Run) -> None:
    for verb, text in SLOW_VERBS.items():
        assert text in " ".join(qiki(verb, "--help").output.split())


@pytest.mark.parametrize(
    "arguments",
    [
        (verb, *rest, "--help")
        for verb, rests in {
            "status": [()],
            "thrust": [()],
            "dock": [(), ("start",), ("release",), ("reset",), ("report",)],
            "undock": [()],
            "bridge": [(), ("show",), ("set",)],
            "run": [()],
            "topics": [(), ("list",), ("echo",), ("hz",), ("info",)],
            "sim": [(), ("pause",), ("step",), ("speed",), ("load",), ("fault",), ("clear",)],
        }.items()
        for rest in rests
    ],
)
def test_every_verb_explains_itself(qiki: Run, arguments: tuple[str, ...]) -> None:
    result = qiki(*arguments)
    assert result.exit_code == 0
    assert "Usage: " in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("stauts",), "verb: 'stauts' is not there; allowed: status, "),
        (("thrust", "alpha", "--for", "2"), "--force, --torque: at least one of them is needed"),
        (("thrust", "alpha", "--force", "1", "nan", "0", "--for", "2"), "--force Y: nan is not allowed"),
        (("thrust", "alpha", "--torque", "0", "0", "inf", "--for", "2"), "--torque Z: inf is not allowed"),
        (("thrust", "alpha", "--force", "1", "2", "--for", "2"), "--force"),
        (("thrust", "alpha", "--force", "1", "0", "0", "--for", "-2"), "--for: -2 is not allowed; allowed: above 0"),
        (("thrust", "alpha", "--force", "1", "0", "0", "--for", "2", "--rate", "1"), "--rate: 1 is not allowed"),
        (("allocator", "health", "alpha", "3", "weak"), "--level: missing, weak needs one; allowed: above 0"),
        (("allocator", "health", "alpha", "3", "weak", "--level", "1"), "--level: 1 is not allowed; allowed: above 0"),
        (("allocator", "health", "alpha", "3", "weak", "--level", "nan"), "--level: nan is not allowed"),
        (("allocator", "health", "alpha", "3", "ok", "--level", "0.5"), "--level: 0.5 is not allowed, ok takes none"),
        (("allocator", "lead", "alpha"), "joints, --none: exactly one of them is needed, as bravo:B=alpha:A"),
        (("allocator", "lead", "alpha", "bravo:B=alpha:A", "--none"), "joints, --none: exactly one of them is needed"),
        (
            ("allocator", "lead", "alpha", "bravo:B=alpha"),
            "joint 'bravo:B=alpha' is not allowed; allowed: MEMBER:PORT=",
        ),
        (("groups", "--picture", "/no/such/folder/a.svg"), "--picture: /no/such/folder/a.svg is not allowed; allowed"),
        (("dock", "alpha"), "Missing option '--to'"),
        (("dock", "alpha", "--to", "alpha:A"), "--to: 'alpha:A' is not allowed; allowed: another body, or body:port"),
        (("dock", "--to", "station:", "alpha"), "--to: 'station:' is not allowed"),
        (("dock", "alpha", "--to", "station", "--profile", "half"), "'half' is not one of"),
        (("dock", "alpha", "--to", "station", "--timeout", "nan"), "nan is not allowed; allowed: above 0 to 86400 s"),
        (("dock", "alpha", "--to", "station", "--timeout", "0"), "0"),
        (("dock", "release", "alpha"), "--arm, --code: exactly one of them is needed"),
        (("dock", "release", "alpha", "--arm", "--code", "3"), "--arm, --code: exactly one of them is needed"),
        (("dock", "release", "alpha", "--code", "0"), "0 is not in the range"),
        (("bridge", "set", "alpha"), "--profile, --role: at least one of them is needed"),
        (("bridge", "set", "alpha", "--role", "source", "--port", "A"), "--port: 'A' is not allowed without --profile"),
        (("bridge", "sett", "alpha"), "verb: 'sett' is not there; allowed: set"),
        (("events", "dead-letters", "lst"), "verb: 'lst' is not there; allowed: list, "),
        (("sim", "speed", "0"), "FACTOR: 0 is not allowed; allowed: 0.01 to 100"),
        (("sim", "step", "61"), "SECONDS: 61 is not allowed; allowed: above 0 to 60 s"),
        (("sim", "fault", "alpha", "gremlin", "3"), "KIND: 'gremlin' is not allowed; allowed: thruster_stuck_closed"),
        (("sim", "fault", "alpha", "thruster_weak", "3"), "--value: missing"),
        (("sim", "fault", "alpha", "sensor_dropout", "odom", "--value", "1"), "--value: 1 is not allowed"),
        (("sim", "fault", "alpha", "sensor_dropout", "odom", "--for", "-1"), "--for: -1 is not allowed"),
    ],
)
def test_bad_usage_is_named_and_ends_with_2(qiki: Run, arguments: tuple[str, ...], complaint: str) -> None:
    result = qiki(*arguments)
    assert result.exit_code == 2
    assert complaint in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("status", "--json"),
        ("topics", "list"),
        ("topics", "hz", "/clock"),
        ("thrust", "alpha", "--force", "1", "0", "0", "--for", "2"),
        ("sim", "pause"),
        ("sim", "clear", "alpha"),
    ],
)
def test_a_graph_that_is_down_ends_with_3_and_a_hint(
    qiki: Run, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DISCOVERY", 0.3)
    result = qiki(*arguments)
    assert result.exit_code == 3
    assert "./qiki up" in result.output


def test_what_fast_dds_prints_is_not_among_the_answers() -> None:
    """It writes its errors on standard output, in C++."""
    program = (
        "import os, click, qiki_console.cli.main as module\n"
        "@click.command()\n"
        "def cli(): os.write(1, b'error of a library'); click.echo('answer')\n"
        "module.cli = cli\n"
        "module.main()"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("answer\n", "error of a library")


def test_an_interrupt_while_an_error_is_shown_is_no_traceback() -> None:
    program = (
        "import os, signal, click, qiki_console.cli.main as module\n"
        "class Slow(click.ClickException):\n"
        "    def show(self, file=None): os.kill(os.getpid(), signal.SIGTERM)\n"
        "@click.command()\n"
        "def cli(): raise Slow('')\n"
        "module.cli = cli\n"
        "module.main()"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")


@pytest.mark.parametrize("domain", ["abc", "-1", "233"])
def test_a_domain_that_is_none_is_refused(qiki: Run, monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    result = qiki("status")
    assert result.exit_code == 2
    assert f"ROS_DOMAIN_ID: '{domain}' is not allowed; allowed: 0 to 232" in result.output


def test_without_a_home_and_on_another_domain_the_hint_names_the_domain(
    qiki: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DISCOVERY", 0.1)
    monkeypatch.setenv("ROS_DOMAIN_ID", "102")
    monkeypatch.delenv("HOME")
    result = qiki("topics", "list")
    assert result.exit_code == 3
    assert "this is ROS_DOMAIN_ID 102" in result.output


PROGRAM = """
import click, sys
from qiki_console.cli import main as module
from qiki_node.errors import CommandError
from qiki_node.terminal import echo
@module.cli.command()
def flood():
    try:
        for _ in range(100_000):
            echo("Δ" * 10)
    except BrokenPipeError:
        raise
    except OSError as error:  # as verbs do with errors of files
        raise CommandError(str(error)) from error
module.cli.list_commands = lambda ctx: ["flood"]
module.cli.get_command = lambda ctx, name: flood
sys.argv = ["qiki", "flood"]
module.main()
"""


def test_help_for_a_reader_that_is_gone_ends_as_in_any_pipe() -> None:
    script = '"$0" -P -m qiki_console --help | true; exit ${PIPESTATUS[0]}'
    result = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("| head -n 1; exit ${PIPESTATUS[0]}", 141, ""),
        ("> /dev/full", 1, "error: [Errno 28] No space left on device\n"),
        (">&-", 0, ""),
    ],
)
def test_output_that_nobody_takes_is_no_traceback(redirection: str, code: int, said: str) -> None:
    script = f'"$0" -c "$1" {redirection}'
    command = ["bash", "-c", script, sys.executable, PROGRAM]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (code, said)
