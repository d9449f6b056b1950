"""The report of a docking, folded from its events; picture of bridges; text plots; names of the messages' numbers."""

import json
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from qiki_console.model.bridge import ROLES, SWITCHGEAR, BridgeEdgeStatus, BridgeStatus, picture
from qiki_console.model.dock_report import Happening, Sample, dock_report, values
from qiki_console.model.dock_report_screen import dock_report_screen
from qiki_console.model.docking import PHASES, PROFILES, QUANTITIES
from qiki_console.model.text_plot import text_plot
from qiki_events import REGISTRY
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState
from qiki_node.json_text import to_json
from qiki_node.shared_files import shared_file
from qiki_node.terminal import printable_values
from qiki_vehicle import Vehicle

BOX = Vehicle.from_file(shared_file("vehicle", "dodecahedron", "vehicles")).docking.contact_box
MARGINS = {"closing": 0.015, "lateral_rate": 0.03, "tilt_rate": -0.001, "roll_rate": 0.003, "tilt": 0.06, "roll": None}
ORDER = {"partner": "station", "partner_port": "A", "own_port": "B", "profile": "FULL"}
ENDED = {
    **ORDER, "docking_id": "d2", "operation": "dock", "outcome": "FAILED", "code": 800, "text": "all tries failed",
    "phase": "FREE", "tries": 3, "margins": MARGINS, "checks": [], "propellant_kg": 0.8125, "energy_j": 91000.0,
    "seconds": {"APPROACH": 120.0, "ALIGN": 60.0}, "elapsed": 180.0,
}  # fmt: skip
PHASE = {
    "phase": "ALIGN", "step": "close", **ORDER, "hold": 2, "tries": 1, "retry": False, "passed": [], "reason": 0,
    "cause": 0, "from": "APPROACH", "from_step": "hold", "trigger": "tick", "text": "hold point reached",
}  # fmt: skip


def happening(type: str, time: int, stream: str = "alpha/docking", **data: Any) -> Happening:
    """An event as it comes out of the store."""
    content_type, content = REGISTRY.encode(type, {"docking_id": "d2", **data})
    return Happening(type, stream, time, REGISTRY.decode(type, 1, content_type, content))


EVENTS = [
    happening("docking.started", 5, docking_id="d1", **ORDER),
    happening("docking.started", 10, **ORDER),
    happening("docking.phase_changed", 20, **PHASE),
    happening("docking.contact_judged", 30, inside=False, margins=MARGINS, exceeded=["tilt_rate"], text="tilt_rate 3"),
    happening("docking.check_passed", 35, stream="bravo/docking", check="lock"),
    happening("docking.check_passed", 36, check="lock"),
    happening("docking.refused", 37, order="flight", reason=110, text="docking is under way"),
    happening("docking.ended", 40, **{**ENDED, "docking_id": "d1", "outcome": "EXECUTED", "code": 0}),
]


def shown(report: Any, samples: Any = (), box: Any = BOX) -> str:
    console = Console(width=120, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(dock_report_screen(printable_values(report), box, samples, "no recording is given"))
    return capture.get()


def test_a_report_has_the_events_of_its_docking_alone() -> None:
    report = dock_report("d2", "alpha/docking", [*EVENTS, happening("docking.ended", 50, **ENDED)])
    assert (report.body, report.begun, report.checks) == ("alpha", 10, ("lock",))
    text = shown(report)
    for part in (
        "d2: alpha:B to station:A, FULL",
        "FAILED in FREE, 3 tries, 180.0 s\n800 all tries failed",
        "0.812 kg", "91000 J", "checks passed", "no plot: no recording is given",
        "refused contact: tilt_rate 3", "refused flight: 110 docking is under way",
    ):  # fmt: skip
        assert part in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert rows["closing"].split()[1:] == ["0.015", "m/s", "0.025", "m/s", "#" * 12 + "." * 8]
    assert rows["tilt_rate"].rstrip().endswith("." * 20 + " outside")
    assert rows["roll"].split()[1] == rows["lateral_offset"].split()[1] == "N/A", "not measured is no zero"
    assert rows["plume"].split()[-1] == "N/A"
    assert rows["APPROACH"].split()[-1] == "#" * 20
    value = json.loads(to_json(values(report, [])))
    assert (value["margins_si"]["roll"], value["plume_impulse_ns"], value["begun_ns_text"]) == (None, None, "10")


def test_a_docking_without_an_end_shows_how_far_it_came() -> None:
    text = shown(dock_report("d2", "alpha/docking", EVENTS))
    assert "no end is recorded; last in ALIGN close: hold point reached" in text
    assert "tilt_rate" in text, "margins of the contact that was judged"
    text = shown(dock_report("d3", "alpha/docking", EVENTS), box=None)
    assert "no end is recorded; no phase either" in text
    assert "contact box: no contact is recorded" in text


def test_the_motion_is_plotted_where_it_is_recorded() -> None:
    samples = [Sample(100.0 + t, 5.0 - 0.05 * t, 0.05, nan if t < 50 else 0.02) for t in range(100)]
    lines = shown(dock_report("d2", "alpha/docking", EVENTS), samples).splitlines()
    top = next(index for index, line in enumerate(lines) if line.strip() == "range, m")
    assert lines[top + 1].split("|")[0].strip() == "5.000"
    assert lines[top + 1].split("|")[1].startswith("*")
    assert lines[top + 8].rstrip().endswith("*")
    assert lines[top + 10].split() == ["0", "s", "99.0", "s"]
    offset = next(index for index, line in enumerate(lines) if line.strip() == "lateral offset, m")
    assert lines[offset + 1].split("|")[1].lstrip().startswith("*")
    assert lines[offset + 1].split("|")[1].index("*") >= 32, "what is not known leaves a gap"


@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(allow_nan=True)), max_size=40))
@example([(0.0, -1.7e308), (1.0, 1.7e308)])
@example([(0.0, 0.0), (1.0, 5e-324)])
def test_any_curve_is_plotted_in_its_frame(points: list[tuple[float, float]]) -> None:
    points.sort(key=lambda point: point[0])
    lines = text_plot("x", [time for time, _ in points], [value for _, value in points])
    known = [value for _, value in points if abs(value) < inf]
    assert (lines == ["x: N/A"]) == (not known)
    assert all(line.isprintable() for line in lines)
    if known:
        assert 1 <= "".join(lines[1:9]).count("*") <= len(known)


def edge(port: str, partner: str, partner_port: str, current: float, fault: str = "") -> BridgeEdgeStatus:
    state = "FAULT" if fault else "CLOSED"
    return BridgeEdgeStatus("", port, partner, partner_port, "FULL", state, fault, 27.5, current, current, 20.0)


def test_bridges_are_drawn_from_their_source_each_edge_once() -> None:
    def status(role: str, depth: int, *edges: BridgeEdgeStatus) -> tuple[BridgeStatus, bool]:
        source = "" if role == "SOURCE" else "bravo"
        shed = ("charlie/charge",)
        return BridgeStatus(role, source, depth, 28.0, 250.0, (("base", 60.0, 60.0),), edges, shed, (), ()), depth == 2

    bodies = {
        "alpha": status("RELAY", 1, edge("A", "bravo", "B", 4.5), edge("B", "charlie", "A", -2.2)),
        "bravo": status("SOURCE", 0, edge("B", "alpha", "A", -4.5)),
        "charlie": status("SINK", 2, edge("A", "alpha", "B", 2.2, "weld"), edge("B", "delta", "A", nan)),
        "echo": status("RELAY", 0),
    }
    console = Console(width=120, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        for tree in picture(bodies):
            console.print(tree)
    text = capture.get()
    lines = [line.strip("│├└─ ") for line in text.splitlines()]
    assert lines == [
        "bravo  SOURCE  28.0 V, at most 250 W  60 of 60 W",
        "B to A  FULL  27.50 V  -4.50 A  (expected -4.50 A)",
        "alpha  RELAY  fed by bravo, depth 1  60 of 60 W",
        "B to A  FULL  27.50 V  -2.20 A  (expected -2.20 A)",
        "charlie  SINK  fed by bravo, depth 2  60 of 60 W  shed: charge  STALE",
        "B to A  FULL  27.50 V  N/A A  (expected N/A A)",
        "delta  N/A: it reports no bridges",
        "echo  RELAY  fed by bravo, depth 0  60 of 60 W",
    ]


def test_names_are_those_of_the_messages() -> None:
    assert [getattr(DockingState, name) for name in PHASES] == list(range(len(PHASES)))
    assert [getattr(DockingState, name) for name in PROFILES[1:]] == [1, 2, 3]
    assert [getattr(BridgeState, name) for name in ROLES[1:]] == [1, 2, 3]
    assert [getattr(BridgeEdge, name) for name in SWITCHGEAR] == list(range(len(SWITCHGEAR)))
    message = REGISTRY.message_class("docking.contact_judged")
    assert message is not None
    fields = message.DESCRIPTOR.fields_by_name["margins"].message_type.fields
    assert [field.name for field in fields] == [one.name for one in QUANTITIES]


@pytest.mark.parametrize("name", ["closing", "tilt"])
def test_quantities_have_limits_in_the_vehicle_file(name: str) -> None:
    assert name in [one.name for one in QUANTITIES]
    assert all(one.name == "closing" or getattr(BOX, one.name) > 0.0 for one in QUANTITIES)
