"""Stamps: equal inputs skip a step, every other state repeats it."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workspace.stamps import Stamp, digest


@given(st.lists(st.text()), st.lists(st.text()))
def test_digest_tells_different_lists_apart(one: list[str], other: list[str]) -> None:
    assume(one != other)
    assert digest(one) != digest(other)
    assert digest(one) == digest(list(one))


def test_digest_follows_a_files_content_not_its_time(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    absent = digest([file])
    file.write_text("numpy==1")
    first = digest([file])
    file.write_text("numpy==2")
    second = digest([file])
    file.write_text("numpy==1")
    assert digest([file]) == first
    assert len({absent, first, second}) == 3


def test_a_finished_step_matches_its_inputs_only(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "step")
    assert not stamp.matches("a")
    with stamp.during(lambda: "a"):
        assert stamp.interrupted
        assert not stamp.matches("a")
    assert stamp.matches("a")
    assert not stamp.matches("b")


def test_a_failed_step_is_repeated_but_not_taken_for_interrupted(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "step")
    with pytest.raises(ValueError, match="no"), stamp.during(lambda: "a"):
        raise ValueError("no")
    assert not stamp.matches("a")
    assert not stamp.interrupted


def test_an_interrupted_step_is_known_as_such(tmp_path: Path) -> None:
    stamp = Stamp(tmp_path / "step")
    with pytest.raises(KeyboardInterrupt), stamp.during(lambda: "a"):
        raise KeyboardInterrupt
    assert stamp.interrupted
