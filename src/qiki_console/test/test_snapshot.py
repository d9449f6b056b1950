"""Ages, freshness, what is missing, and how both are shown."""

import json
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model.bridge import BridgeEdgeStatus, BridgeStatus
from qiki_console.model.docking import DockingStatus
from qiki_console.model.report import report
from qiki_console.model.screen import screen
from qiki_console.model.snapshot import (
    AllocationStatus,
    Bot,
    Datum,
    Freshness,
    HottestNode,
    Motion,
    Node,
    Now,
    Power,
    Simulator,
    Snapshot,
)
from qiki_node.json_text import to_json
from qiki_node.terminal import make_console

LIVE = Now(wall=1000.0, simulated=50.0, silence=0.01)
DEAD = Now(wall=1000.0, simulated=50.0, silence=9.0)
ZERO = (0.0, 0.0, 0.0)


def shown(snapshot: Snapshot, width: int = 140) -> str:
    console = make_console()
    console.width = width
    with console.capture() as capture:
        console.print(screen(snapshot))
    return capture.get()


@given(age=st.floats(0.0, 100.0), limit=st.floats(0.1, 10.0))
def test_with_a_running_clock_age_is_simulated_time(age: float, limit: float) -> None:
    datum = Datum("x", stamp=50.0 - age, received=0.0, limit=limit)
    assert datum.age(LIVE) == pytest.approx(age)
    assert (datum.freshness(LIVE) is Freshness.FRESH) == (datum.age(LIVE) <= limit)


def test_with_a_silent_clock_age_is_wall_time() -> None:
    datum = Datum("x", stamp=50.0, received=991.0, limit=0.5)
    assert datum.age(DEAD) == 9.0
    assert datum.freshness(DEAD) is Freshness.STALE


def test_a_paused_simulation_does_not_make_data_stale() -> None:
    paused = Now(wall=1000.0, simulated=50.0, silence=9.0, paused=True)
    assert Datum("x", stamp=49.9, received=991.0, limit=0.5).freshness(paused) is Freshness.FRESH


def test_data_from_before_a_reset_are_stale() -> None:
    assert Datum("x", stamp=80.0, received=999.9, limit=0.5).freshness(LIVE) is Freshness.STALE


def docked(text: str = "station") -> tuple[Datum[DockingStatus], Datum[BridgeStatus]]:
    """Docking in FAULT, and a bridge with a fault; the bridge is old."""
    docking = DockingStatus("FAULT", "hold", text, "A", "B", "FULL", True, 2, nan, 0.01, 602, f"the current of {text}")
    edge = BridgeEdgeStatus(f"a-{text}", "B", text, "A", "FULL", "FAULT", f"weld {text}", 27.5, nan, 2.0, nan)
    bridge = BridgeStatus("RELAY", text, 1, nan, nan, ((text, 60.0, nan),), (edge,), (f"a/{text}",), (), ())
    return Datum(docking, 49.9, 999.9, 1.0), Datum(bridge, 40.0, 990.0, 2.0)


def test_docking_and_bridge_are_shown_with_their_faults() -> None:
    docking, bridge = docked()
    bot = Bot("alpha", docking=docking, bridge=bridge)
    text = shown(replace(snapshot(), bots=(bot, Bot("bravo"))))
    lines = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "FAULT hold station:A" in lines["docking"]
    assert "N/A 0.010" in lines["range"]
    assert "RELAY  fed by station  station 27.5 V N/A A" in lines["bridge"]
    assert "STALE 10.0" in lines["bridge"]
    assert lines["docking"].rstrip().endswith("N/A")
    assert "alpha docking: 602 the current of station" in text
    assert "alpha bridge a-station: weld station" in text
    value = json.loads(to_json(report(replace(snapshot(), bots=(bot, Bot("bravo"))))))["bots"]
    assert (value["bravo"]["docking"], value["bravo"]["bridge"]) == (None, None)
    assert (value["alpha"]["docking"]["range_m"], value["alpha"]["docking"]["phase"]) == (None, "FAULT")
    assert (value["alpha"]["bridge"]["stale"], value["alpha"]["bridge"]["source_v"]) == (True, None)


def snapshot(now: Now = LIVE) -> Snapshot:
    power = Power(0.8, nan, 1200.0, 3000.0, "TRIPPED", 2)
    alpha = Bot(
        "alpha",
        motion=Datum(Motion((1.0, 2.0, 3.0), (0.0, 0.0, 1.0, 0.0), (0.5, 0.0, 0.0), ZERO), 49.9, 999.9, 0.5),
        power=Datum(power, 40.0, 990.0, 1.0),
        hottest=Datum(HottestNode("RCS_A", 121.0, 120.0, "TRIPPED"), 49.9, 999.9, 1.0),
        allocation=Datum(
            AllocationStatus("REFUSED", "AUTO", "force.x: nan", (ZERO, ZERO), (ZERO, ZERO)), 49.9, 999.9, 1.0
        ),
    )
    nodes = {
        "/alpha/allocator": Node("inactive", ("lifecycle: cannot activate",), 0.4, True),
        "/bravo/allocator": Node("missing"),
        "/qiki/eventstore": Node("no answer", (), 7.0, True),
        "/qiki/sim": Node("active", (), None, True),
    }
    return Snapshot(now, Simulator(50.0, 0.99, False, "station"), nodes, (alpha, Bot("bravo")))


def test_the_screen_tells_known_stale_and_missing_values_apart() -> None:
    text = shown(snapshot())
    assert "time 50.00 s  real-time factor 0.99  running  scenario station" in text
    assert "missing: /bravo/allocator" in text
    shown_nodes = {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if line.startswith("/")}
    assert shown_nodes == {
        "/alpha/allocator": "inactive lifecycle: cannot activate",
        "/bravo/allocator": "missing",
        "/qiki/eventstore": "no answer diagnostics STALE 7.0 s",
        "/qiki/sim": "active diagnostics unknown: none received",
    }
    lines = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "-0.500" in lines["velocity, world"]
    assert "STALE 10.0" in lines["supercap SoC"]
    assert lines["battery SoC"].count("N/A") == 2
    assert "TRIPPED, 2 trips" in lines["PDU"]
    assert "RCS_A 121.0 °C TRIPPED" in lines["hottest node"]
    assert lines["working mass left"].count("N/A") == 2
    assert "alpha refused: force.x: nan" in text


def test_a_silent_clock_makes_the_screen_say_so() -> None:
    text = shown(snapshot(DEAD))
    assert "STALE: no /clock for 9.0 s" in text


def test_json_has_null_for_the_unknown_and_age_for_the_known() -> None:
    value = json.loads(to_json(report(snapshot())))
    assert value["missing"] == ["/bravo/allocator"]
    assert value["whole"] is False
    assert value["bots"]["bravo"]["motion"] is None
    alpha = value["bots"]["alpha"]
    assert alpha["thrusters"] is None
    assert alpha["power"]["battery_soc"] is None
    assert alpha["power"]["stale"] is True
    assert alpha["motion"]["stale"] is False
    assert alpha["motion"]["age_s"] == 0.1
    assert alpha["motion"]["velocity_world_m_s"] == pytest.approx([-0.5, 0.0, 0.0])


def test_a_graph_is_whole_when_every_node_is_there_and_active() -> None:
    nodes = {"/qiki/sim": Node(None), "/alpha/allocator": Node("active")}
    whole = Snapshot(LIVE, Simulator(None, None, None), nodes, (Bot("alpha", expected=frozenset()),))
    assert whole.whole
    for node in (Node("inactive"), Node("no answer"), Node("active", (), 2.6, True), Node("active", (), None, True)):
        assert not Snapshot(LIVE, Simulator(None, None, None), nodes | {"/alpha/x": node}, ()).whole
    assert not replace(whole, bots=(Bot("alpha"),)).whole
    assert not replace(whole, clocks=("/qiki/sim", "/qiki/sim")).whole
    assert Snapshot(LIVE, Simulator(None, None, None)).down


def test_two_clocks_are_named() -> None:
    text = shown(replace(snapshot(), clocks=("/qiki/sim", "/test/clock")))
    assert "warning: 2 publishers of /clock: /qiki/sim, /test/clock: simulated time jumps between them" in text


def test_thrusters_that_the_allocator_holds_for_dead_are_named() -> None:
    status = AllocationStatus("IDLE", "ADAPTIVE", "", (ZERO, ZERO), (ZERO, ZERO), {3: "STUCK_CLOSED"}, "impulse_bit")
    alpha = Bot("alpha", allocation=Datum(status, 49.9, 999.9, 1.0))
    text = shown(replace(snapshot(), bots=(alpha,)))
    assert "alpha thrusters, by the allocator: 3 STUCK_CLOSED" in text
    assert "IDLE ADAPTIVE impulse_bit" in text


@pytest.mark.parametrize("width", [20, 40, 80, 240])
def test_on_a_narrow_screen_nothing_is_cut(width: int) -> None:
    text = shown(snapshot(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "".join(text.split()).count("N/A") == "".join(shown(snapshot(), 240).split()).count("N/A")


@given(
    text=st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\u202e\u2028")), width=st.sampled_from([40, 200])
)
def test_no_text_of_the_graph_steers_the_terminal(text: str, width: int) -> None:
    status = AllocationStatus(text, text, text, (ZERO, ZERO), (ZERO, ZERO), {3: text}, text)
    bot = Bot(
        text,
        power=Datum(Power(0.8, nan, 1200.0, 3000.0, text, 2), 40.0, 990.0, 1.0),
        hottest=Datum(HottestNode(text, 121.0, 120.0, text), 49.9, 999.9, 1.0),
        allocation=Datum(status, 49.9, 999.9, 1.0),
        docking=docked(text)[0],
        bridge=docked(text)[1],
    )
    nodes = {text: Node(text, (text,), 0.1, True)}
    hostile = Snapshot(LIVE, Simulator(50.0, 1.0, False, text), nodes, (bot,), (text, text))
    assert all(line.isprintable() for line in shown(hostile, width).split("\n"))
    assert to_json(report(hostile))
