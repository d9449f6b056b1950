"""A clock that has not begun, runs, stands still, is set back."""

from qiki_node.clock_watch import ClockWatch


def test_a_clock_runs_while_it_moves() -> None:
    now, wall = 0, 100.0
    watch = ClockWatch(lambda: now, lambda: wall)
    assert watch.trouble == "the clock does not run: no /clock yet"
    now, wall = 500, 200.0
    assert watch.trouble == ""
    wall = 202.0
    assert watch.trouble == ""
    wall = 203.5
    assert watch.trouble.startswith("/clock stands still for 3.5 s")
    now = 400
    assert watch.trouble == "", "set back, it runs"
    now = 0
    assert "no /clock yet" in watch.trouble
