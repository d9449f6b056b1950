"""The health board: one broken check does not silence the others."""

import pytest

from qiki_node.health import Health, HealthBoard, Level


def test_checks_are_asked_each_time() -> None:
    board = HealthBoard()
    levels = [Level.OK, Level.WARN]
    board.add("valves", lambda: Health(levels.pop(0), "m"))
    assert board.ask()["valves"].level is Level.OK
    assert board.ask()["valves"].level is Level.WARN


def test_a_failing_check_is_an_error_of_its_component_only() -> None:
    board = HealthBoard()
    board.add("broken", lambda: Health(Level.OK, str(1 / 0)))
    board.add("fine", lambda: Health(Level.OK, "ok"))
    asked = board.ask()
    assert asked["broken"].level is Level.ERROR
    assert "ZeroDivisionError" in asked["broken"].message
    assert asked["fine"].level is Level.OK


def test_a_component_is_added_once() -> None:
    board = HealthBoard()
    board.add("x", lambda: Health(Level.OK, ""))
    with pytest.raises(ValueError, match="'x'"):
        board.add("x", lambda: Health(Level.OK, ""))
