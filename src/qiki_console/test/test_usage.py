"""The command line without a graph: help, bad usage, and the error when the graph is down."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result

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


@pytest.mark.parametrize(
    "arguments",
    [
        (verb, *rest, "--help")
        for verb, rests in {
            "status": [()],
            "thrust": [()],
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
        (("fly",), "No such command 'fly'"),
        (("thrust", "alpha", "--for", "2"), "--force, --torque: at least one of them is needed"),
        (("thrust", "alpha", "--force", "1", "nan", "0", "--for", "2"), "--force Y: nan is not allowed"),
        (("thrust", "alpha", "--torque", "0", "0", "inf", "--for", "2"), "--torque Z: inf is not allowed"),
        (("thrust", "alpha", "--force", "1", "2", "--for", "2"), "--force"),
        (("thrust", "alpha", "--force", "1", "0", "0", "--for", "-2"), "--for: -2 is not allowed; allowed: above 0"),
        (("thrust", "alpha", "--force", "1", "0", "0", "--for", "2", "--rate", "1"), "--rate: 1 is not allowed"),
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
