"""Text for a terminal: what is printed, in any encoding, and the errors that name what is there."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_node.errors import CommandError, UnknownNameError
from qiki_node.json_text import to_json
from qiki_node.terminal import echo, make_console, printable, printable_values

ANY_TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x07\x08\r\n\t\x7f\x85\x9b\u2028\u202e\u2066\ud800"))
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x\x1b[2J", "x\\u001b[2J"),
        ("\x9b2J", "\\u009b2J"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\r\nb\u2028", "a\\u000d\\u000ab\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("Δv 3 °C äöü 字", "Δv 3 °C äöü 字"),
    ],
)
def test_characters_that_are_not_printed_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(text=ANY_TEXT)
def test_nothing_that_is_printed_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert set(printable(text, keep="\n")) <= {*filter(str.isprintable, printable(text, keep="\n")), "\n"}
    assert printable(printable(text)) == printable(text)


@given(value=st.recursive(ANY_TEXT | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner)))
def test_json_stays_the_same_json(value: Any) -> None:
    line = printable(to_json(value))
    assert line.isprintable()
    assert json.loads(line) == value


@dataclass(frozen=True)
class Inner:
    text: str
    number: float = 1.0


def test_every_text_of_nested_values_is_escaped() -> None:
    value = {"a\x1b": [Inner("b\n"), ("c\x9b", 2)], "d": None}
    assert printable_values(value) == {"a\\u001b": [Inner("b\\u000a"), ("c\\u009b", 2)], "d": None}


def test_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    make_console(plain_width=80).print("[red]x[/] :smile: [link=file:///x]y")
    assert capsys.readouterr().out == "[red]x[/] :smile: [link=file:///x]y\n"


def test_echo_and_errors_keep_to_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a\n\tb\x1b")
    CommandError("refused\nhint: rm -rf /", "try\x9b").show()
    out, err = capsys.readouterr()
    assert out == "a\n\tb\\u001b\n"
    assert err == "error: refused\\u000ahint: rm -rf /\nhint: try\\u009b\n"


def test_an_unknown_name_is_answered_with_the_closest_first() -> None:
    error = UnknownNameError("bot", "bravp", ["alpha", "bravo", "charlie"])
    assert error.message == "bot: 'bravp' is not there; allowed: bravo, alpha, charlie"
    assert error.exit_code == 2
    assert UnknownNameError("bot", "x", []).message.endswith("allowed: none yet")
    many = UnknownNameError("topic", "/a/odm", [f"/t{i}" for i in range(100)] + ["/a/odom"]).message
    assert "allowed: /a/odom, " in many
    assert many.endswith(" … (81 more)")


def test_a_terminal_without_unicode_shows_ascii() -> None:
    program = (
        "from qiki_node.terminal import *; prepare_streams(); echo('Δv 31 °C 字')\n"
        "make_console(plain_width=40).print('Δv 31 °C 字')"
    )
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run([sys.executable, "-c", program], env=ascii_only, capture_output=True, check=True)
    assert result.stdout == b"dv 31 degC \\u5b57\n" * 2
